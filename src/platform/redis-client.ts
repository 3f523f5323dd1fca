import { EntraIdCredentialsProviderFactory, REDIS_SCOPE_DEFAULT } from "@redis/entraid";
import { createClient, ErrorReply } from "redis";
import type { Log } from "../diagnostics.ts";
import { TimeoutError, withTimeout } from "./timeout.ts";

/** Where Redis is and how the server proves itself there. */
export interface RedisOptions {
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

/** A connection to Redis that comes back by itself. */
export type RedisClient = ReturnType<typeof createRedisClient>;

const TOKEN_REFRESH = {
  expirationRefreshRatio: 0.8,
  retry: { maxAttempts: 10, initialDelayMs: 1_000, maxDelayMs: 60_000, backoffMultiplier: 2, isRetryable: () => true },
};
const LONGEST_RECONNECT_MS = 2_000;

/** Makes a client that is not connected yet, with the managed identity in place of a key. Commands are never queued. */
export function createRedisClient({ url, credential, timeoutMs, log }: RedisOptions) {
  const credentials = credential && {
    credentialsProvider: EntraIdCredentialsProviderFactory.createForDefaultAzureCredential({
      credential,
      scopes: REDIS_SCOPE_DEFAULT,
      tokenManagerConfig: TOKEN_REFRESH,
      onReAuthenticationError: ({ name }) => log.error("The sign-in to Redis could not be renewed", { error: name }),
    }),
  };
  return createClient({
    url,
    ...credentials,
    disableOfflineQueue: true,
    pingInterval: timeoutMs,
    socket: {
      connectTimeout: timeoutMs,
      socketTimeout: timeoutMs * 2,
      reconnectStrategy: (retries) => Math.min(50 * 2 ** retries, LONGEST_RECONNECT_MS),
    },
  });
}

/**
 * Runs a command and gives up after `timeoutMs`; a connection that does not answer is replaced. Rejects at once while
 * Redis is away.
 */
export async function askRedis<T>(
  client: RedisClient,
  command: () => Promise<T>,
  { timeoutMs, onError }: { readonly timeoutMs: number; readonly onError: (error: Error) => void },
): Promise<T> {
  if (!client.isReady) throw new Error("Redis cannot be reached.");
  try {
    return await withTimeout(command(), timeoutMs, "Redis");
  } catch (error) {
    onError(error as Error);
    if (error instanceof TimeoutError && client.isReady) {
      client.destroy();
      client.connect().catch(onError);
    }
    throw error;
  }
}

/** Resolves with the first connection; rejects when there is none within `timeoutMs`, while the client keeps trying. */
export function connectedInTime(connecting: Promise<unknown>, timeoutMs: number): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`Redis did not answer within ${timeoutMs} ms.`)), timeoutMs);
    connecting.then(() => resolve(), reject).finally(() => clearTimeout(timer));
  });
}

/** The code of an error: what Redis itself answers begins with one, for example `WRONGPASS`. */
export function reasonOf(error: NodeJS.ErrnoException): string {
  if (error instanceof ErrorReply) return error.message.split(" ", 1)[0] ?? error.name;
  return error.code ?? error.name;
}
