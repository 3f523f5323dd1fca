import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Request, Response } from "express";
import { SIGN_IN_MS } from "./lifetimes.ts";
import { lost } from "./page-error.ts";

const BROWSER_COOKIE = "__Host-browser";
const SECRET = /^[\w-]{43}$/;
const ATTRIBUTES = { httpOnly: true, secure: true, sameSite: "lax", path: "/" } as const;

/** The fields of a form that are texts. */
export type Form = Readonly<Record<string, string>>;

/** Makes a value that nobody can guess. */
export function newSecret(): string {
  return randomBytes(32).toString("base64url");
}

/** Gives a browser a cookie that lasts as long as a sign-in and that no script can read. */
export function setCookie(res: Response, name: string, value: string): void {
  res.cookie(name, value, { ...ATTRIBUTES, maxAge: SIGN_IN_MS });
}

/** Takes a cookie away. */
export function clearCookie(res: Response, name: string): void {
  res.clearCookie(name, ATTRIBUTES);
}

/** Reads a cookie that holds a secret of ours. */
export function cookieOf({ headers }: Request, name: string): string | undefined {
  const found = headers.cookie
    ?.split(/;\s*/)
    .find((pair) => pair.startsWith(`${name}=`))
    ?.slice(name.length + 1);
  return found !== undefined && SECRET.test(found) ? found : undefined;
}

/** Marks a browser for the time of a sign-in, and returns what it is recognised by: one mark for all its sign-ins. */
export function markBrowser(req: Request, res: Response): string {
  const mark = cookieOf(req, BROWSER_COOKIE) ?? newSecret();
  setCookie(res, BROWSER_COOKIE, mark);
  return digest(mark);
}

/** Whether a request comes from the browser that {@link markBrowser} marked. */
export function isSameBrowser(req: Request, expected: string): boolean {
  const mark = cookieOf(req, BROWSER_COOKIE);
  return mark !== undefined && timingSafeEqual(Buffer.from(digest(mark)), Buffer.from(expected));
}

/** Reads the form of a request. */
export function formOf({ body }: Request): Form {
  const fields: Record<string, unknown> = (body as Record<string, unknown> | undefined) ?? {};
  return Object.fromEntries(
    Object.entries(fields).filter((field): field is [string, string] => typeof field[1] === "string"),
  );
}

/** Demands the page's own token, and where the browser says so also its own origin. */
export function requireOwnForm(req: Request, form: Form, csrf: string): void {
  const site = req.headers["sec-fetch-site"];
  const sent = form["csrf"] ?? "";
  const matches = SECRET.test(sent) && timingSafeEqual(Buffer.from(sent), Buffer.from(csrf));
  if (!matches || (site !== undefined && site !== "same-origin")) throw lost();
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}
