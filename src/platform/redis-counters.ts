import { RateLimiterMemory, RateLimiterRedis } from "rate-limiter-flexible";
import type { CountOne } from "../mcp/call-limits.ts";
import { asCounter, windowOf } from "./counters.ts";
import { askRedis, createRedisClient, type RedisOptions, reasonOf } from "./redis-client.ts";

/** Counts of several instances together. */
export interface SharedCounters {
  /** Counts `perMinute` under each name; `kind` tells names of one kind from those of another. */
  readonly count: (kind: string, perMinute: number) => CountOne;
  close(): void;
}

/**
 * Counts in Redis. While it is away each instance counts alone where `failOpen` is set, and nothing can be counted
 * where it is not. A name over its limit is refused without a question to Redis until its time is over.
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
    count(kind, perMinute) {
      const window = windowOf(perMinute);
      return asCounter(
        new RateLimiterRedis({
          storeClient,
          useRedisPackage: true,
          keyPrefix: `calls:${kind}`,
          ...window,
          inMemoryBlockOnConsumed: window.points,
          ...(failOpen && { insuranceLimiter: new RateLimiterMemory(window) }),
        }),
      );
    },
    close() {
      closed = true;
      client.destroy();
    },
  };
}
