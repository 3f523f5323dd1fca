import type { Request, Response } from "express";
import type { Tenant } from "../directory.ts";
import type { Authority, BrowserSession } from "./authority.ts";

const COOKIE = "EntraEmulatorSession";

// Cookies ignore ports: the path keeps this one away from the other servers on localhost, and from other tenants.
const cookieOptions = (tenant: Tenant) => ({ httpOnly: true, sameSite: "lax", path: `/${tenant.id}` }) as const;

function cookieOf(req: Request): string | undefined {
  return req.headers.cookie
    ?.split(/;\s*/)
    .find((pair) => pair.startsWith(`${COOKIE}=`))
    ?.slice(COOKIE.length + 1);
}

/** Who is signed in in the browser that sent a request. */
export function readSession({ sessions }: Authority, req: Request): BrowserSession | undefined {
  return sessions.get(cookieOf(req) ?? "");
}

/** Remembers in the browser who signed in. */
export function startSession({ sessions }: Authority, tenant: Tenant, res: Response, session: BrowserSession): void {
  res.cookie(COOKIE, sessions.add(session), cookieOptions(tenant));
}

/** Signs the browser out. */
export function endSession({ sessions }: Authority, tenant: Tenant, req: Request, res: Response): void {
  sessions.delete(cookieOf(req) ?? "");
  res.clearCookie(COOKIE, cookieOptions(tenant));
}
