import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test, vi } from "vitest";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import type { KeyVault } from "../../emulators/key-vault/index.ts";
import { type LocalCloud, startLocalCloud } from "../../emulators/local-cloud.ts";
import type { KeyRing } from "../../src/mcp/key-ring.ts";
import { createManagedIdentity } from "../../src/platform/azure-credentials.ts";
import { createKeyVaultKeyRing, type KeyVaultOptions } from "../../src/platform/key-vault.ts";
import { createRecordedLog, type RecordedLog } from "../support/recorded-log.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
/** Of the reads that are to fail. */
const TIMEOUT_MS = 500;
const VERSIONS = /\/versions\?/;

let cloud: LocalCloud;
let vault: KeyVault;
let log: RecordedLog;
let secretName: string;
let secrets = 0;

beforeAll(async () => {
  cloud = await startLocalCloud({ certificates: inject("certificates"), serverOrigin: "http://localhost:3000" });
  vault = cloud.keyVault;
  for (const [name, value] of Object.entries(cloud.managedIdentity.environment())) vi.stubEnv(name, value);
  // For the whole file, and only forward: the SDK keeps the managed identity's token for as long as the process lives.
  vi.useFakeTimers({ toFake: ["Date"] });
});
afterAll(async () => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  await cloud.close();
});
beforeEach(() => {
  secrets += 1;
  secretName = `signing-key-${secrets}`;
  log = createRecordedLog();
  vault.traffic.clear();
});
afterEach(() => vault.traffic.recover());

const later = (ms: number) => vi.setSystemTime(Date.now() + ms);

const valueOf = (letter: string) => letter.repeat(32);

/** Adds a version whose value is 32 times `letter`, a second after the one before: Key Vault counts in seconds. */
function addVersion(letter: string, attributes?: Parameters<KeyVault["setSecret"]>[2]): string {
  later(SECOND);
  return vault.setSecret(secretName, valueOf(letter), attributes).version;
}

function createKeyRing(options: Partial<KeyVaultOptions> = {}): KeyRing {
  return createKeyVaultKeyRing({
    url: vault.origin,
    secretName,
    credential: createManagedIdentity({
      authorityHost: cloud.entra.httpsOrigin,
      instanceDiscovery: false,
      managedIdentityClientId: CONTOSO.managedIdentityClientId,
    }),
    verifyChallengeResource: false,
    timeoutMs: 5 * SECOND,
    refreshAfterMs: 10 * MINUTE,
    log,
    ...options,
  });
}

/** The secrets of a ring by their letter, the one that signs first. */
async function lettersOf(keyRing: KeyRing): Promise<string> {
  const ring = await keyRing();
  return ring
    .map(({ secret }) => {
      const text = Buffer.from(secret).toString("utf8");
      return text === valueOf(text.charAt(0)) ? text.charAt(0) : `?${text}`;
    })
    .join("");
}

describe("key ring of a secret", () => {
  test("has the newest version first, whatever order the vault lists them in, and names each by its version", async () => {
    const versions = ["a", "b", "c", "d"].map((letter) => addVersion(letter));
    const keyRing = createKeyRing();

    expect(await lettersOf(keyRing)).toBe("dcba");
    expect((await keyRing()).map(({ id }) => id)).toEqual(versions.toReversed());
  });

  test("has the five newest versions of many, over several pages of the vault's list", async () => {
    for (const letter of "abcdefghijklmnopqrstuvwxyzABCD") addVersion(letter);

    expect(await lettersOf(createKeyRing())).toBe("DCBAz");
    expect(vault.traffic.count("GET", VERSIONS)).toBeGreaterThan(1);
  });

  test("leaves out versions that are disabled, expired or not valid yet", async () => {
    addVersion("a");
    const disabled = addVersion("b");
    vault.updateSecret(secretName, disabled, { enabled: false });
    addVersion("c", { expires: new Date(Date.now() - SECOND) });
    addVersion("d", { notBefore: new Date(Date.now() + MINUTE) });
    addVersion("e", { expires: new Date(Date.now() + MINUTE), notBefore: new Date(Date.now() - MINUTE) });

    expect(await lettersOf(createKeyRing())).toBe("ea");
  });

  test("is read once for many callers at the same time, and not again until it is due", async () => {
    addVersion("a");
    const keyRing = createKeyRing();

    await Promise.all(Array.from({ length: 10 }, () => keyRing()));
    later(9 * MINUTE);
    await keyRing();
    const reads = vault.traffic.requests.filter(({ url, headers }) => VERSIONS.test(url) && headers.authorization);
    expect(reads).toHaveLength(1);
  });

  test("follows a rotation behind the requests once it is due", async () => {
    addVersion("a");
    const keyRing = createKeyRing();
    await keyRing();
    addVersion("b");
    later(10 * MINUTE);

    expect(await lettersOf(keyRing)).toBe("a");
    await vi.waitFor(async () => expect(await lettersOf(keyRing)).toBe("ba"));
  });

  test("looks for a version that another instance knows already, but not more than twice a minute", async () => {
    addVersion("a");
    const keyRing = createKeyRing();
    await keyRing();
    const version = addVersion("b");
    const countReads = () => vault.traffic.count("GET", VERSIONS);
    const before = countReads();

    expect(await keyRing(({ id }) => id === version)).toHaveLength(2);
    await keyRing(() => false);
    await keyRing(() => false);

    expect(countReads() - before).toBe(1);
  });

  test("drops a version once it was disabled and the ring is due", async () => {
    const old = addVersion("a");
    addVersion("b");
    const keyRing = createKeyRing();
    expect(await lettersOf(keyRing)).toBe("ba");
    vault.updateSecret(secretName, old, { enabled: false });
    later(10 * MINUTE);

    await vi.waitFor(async () => expect(await lettersOf(keyRing)).toBe("b"));
  });
});

