import type { Request, RequestHandler, Response } from "express";
import ipaddr from "ipaddr.js";
import type { CountOne } from "../mcp/call-limits.ts";
import { messagePage, sendPage } from "./pages.ts";

/** What somebody who has not signed in may do on this instance, where each request leaves something in the store. */
export interface StrangerLimits {
  /** Clients that one address registers. */
  readonly registrations: CountOne;
  /** Clients that everybody registers: who has many addresses fills the store with them all the same. */
  readonly allRegistrations: CountOne;
  /** Sign-ins that one address begins; each may make this server fetch a metadata document. */
  readonly signIns: CountOne;
  /** Trips to Entra that one address begins: one in each sign-in, and any number at the pages that lead there. */
  readonly trips: CountOne;
}

/** Handlers for the requests that anybody may send, answering 429 with `Retry-After` above the limit. */
export function limitStrangers(limits: StrangerLimits): {
  readonly registration: RequestHandler;
  readonly signIn: RequestHandler;
  readonly trip: RequestHandler;
} {
  const onPage =
    (count: CountOne): RequestHandler =>
    async (req, res, next) => {
      const waitMs = await count(networkOf(req));
      if (waitMs === undefined) return next();
      const seconds = refuse(res, waitMs);
      sendPage(res, messagePage("Not now", `Too many sign-ins were begun. Try again in ${seconds} seconds.`, 429));
    };
  return {
    async registration(req, res, next) {
      const waitMs = (await limits.registrations(networkOf(req))) ?? (await limits.allRegistrations("all"));
      if (waitMs === undefined) return next();
      const seconds = refuse(res, waitMs);
      res.json({ error: "temporarily_unavailable", error_description: `Try again in ${seconds} seconds.` });
    },
    signIn: onPage(limits.signIns),
    trip: onPage(limits.trips),
  };
}

function refuse(res: Response, waitMs: number): number {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  res.status(429).set("retry-after", String(seconds));
  return seconds;
}

/**
 * Address of whoever sent a request: what the proxy in front added last, with a port behind it on App Service. Without a
 * proxy it is the sender's own word, and only the limit for everybody holds. Of IPv6 the network, which one person has whole.
 */
function networkOf({ headers, socket }: Request): string {
  const forwarded =
    String(headers["x-forwarded-for"] ?? "")
      .split(",")
      .at(-1)
      ?.trim() ?? "";
  const [, bracketed, v4] = /^(?:\[(.+)\](?::\d+)?|([\d.]+):\d+)$/.exec(forwarded) ?? [];
  const named = bracketed ?? v4 ?? forwarded;
  const address = ipaddr.isValid(named) ? named : (socket.remoteAddress ?? "");
  if (!ipaddr.isValid(address)) return "unknown";
  const parsed = ipaddr.process(address);
  return parsed instanceof ipaddr.IPv6 ? parsed.parts.slice(0, 4).join(":") : parsed.toString();
}
