import { type KeyVaultSecret, SecretClient, type SecretProperties } from "@azure/keyvault-secrets";
import type { Log } from "../diagnostics.ts";
import type { KeyRing, SigningSecret } from "../mcp/key-ring.ts";
import { withTimeout } from "./timeout.ts";

/** Where the key ring's secret is kept and how the server proves itself there. */
export interface KeyVaultOptions {
  readonly url: string;
  readonly secretName: string;
  readonly credential: ConstructorParameters<typeof SecretClient>[1];
  /** False only for a vault on loopback, whose name can't match the domain in its challenge. */
  readonly verifyChallengeResource: boolean;
  readonly timeoutMs: number;
  readonly refreshAfterMs: number;
  readonly log: Log;
}

/** Versions read: the newest signs, the others still verify. */
const MAX_VERSIONS = 5;
const MIN_SECRET_BYTES = 32;
const RETRY_AFTER_MS = 10_000;
/** Forged key ids lead to no more than one reading in this time. */
const SEARCH_AFTER_MS = 30_000;

/**
 * Reads a named secret of Key Vault with its enabled versions: the newest signs, older ones verify until they are
 * disabled or expire.
 *
 * Read on first use, refreshed behind the requests; the last good versions stay in use while the vault is down. Throws
 * when there was never an answer; a failed attempt is repeated at most every ten seconds.
 */
export function createKeyVaultKeyRing(options: KeyVaultOptions): KeyRing {
  const { secretName, timeoutMs, refreshAfterMs, log } = options;
  const client = new SecretClient(options.url, options.credential, {
    disableChallengeResourceVerification: !options.verifyChallengeResource,
    retryOptions: { maxRetries: 1 },
  });
  let known: readonly SigningSecret[] | undefined;
  let reading: Promise<readonly SigningSecret[]> | undefined;
  let nextRead = 0;
  let nextSearch = 0;
  let lastError: unknown;

  async function readVersions(): Promise<readonly SigningSecret[]> {
    const abortSignal = AbortSignal.timeout(timeoutMs);
    const usable: SecretProperties[] = [];
    for await (const version of client.listPropertiesOfSecretVersions(secretName, { abortSignal })) {
      if (isUsable(version)) usable.push(version);
    }
    usable.sort((a, b) => Number(b.createdOn) - Number(a.createdOn));
    const secrets = await Promise.all(
      usable
        .slice(0, MAX_VERSIONS)
        .map(({ version }) => client.getSecret(secretName, { version: version ?? "", abortSignal })),
    );
    if (secrets.length === 0) throw new Error(`Key Vault has no enabled version of the secret ${secretName}.`);
    return secrets.map(toSigningSecret);
  }

  function read(): Promise<readonly SigningSecret[]> {
    reading ??= withTimeout(readVersions(), timeoutMs, "Key Vault")
      .then(
        (secrets) => {
          known = secrets;
          nextRead = Date.now() + refreshAfterMs;
          return secrets;
        },
        (error: Error) => {
          lastError = error;
          nextRead = Date.now() + RETRY_AFTER_MS;
          log.error("Key Vault could not be read", {
            error: error.name,
            secret: secretName,
            keysKnown: known !== undefined,
          });
          throw error;
        },
      )
      .finally(() => {
        reading = undefined;
      });
    return reading;
  }

  return async (wanted) => {
    const due = Date.now() >= nextRead;
    if (known && wanted && !known.some(wanted) && Date.now() >= nextSearch) {
      nextSearch = Date.now() + SEARCH_AFTER_MS;
      const earlier = known;
      return read().catch(() => earlier);
    }
    if (known) {
      if (due) void read().catch(() => undefined);
      return known;
    }
    if (!due && !reading) throw lastError;
    return read();
  };
}

function isUsable({ enabled, expiresOn, notBefore }: SecretProperties): boolean {
  const now = new Date();
  return enabled !== false && !(expiresOn && expiresOn <= now) && !(notBefore && notBefore > now);
}

function toSigningSecret({ value = "", properties }: KeyVaultSecret): SigningSecret {
  const secret = Buffer.from(value, "utf8");
  if (secret.length < MIN_SECRET_BYTES) {
    throw new Error(`The secret ${properties.name} is shorter than ${MIN_SECRET_BYTES} bytes.`);
  }
  return { id: properties.version ?? "", secret };
}