describe("key ring that was read before the vault fails", () => {
  test.each([
    ["cuts connections", { kind: "reset" }],
    ["hangs", { kind: "hang" }],
    ["answers 403", { kind: "status", status: 403, body: { error: { code: "Forbidden", message: "No." } } }],
    ["answers garbage", { kind: "garbage" }],
  ] as const)(
    "keeps its last good versions when that %s, trying again at most every ten seconds",
    async (_how, fault) => {
      addVersion("a");
      const keyRing = createKeyRing({ timeoutMs: SECOND });
      await keyRing();
      addVersion("b");
      vault.traffic.fail(fault);
      later(10 * MINUTE);

      expect(await lettersOf(keyRing)).toBe("a");
      await vi.waitFor(() => expect(log.lines).toHaveLength(1), { timeout: 3_000 });
      expect(log.lines).toEqual([
        {
          level: "error",
          message: "Key Vault could not be read",
          fields: { error: expect.any(String), secret: secretName, keysKnown: true },
        },
      ]);
      const attempts = vault.traffic.requests.length;
      later(9 * SECOND);
      expect(await lettersOf(keyRing)).toBe("a");
      expect(vault.traffic.requests).toHaveLength(attempts);

      vault.traffic.recover();
      later(SECOND);
      await vi.waitFor(async () => expect(await lettersOf(keyRing)).toBe("ba"));
    },
  );

  test("keeps its versions when the last of them is disabled", async () => {
    const only = addVersion("a");
    const keyRing = createKeyRing();
    await keyRing();
    vault.updateSecret(secretName, only, { enabled: false });
    later(10 * MINUTE);

    await keyRing();
    await vi.waitFor(() => expect(log.lines).toHaveLength(1));
    expect(await lettersOf(keyRing)).toBe("a");
  });
});

describe("key ring that was never read", () => {
  test.each([
    ["cuts connections", { kind: "reset" }],
    ["hangs", { kind: "hang" }],
    ["answers 500", { kind: "status", status: 500, body: { error: { code: "InternalServerError", message: "." } } }],
    ["answers garbage", { kind: "garbage" }],
  ] as const)(
    "fails within the time limit when the vault %s, at once for ten seconds, then recovers",
    async (_how, fault) => {
      addVersion("a");
      const keyRing = createKeyRing({ timeoutMs: TIMEOUT_MS });
      vault.traffic.fail(fault);

      const started = performance.now();
      const first = await keyRing().catch((error: unknown) => error);
      expect(first).toBeInstanceOf(Error);
      expect(performance.now() - started).toBeLessThan(TIMEOUT_MS + 1_500);
      expect(log.lines).toMatchObject([{ level: "error", fields: { secret: secretName, keysKnown: false } }]);

      vault.traffic.recover();
      later(9 * SECOND);
      await expect(keyRing()).rejects.toBe(first);
      later(SECOND);
      expect(await lettersOf(keyRing)).toBe("a");
    },
  );

  test("says so when the vault is silent", async () => {
    addVersion("a");
    vault.traffic.fail({ kind: "hang" });

    await expect(createKeyRing({ timeoutMs: TIMEOUT_MS })()).rejects.toThrow(
      expect.objectContaining({ name: expect.stringMatching(/^(TimeoutError|AbortError)$/) }),
    );
  });

  test("fails when there is no such secret", async () => {
    await expect(createKeyRing({ secretName: "missing" })()).rejects.toThrow(
      "Key Vault has no enabled version of the secret missing.",
    );
  });

  test("fails when every version is disabled", async () => {
    addVersion("a", { enabled: false });

    await expect(createKeyRing()()).rejects.toThrow(`Key Vault has no enabled version of the secret ${secretName}.`);
  });

  test("refuses a secret of less than 32 bytes without telling it", async () => {
    vault.setSecret(secretName, "short-secret");

    await expect(createKeyRing()()).rejects.toThrow(`The secret ${secretName} is shorter than 32 bytes.`);
    expect(JSON.stringify(log.lines)).not.toContain("short-secret");
  });

  test("fails when the server's identity may not read the vault", async () => {
    addVersion("a");
    const identity = {
      clientId: "4c1e0c1a-9f7e-4f0c-8f63-0d3c2b1a9e8f",
      principalId: "5d2f1d2b-0a8f-4a1d-9a74-1e4d3c2b0f9a",
    };
    cloud.tenant.managedIdentities.push(identity);
    const credential = createManagedIdentity({
      authorityHost: cloud.entra.httpsOrigin,
      instanceDiscovery: false,
      managedIdentityClientId: identity.clientId,
    });

    await expect(createKeyRing({ credential })()).rejects.toMatchObject({ name: "RestError", statusCode: 403 });
  });

  test("refuses a vault whose challenge names another domain, unless that check is off", async () => {
    addVersion("a");

    await expect(createKeyRing({ verifyChallengeResource: true })()).rejects.toThrow(
      "The challenge resource 'vault.azure.net' does not match the requested domain",
    );
  });
});
