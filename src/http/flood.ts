import type { RequestHandler, Response } from "express";
import { LRUCache } from "lru-cache";
import { userKey } from "../auth/principal.ts";
import type { Audit } from "../diagnostics.ts";
import { requestContextOf } from "../mcp/auth-info.ts";
import type { CountOne } from "../mcp/call-limits.ts";
import { createInFlight } from "../mcp/in-flight.ts";
import { sendProblem } from "./problem.ts";
import { requestIdOf } from "./request-id.ts";

/** How many requests of one user this instance takes. */
export interface FloodLimits {
  /** Requests of one user, of any kind; counted in this process, so that a flood reaches nothing else. */
  readonly perUser: CountOne;
  /** Requests that one user may have open at the same time, streams among them. */
  readonly open: number;
}

const MAX_REMEMBERED = 10_000;
const SAY_AGAIN_MS = 60_000;

/**
 * Answers a flood of one user 429 with `Retry-After` before its body is read. Mounted behind authentication.
 *
 * No client that works for a person gets here: limits of tool calls are lower, and say so in a result, because one 429
 * makes some clients drop their connection. The audit has a flood once a minute and not per request.
 */
export function createFloodGuard({ perUser, open }: FloodLimits, audit: Audit): RequestHandler {
  const opened = createInFlight(open);
  const said = new LRUCache<string, true>({ max: MAX_REMEMBERED, ttl: SAY_AGAIN_MS });

  return async (req, res, next) => {
    const { principal } = requestContextOf(req.auth).caller;
    const user = userKey(principal);
    const refuse = (reason: "too_many_requests" | "too_many_open", waitMs: number): void => {
      if (!said.has(user)) {
        said.set(user, true);
        const { userId, tenantId, clientId } = principal;
        const requestId = requestIdOf(res);
        audit({ event: "flood", decision: "denied", reason, requestId, tenantId, userId, clientId });
      }
      sendTooMany(res, waitMs);
    };

    const waitMs = await perUser(user);
    if (waitMs !== undefined) return refuse("too_many_requests", waitMs);
    const close = opened.enter(user);
    if (!close) return refuse("too_many_open", 1_000);
    res.once("close", close);
    next();
  };
}

function sendTooMany(res: Response, waitMs: number): void {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  res.set("retry-after", String(seconds));
  sendProblem(res, 429, "Too many requests", `Try again in ${seconds} seconds.`);
}
