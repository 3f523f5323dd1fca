import { createRemoteJWKSet, errors, type JWTVerifyGetKey } from "jose";
import type { Log } from "../diagnostics.ts";

const TIMEOUT_MS = 5_000;
const REFRESH_AFTER_MS = 60 * 60 * 1000;
/** No more often than this are keys fetched because of a token that names an unknown key, or after a failed refresh. */
const COOLDOWN_MS = 30_000;

/** The keys could not be had and no earlier ones are known. */
export class KeysUnavailableError extends Error {
  override readonly name = "KeysUnavailableError";
}

/** How {@link createSigningKeys} treats time; other values than the defaults are for tests. */
export interface SigningKeyTimes {
  readonly cooldownMs?: number;
  readonly refreshAfterMs?: number;
  readonly timeoutMs?: number;
}

type RemoteKeys = ReturnType<typeof createRemoteJWKSet>;

/**
 * Finds the signing keys of an OpenID Connect issuer, fetched on first use and shared by all requests.
 *
 * An unknown key id leads to one fetch per half minute, so a rotation is followed at once and a flood of forged key
 * ids is not. Known keys are refreshed hourly behind the requests, and keep verifying while the issuer is down.
 * Throws {@link KeysUnavailableError} when there was never an answer, jose's `JWKSNoMatchingKey` for an unknown key.
 * Source: OpenID Connect Discovery 1.0, section 4.
 */
export function createSigningKeys(issuer: string, log: Log, times: SigningKeyTimes = {}): JWTVerifyGetKey {
  const { cooldownMs = COOLDOWN_MS, refreshAfterMs = REFRESH_AFTER_MS, timeoutMs = TIMEOUT_MS } = times;
  let keys: Promise<RemoteKeys> | undefined;
  let refreshDue = 0;
  let searchDue = 0;

  async function discover(): Promise<RemoteKeys> {
    const response = await fetch(`${issuer}/.well-known/openid-configuration`, {
      signal: AbortSignal.timeout(timeoutMs),
      redirect: "error",
    });
    const metadata = (await response.json()) as { issuer?: unknown; jwks_uri?: unknown };
    const uri = new URL(String(metadata.jwks_uri));
    if (metadata.issuer !== issuer || uri.origin !== new URL(issuer).origin) {
      throw new Error("The issuer's discovery document names another issuer or keys on another origin.");
    }
    const set = createRemoteJWKSet(uri, {
      timeoutDuration: timeoutMs,
      // When to fetch again is decided here: jose's own cooldown does not count failed attempts.
      cooldownDuration: Number.POSITIVE_INFINITY,
      cacheMaxAge: Number.POSITIVE_INFINITY,
    });
    await reload(set);
    return set;
  }

  async function reload(set: RemoteKeys): Promise<void> {
    searchDue = refreshDue = Date.now() + cooldownMs;
    await set.reload();
    refreshDue = Date.now() + refreshAfterMs;
  }

  return async (header, token) => {
    keys ??= discover();
    const set = await keys.catch((cause: unknown) => {
      keys = undefined;
      throw unavailable(cause);
    });
    if (Date.now() >= refreshDue) {
      void reload(set).catch((error: Error) =>
        log.warn("Signing keys could not be refreshed; the known ones stay in use", { error: error.name }),
      );
    }
    try {
      return await set(header, token);
    } catch (error) {
      const search = set.reloading || Date.now() >= searchDue;
      if (!(error instanceof errors.JWKSNoMatchingKey) || !search) throw error;
    }
    await reload(set).catch((cause: unknown) => {
      throw unavailable(cause);
    });
    return set(header, token);
  };
}

function unavailable(cause: unknown): KeysUnavailableError {
  return new KeysUnavailableError("The signing keys of the issuer cannot be fetched.", { cause });
}
