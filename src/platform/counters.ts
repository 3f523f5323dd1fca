import { type RateLimiterAbstract, RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import type { CountOne } from "../mcp/call-limits.ts";

/** Over what time a limit counts. */
export const WINDOW_SECONDS = 60;

/** Counts in this process: `perMinute` under each name. Never rejects. */
export function countInProcess(perMinute: number): CountOne {
  return asCounter(new RateLimiterMemory({ points: perMinute, duration: WINDOW_SECONDS }));
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
