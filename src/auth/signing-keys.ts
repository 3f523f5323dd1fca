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
}

/**
 * Finds the signing keys of an OpenID Connect issuer, fetched on first use and shared by all requests.
 *
 * An unknown key id leads to one fetch per half minute, so a rotation is followed at once and a flood of forged key
 * ids is not. Known keys are refreshed hourly behind the requests, and keep verifying while the issuer is down.
 * Throws {@link KeysUnavailableError} when there was never an answer, jose's `JWKSNoMatchingKey` for an unknown key.
 * Source: OpenID Connect Discovery 1.0, section 4.
 */
export function createSigningKeys(issuer: string, log: Log, times: SigningKeyTimes = {}): JWTVerifyGetKey {
  const { cooldownMs = COOLDOWN_MS, refreshAfterMs = REFRESH_AFTER_MS } = times;
  let keys: Promise<ReturnType<typeof createRemoteJWKSet>> | undefined;
  let refreshedAt = 0;

  async function discover() {
    const response = await fetch(`${issuer}/.well-known/openid-configuration`, {
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const metadata = (await response.json()) as { issuer?: unknown; jwks_uri?: unknown };
    const uri = new URL(String(metadata.jwks_uri));
    if (metadata.issuer !== issuer || uri.origin !== new URL(issuer).origin) {
      throw new Error("The issuer's discovery document names another issuer or keys on another origin.");
    }
    const set = createRemoteJWKSet(uri, {
      timeoutDuration: TIMEOUT_MS,
      cooldownDuration: cooldownMs,
      cacheMaxAge: Number.POSITIVE_INFINITY,
    });
    await set.reload();
    refreshedAt = Date.now();
    return set;
  }

  return async (header, token) => {
    keys ??= discover();
    const set = await keys.catch((cause: unknown) => {
      keys = undefined;
      throw new KeysUnavailableError("The signing keys of the issuer cannot be fetched.", { cause });
    });
    if (Date.now() - refreshedAt > refreshAfterMs) {
      refreshedAt = Date.now() - refreshAfterMs + cooldownMs;
      void set.reload().then(
        () => {
          refreshedAt = Date.now();
        },
        (error: Error) =>
          log.warn("Signing keys could not be refreshed; the known ones stay in use", { error: error.name }),
      );
    }
    try {
      return await set(header, token);
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) throw error;
      throw new KeysUnavailableError("The signing keys of the issuer cannot be fetched.", { cause: error });
    }
  };
}
