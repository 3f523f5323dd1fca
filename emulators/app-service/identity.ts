import type { IncomingMessage } from "node:http";
import type { JWTPayload } from "jose";
import { readSessionCookie } from "./cookies.ts";
import { principalHeaders } from "./principal.ts";
import { isTrusted } from "./redirects.ts";
import type { Session, Sessions } from "./sessions.ts";
import type { Site } from "./site.ts";
import type { TokenValidator } from "./tokens.ts";

/** What a request says about its caller. */
export type Caller =
  | { readonly kind: "anonymous" }
  /** A credential that is not valid: wrong signature, issuer, audience or lifetime. */
  | { readonly kind: "invalid" }
  | { readonly kind: "bearer"; readonly claims: JWTPayload; readonly token: string }
  /** A session from a browser's cookie, or from the `X-ZUMO-AUTH` header of another client. */
  | { readonly kind: "session"; readonly claims: JWTPayload; readonly session: Session; readonly browser: boolean };

function bearerOf(req: IncomingMessage): string | undefined {
  return /^Bearer\s+(.+)$/i.exec(req.headers.authorization ?? "")?.[1];
}

/** Reads the session of a request. */
export async function readSession(req: IncomingMessage, sessions: Sessions): Promise<Caller> {
  const header = req.headers["x-zumo-auth"];
  const sealed = typeof header === "string" ? header : readSessionCookie(req);
  const session = sealed === undefined ? undefined : await sessions.resume(sealed);
  if (session) return { kind: "session", claims: session.claims, session, browser: header === undefined };
  return header === undefined ? { kind: "anonymous" } : { kind: "invalid" };
}

/** Reads the credential of a request: the bearer token first, then the session. */
export async function readCaller(
  req: IncomingMessage,
  site: Site,
  { validate, sessions }: { readonly validate: TokenValidator; readonly sessions: Sessions },
): Promise<Caller> {
  const token = bearerOf(req);
  if (token === undefined) return readSession(req, sessions);
  const claims = await validate(token, site.authSettings);
  return claims ? { kind: "bearer", claims, token } : { kind: "invalid" };
}

/** Whether the cross-site rule refuses the request: a browser's POST must name an origin that the site trusts. */
export function isCrossSite(req: IncomingMessage, site: Site, origin: string): boolean {
  if (req.method !== "POST" || !/Mozilla\//.test(req.headers["user-agent"] ?? "")) return false;
  const source = req.headers.origin ?? req.headers.referer ?? "";
  return !URL.canParse(source) || !isTrusted(site, source, origin);
}

/** The headers that tell the application who calls; tokens only from the token store. */
export function identityHeaders(site: Site, caller: Caller, sessions: Sessions): Record<string, string> {
  if (caller.kind === "anonymous" || caller.kind === "invalid") return {};
  const principal = principalHeaders(caller.claims, site.switches);
  if (caller.kind === "bearer") {
    const copied = site.switches["easyauth.tokenHeaderOnBearer"];
    return { ...principal, ...(copied ? { "X-MS-TOKEN-AAD-ACCESS-TOKEN": caller.token } : {}) };
  }
  const tokens = site.authSettings.login?.tokenStore?.enabled ? sessions.tokens(caller.session) : undefined;
  if (!tokens) return principal;
  return {
    ...principal,
    ...(tokens.idToken ? { "X-MS-TOKEN-AAD-ID-TOKEN": tokens.idToken } : {}),
    ...(tokens.accessToken ? { "X-MS-TOKEN-AAD-ACCESS-TOKEN": tokens.accessToken } : {}),
    "X-MS-TOKEN-AAD-EXPIRES-ON": new Date(tokens.expiresOn * 1000).toISOString(),
  };
}
