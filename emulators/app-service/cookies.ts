import type { IncomingMessage } from "node:http";
import type { CookieOptions, Response } from "express";

const SESSION_COOKIE = "AppServiceAuthSession";
// Browsers keep about 4096 bytes per cookie, name and attributes included.
const CHUNK = 3800;

function cookiesOf(req: IncomingMessage): ReadonlyMap<string, string> {
  const pairs = (req.headers.cookie ?? "").split(";").map((pair) => pair.trim().split("="));
  return new Map(pairs.map(([name = "", ...value]) => [name, value.join("=")]));
}

// The identity provider posts the form across sites; over plain http browsers accept no SameSite=None.
function attributes(secure: boolean): CookieOptions {
  return { path: "/", httpOnly: true, secure, sameSite: secure ? "none" : "lax" };
}

function chunkName(index: number): string {
  return index === 0 ? SESSION_COOKIE : `${SESSION_COOKIE}${index}`;
}

/** One cookie of a request. */
export function readCookie(req: IncomingMessage, name: string): string | undefined {
  return cookiesOf(req).get(name);
}

/** Sets a cookie that scripts cannot read. */
export function setCookie(res: Response, name: string, value: string): void {
  res.cookie(name, value, attributes(res.req.secure));
}

/** Takes a cookie back. */
export function clearCookie(res: Response, name: string): void {
  res.clearCookie(name, attributes(res.req.secure));
}

/** The sealed session of a request, put together from its chunks. */
export function readSessionCookie(req: IncomingMessage): string | undefined {
  const cookies = cookiesOf(req);
  const chunks: string[] = [];
  for (let index = 0; cookies.has(chunkName(index)); index += 1) chunks.push(cookies.get(chunkName(index)) ?? "");
  return chunks.join("") || undefined;
}

/** Sets the session cookie, in chunks `AppServiceAuthSession`, `AppServiceAuthSession1`, … where it is long. */
export function setSessionCookie(res: Response, sealed: string): void {
  clearSessionCookie(res);
  for (let index = 0; index * CHUNK < sealed.length; index += 1) {
    setCookie(res, chunkName(index), sealed.slice(index * CHUNK, (index + 1) * CHUNK));
  }
}

/** Takes back every chunk of the session cookie that the browser sent. */
export function clearSessionCookie(res: Response): void {
  const cookies = cookiesOf(res.req);
  for (let index = 0; cookies.has(chunkName(index)); index += 1) clearCookie(res, chunkName(index));
}
