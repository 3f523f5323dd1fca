import type { IncomingMessage, ServerResponse } from "node:http";

/** What `oidc-provider` calls the cookie of a sign-in: it knows one in each browser. */
export const INTERACTION_COOKIE = "__Host-interaction";

/** Sign-ins that one browser can have under way: their cookies would be too many for a request. */
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

/** Names of the cookies of a sign-in. */
export function cookieNamesOf(uid: string): string[] {
  return [nameOf(uid), `${nameOf(uid)}.sig`];
}

function nameOf(uid: string): string {
  return `${INTERACTION_COOKIE}-${uid}`;
}
