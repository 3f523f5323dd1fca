import type { BrokerStore } from "../broker/store.ts";
import { askRedis, connectedInTime, createRedisClient, type RedisOptions, reasonOf } from "./redis-client.ts";

/**
 * Keeps the broker's state in Redis: for several instances, and across restarts.
 *
 * `connected` rejects when Redis cannot be reached in time at start; the store keeps trying and works once it can.
 */
export function createRedisStore(options: RedisOptions): { store: BrokerStore; connected: Promise<void> } {
  const { timeoutMs, log } = options;
  const client = createRedisClient(options);
  let reachable = true;
  let closed = false;
  const onError = (error: Error): void => {
    if (reachable && !closed) log.error("Redis cannot be reached; nobody can sign in", { error: reasonOf(error) });
    reachable = false;
  };
  client.on("error", onError).on("ready", () => {
    if (!reachable) log.info("Redis is reached again");
    reachable = true;
  });
  const connecting = client.connect();
  connecting.catch(onError);
  const ask = <T>(command: () => Promise<T>) => askRedis(client, command, { timeoutMs, onError });

  const store: BrokerStore = {
    get: async (key) => (await ask(() => client.get(key))) ?? undefined,
    async set(key, value, ttlMs) {
      await ask(() => client.set(key, value, { expiration: { type: "PX", value: ttlMs } }));
    },
    async replace(key, value) {
      const answer = await ask(() => client.set(key, value, { condition: "XX", expiration: "KEEPTTL" }));
      return answer === "OK";
    },
    extend: async (key, ttlMs) => (await ask(() => client.pExpire(key, ttlMs))) === 1,
    take: async (key) => (await ask(() => client.getDel(key))) ?? undefined,
    async claim(key, ttlMs) {
      const expiration = { type: "PX", value: ttlMs } as const;
      return (await ask(() => client.set(key, "1", { condition: "NX", expiration }))) === "OK";
    },
    async delete(...keys) {
      // One by one: on a cluster they may be on different nodes.
      await Promise.all(keys.map((key) => ask(() => client.del(key))));
    },
    async addMember(key, member, ttlMs) {
      await ask(() => client.sAdd(key, member));
      await ask(() => client.pExpire(key, ttlMs));
    },
    async removeMember(key, member) {
      await ask(() => client.sRem(key, member));
    },
    members: (key) => ask(() => client.sMembers(key)),
    async close() {
      closed = true;
      client.destroy();
    },
  };
  return { store, connected: connectedInTime(connecting, timeoutMs) };
}
