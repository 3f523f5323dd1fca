import type { IncomingMessage, ServerResponse } from "node:http";

/** What `oidc-provider` calls its cookies; of a sign-in it knows one in each browser. */
export const COOKIE_NAMES = {
  interaction: "__Host-interaction",
  // Bound to the path where the sign-in goes on, which `__Host-` does not allow.
  resume: "__Secure-resume",
  session: "__Host-session",
} as const;

const { interaction: INTERACTION_COOKIE, session: SESSION_COOKIE } = COOKIE_NAMES;
const SESSION = new RegExp(`(?:^|;\\s*)${SESSION_COOKIE}(?:\\.sig)?=[^;]*`, "g");

/** Sign-ins that one browser can have under way: the cookies of more would not fit into a request. */
const MAX_SIGN_INS = 10;
const UNDER_WAY = new RegExp(`(?<=^|;\\s*)${INTERACTION_COOKIE}-[\\w-]+(?==)`, "g");

/** Names the cookies of a sign-in after it, so that they leave those of others alone; the oldest of too many end. */
export function renameForSignIn(req: IncomingMessage, res: ServerResponse, uid: string): void {
  const cookies = [res.getHeader("set-cookie") ?? []].flat().map(String);
  const renamed = cookies.map((line) => line.replace(new RegExp(`^${INTERACTION_COOKIE}(?=[.=])`), nameOf(uid)));
  // Browsers send the oldest first.
  const tooMany = (req.headers.cookie?.match(UNDER_WAY) ?? []).slice(0, -(MAX_SIGN_INS - 1));
  const ended = tooMany.flatMap((name) => [`${name}=`, `${name}.sig=`]);
  res.setHeader("set-cookie", [...renamed, ...ended.map((pair) => `${pair}; Path=/; Max-Age=0; Secure; HttpOnly`)]);
}

/** Gives the library the cookies of this sign-in under the name that it knows. */
export function chooseSignIn({ headers }: IncomingMessage, uid: string): void {
  if (headers.cookie !== undefined) headers.cookie = headers.cookie.replaceAll(nameOf(uid), INTERACTION_COOKIE);
}

/** Hides the library's own session from it: none of those may ever stand for a sign-in at Entra. */
export function hideSession({ headers }: IncomingMessage): void {
  if (headers.cookie !== undefined) headers.cookie = headers.cookie.replace(SESSION, "");
}

/** Names of the cookies of a sign-in. */
export function cookieNamesOf(uid: string): string[] {
  return [nameOf(uid), `${nameOf(uid)}.sig`];
}

function nameOf(uid: string): string {
  return `${INTERACTION_COOKIE}-${uid}`;
}
