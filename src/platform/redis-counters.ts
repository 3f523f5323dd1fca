import { RateLimiterMemory, RateLimiterRedis } from "rate-limiter-flexible";
import type { CountOne } from "../mcp/call-limits.ts";
import { asCounter, WINDOW_SECONDS } from "./counters.ts";
import { askRedis, createRedisClient, type RedisOptions, reasonOf } from "./redis-client.ts";

/** Counts of several instances together. */
export interface SharedCounters {
  /** Counts `perMinute` under each name; `kind` tells names of one kind from those of another. */
  count(kind: string, perMinute: number): CountOne;
  close(): void;
}

/**
 * Counts in Redis. While it is away each instance counts alone where `failOpen` is set, and nothing can be counted
 * where it is not. A name over its limit is refused without a question to Redis until its minute is over.
 */
export function countInRedis(options: RedisOptions & { readonly failOpen: boolean }): SharedCounters {
  const { timeoutMs, log, failOpen } = options;
  const client = createRedisClient(options);
  let reachable = true;
  let closed = false;
  const onError = (error: Error): void => {
    if (reachable && !closed)
      log.error("Redis cannot be reached; calls are not counted together", { error: reasonOf(error) });
    reachable = false;
  };
  client.on("error", onError).on("ready", () => {
    if (!reachable) log.info("Redis is reached again");
    reachable = true;
  });
  client.connect().catch(onError);
  const storeClient = {
    eval: (...command: Parameters<typeof client.eval>) =>
      askRedis(client, () => client.eval(...command), { timeoutMs, onError }),
  };
  return {
    count: (kind, perMinute) =>
      asCounter(
        new RateLimiterRedis({
          storeClient,
          useRedisPackage: true,
          keyPrefix: `calls:${kind}`,
          points: perMinute,
          duration: WINDOW_SECONDS,
          inMemoryBlockOnConsumed: perMinute,
          ...(failOpen && { insuranceLimiter: new RateLimiterMemory({ points: perMinute, duration: WINDOW_SECONDS }) }),
        }),
      ),
    close() {
      closed = true;
      client.destroy();
    },
  };
}
