import type { IncomingMessage } from "node:http";
import type { RequestHandler, Response } from "express";
import ipaddr from "ipaddr.js";
import type { CountOne } from "../mcp/call-limits.ts";
import { messagePage, sendPage } from "./pages.ts";

/** How often something may be done on this instance. */
export interface StrangerLimit {
  readonly ofAddress: CountOne;
  /** By everybody together: who has many addresses fills the store all the same. */
  readonly ofAll: CountOne;
}

/** What somebody who has not signed in may do, where each request leaves something in the store or reaches another host. */
export interface StrangerLimits {
  /** Clients to register. */
  readonly registrations: StrangerLimit;
  /** Sign-ins to begin. */
  readonly signIns: StrangerLimit;
  /** Trips to Entra to begin: one in each sign-in, and any number at the pages that lead there. */
  readonly trips: StrangerLimit;
  /** Metadata documents to have fetched, of clients that nobody is signed in with. */
  readonly documents: StrangerLimit;
}

/**
 * Handlers for the requests that anybody may send, answering 429 with `Retry-After` above the limit; `mayFetch` says
 * whether the sender of a request may have one more document fetched.
 */
export function limitStrangers(limits: StrangerLimits): {
  readonly registration: RequestHandler;
  readonly signIn: RequestHandler;
  readonly trip: RequestHandler;
  readonly mayFetch: (req: IncomingMessage) => Promise<boolean>;
} {
  const onPage =
    (limit: StrangerLimit): RequestHandler =>
    async (req, res, next) => {
      const waitMs = await countFor(req, limit);
      if (waitMs === undefined) return next();
      const seconds = refuse(res, waitMs);
      sendPage(res, messagePage("Not now", `Too many sign-ins were begun. Try again in ${seconds} seconds.`, 429));
    };
  return {
    async registration(req, res, next) {
      const waitMs = await countFor(req, limits.registrations);
      if (waitMs === undefined) return next();
      const seconds = refuse(res, waitMs);
      res.json({ error: "temporarily_unavailable", error_description: `Try again in ${seconds} seconds.` });
    },
    signIn: onPage(limits.signIns),
    trip: onPage(limits.trips),
    mayFetch: async (req) => (await countFor(req, limits.documents)) === undefined,
  };
}

async function countFor(req: IncomingMessage, { ofAddress, ofAll }: StrangerLimit): Promise<number | undefined> {
  return (await ofAddress(networkOf(req))) ?? ofAll("all");
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
function networkOf({ headers, socket }: IncomingMessage): string {
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
