import type { Bus } from "../mcp/bus.ts";
import type { ClaimOnce } from "../mcp/claim-once.ts";
import { askRedis, connectedInTime, createRedisClient, type RedisOptions, reasonOf } from "./redis-client.ts";

/** A bus that may be cut off from the other instances for a while. */
export interface SharedBus extends Bus {
  /** Rejects while the other instances cannot be reached. */
  check(): Promise<void>;
}

interface Channel {
  readonly listeners: Set<(message: string) => void>;
  /** Resolves when Redis knows that this instance listens, or is known to be away. */
  readonly joined: Promise<unknown>;
}

/**
 * Carries messages between instances over Redis publish/subscribe, with the managed identity in place of a key.
 *
 * While Redis is away, messages still reach listeners of this instance and nothing rejects; it reconnects by itself and
 * listens again to every channel. `connected` rejects when Redis cannot be reached within `timeoutMs` at start; the bus
 * works on and keeps trying. A connection that is silent for longer than `timeoutMs` is given up and replaced.
 */
export function createRedisBus(options: RedisOptions): {
  bus: SharedBus;
  /** Rejects while Redis cannot be reached: whether another instance was first is not known then. */
  claimOnce: ClaimOnce;
  connected: Promise<void>;
} {
  const { timeoutMs, log } = options;
  const channels = new Map<string, Channel>();
  /** Left while Redis could not be told; the client would join them again with the others. */
  const abandoned = new Set<string>();
  const publisher = createRedisClient(options);
  const subscriber = publisher.duplicate();
  const clients = [publisher, subscriber];

  let reachable = true;
  let closed = false;
  const note = (error: Error): void => {
    if (reachable && !closed) {
      log.error("Redis cannot be reached; messages stay on this instance", { error: reasonOf(error) });
    }
    reachable = false;
  };
  const onReady = (): void => {
    if (!clients.every(({ isReady }) => isReady)) return;
    if (!reachable) log.info("Redis is reached again");
    reachable = true;
  };
  for (const client of clients) client.on("error", note).on("ready", onReady);

  const deliver = (message: string, channel: string): void => {
    for (const listener of channels.get(channel)?.listeners ?? []) listener(message);
  };

  /** Whether Redis did it. */
  async function done(client: typeof publisher, command: () => Promise<unknown>): Promise<boolean> {
    return askRedis(client, command, { timeoutMs, onError: note }).then(
      () => true,
      () => false,
    );
  }

  const join = (channel: string) => done(subscriber, () => subscriber.subscribe(channel, deliver));

  async function leave(channel: string): Promise<void> {
    // Named with its listener, so that the client takes a subscription that follows at once for a new one.
    const left = await done(subscriber, () => subscriber.unsubscribe(channel, deliver));
    if (!left) abandoned.add(channel);
  }

  subscriber.on("ready", () => {
    // The client listens again to what it listened to before; what changed meanwhile is made up for here.
    const gone = [...abandoned].filter((channel) => !channels.has(channel));
    abandoned.clear();
    for (const channel of gone) void leave(channel);
    for (const channel of channels.keys()) void join(channel);
  });

  const connecting = Promise.all(clients.map((client) => client.connect()));
  connecting.catch(note);
  const connected = connectedInTime(connecting, timeoutMs);

  const bus: SharedBus = {
    async publish(channel, message) {
      const sent = await done(publisher, () => publisher.publish(channel, message));
      // Redis may have it and this instance still not hear of it: who is asked twice takes the first answer.
      if (!sent || !subscriber.isReady) deliver(message, channel);
    },
    async subscribe(channel, listener) {
      const known = channels.get(channel) ?? { listeners: new Set(), joined: join(channel) };
      channels.set(channel, known);
      known.listeners.add(listener);
      await known.joined;
      return () => {
        if (!known.listeners.delete(listener) || known.listeners.size > 0) return;
        channels.delete(channel);
        void leave(channel);
      };
    },
    async check() {
      if (!(await done(publisher, () => publisher.ping())) || !subscriber.isReady) {
        throw new Error("Redis cannot be reached.");
      }
    },
    async close() {
      closed = true;
      channels.clear();
      for (const client of clients) client.destroy();
    },
  };
  const claimOnce: ClaimOnce = async (name, ttlMs) => {
    let first = false;
    const asked = await done(publisher, async () => {
      const answer = await publisher.set(name, "1", { condition: "NX", expiration: { type: "PX", value: ttlMs } });
      first = answer === "OK";
    });
    if (!asked) throw new Error("Redis cannot be reached.");
    return first;
  };
  return { bus, claimOnce, connected };
}
