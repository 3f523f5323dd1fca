import type { RateLimiterAbstract } from "rate-limiter-flexible";
// Its main file loads a client for every database it knows: a tenth of the time that a start takes.
import RateLimiterMemory from "rate-limiter-flexible/lib/RateLimiterMemory.js";
import RateLimiterRes from "rate-limiter-flexible/lib/RateLimiterRes.js";
import type { CountOne } from "../mcp/call-limits.ts";

const WINDOW_SECONDS = 10;

/** A limit as the library takes it. Counted over ten seconds: who may do something 600 times a minute may not do so within one second. */
export function windowOf(perMinute: number): { readonly points: number; readonly duration: number } {
  return { points: Math.ceil((perMinute * WINDOW_SECONDS) / 60), duration: WINDOW_SECONDS };
}

/** Counts in this process: `perMinute` under each name. Never rejects. */
export function countInProcess(perMinute: number): CountOne {
  return asCounter(new RateLimiterMemory(windowOf(perMinute)));
}

/** Counts by a limiter of the library, which rejects with its result at the limit, and with an error where it could not count. */
export function asCounter(limiter: RateLimiterAbstract): CountOne {
  return (name) =>
    limiter.consume(name).then(
      () => undefined,
      (reason: unknown) => {
        if (reason instanceof RateLimiterRes) return reason.msBeforeNext;
        throw reason;
      },
    );
}
