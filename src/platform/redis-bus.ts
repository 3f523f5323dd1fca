import { EntraIdCredentialsProviderFactory, REDIS_SCOPE_DEFAULT } from "@redis/entraid";
import { createClient } from "redis";
import type { Log } from "../diagnostics.ts";
import type { Bus } from "../mcp/bus.ts";

/** Where Redis is and how the server proves itself there. */
export interface RedisBusOptions {
  /** `rediss://<host>:<port>`; no user and no password in it. */
  readonly url: string;
  /** The managed identity, for Azure Managed Redis; undefined for a Redis that asks for nothing. */
  readonly credential: EntraCredential | undefined;
  readonly timeoutMs: number;
  readonly log: Log;
}

type EntraCredential = Parameters<
  typeof EntraIdCredentialsProviderFactory.createForDefaultAzureCredential
>[0]["credential"];

/** A bus that may be cut off from the other instances for a while. */
export interface SharedBus extends Bus {
  /** Rejects while the other instances cannot be reached. */
  check(): Promise<void>;
}

const TOKEN_REFRESH = { expirationRefreshRatio: 0.8 };
const LONGEST_RECONNECT_MS = 2_000;

/**
 * Carries messages between instances over Redis publish/subscribe, with the managed identity in place of a key.
 *
 * While Redis is away, messages still reach listeners of this instance; it reconnects by itself and listens again to
 * every channel. Rejects when Redis cannot be reached within `timeoutMs` at start; the bus given by {@link RedisBusStart}
 * works on and keeps trying.
 */
export function createRedisBus({ url, credential, timeoutMs, log }: RedisBusOptions): {
  bus: SharedBus;
  connected: Promise<void>;
} {
  const listeners = new Map<string, Set<(message: string) => void>>();
  const credentials = credential && {
    credentialsProvider: EntraIdCredentialsProviderFactory.createForDefaultAzureCredential({
      credential,
      scopes: REDIS_SCOPE_DEFAULT,
      tokenManagerConfig: TOKEN_REFRESH,
    }),
  };
  const publisher = createClient({
    url,
    ...credentials,
    disableOfflineQueue: true,
    socket: {
      connectTimeout: timeoutMs,
      reconnectStrategy: (retries) => Math.min(50 * 2 ** retries, LONGEST_RECONNECT_MS),
    },
  });
  const subscriber = publisher.duplicate();

  const deliver = (message: string, channel: string): void => {
    for (const listener of listeners.get(channel) ?? []) listener(message);
  };
  let reachable = true;
  const note = (error: Error): void => {
    if (reachable) log.error("Redis cannot be reached; messages stay on this instance", { error: error.name });
    reachable = false;
  };
  publisher.on("error", note);
  subscriber.on("error", note);
  subscriber.on("ready", () => {
    if (!reachable) log.info("Redis is reached again");
    reachable = true;
    // The client listens again to what it listened to before; channels that came up meanwhile are added here.
    for (const channel of listeners.keys()) void subscriber.subscribe(channel, deliver).catch(note);
  });

  const connecting = Promise.all([publisher.connect(), subscriber.connect()]);
  connecting.catch(note);
  const connected = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`Redis did not answer within ${timeoutMs} ms.`)), timeoutMs);
    connecting.then(() => resolve(), reject).finally(() => clearTimeout(timer));
  });

  const bus: SharedBus = {
    async publish(channel, message) {
      if (!publisher.isReady) return deliver(message, channel);
      await publisher.publish(channel, message);
    },
    async subscribe(channel, listener) {
      const known = listeners.get(channel);
      const set = known ?? new Set();
      listeners.set(channel, set.add(listener));
      if (!known && subscriber.isReady) await subscriber.subscribe(channel, deliver);
      return () => {
        if (!set.delete(listener) || set.size > 0 || listeners.get(channel) !== set) return;
        listeners.delete(channel);
        if (subscriber.isReady) subscriber.unsubscribe(channel).catch(note);
      };
    },
    async check() {
      if (!publisher.isReady || !subscriber.isReady) throw new Error("Redis cannot be reached.");
    },
    async close() {
      listeners.clear();
      publisher.destroy();
      subscriber.destroy();
    },
  };
  return { bus, connected };
}
