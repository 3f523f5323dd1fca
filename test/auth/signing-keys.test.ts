import { decodeProtectedHeader, jwtVerify } from "jose";
import { afterEach, beforeEach, describe, expect, inject, test, vi } from "vitest";
import { CONTOSO, createContoso } from "../../emulators/contoso/tenant.ts";
import { type Entra, startEntra } from "../../emulators/entra/index.ts";
import { createSigningKeys, type SigningKeyTimes } from "../../src/auth/signing-keys.ts";
import { createRecordedLog, type RecordedLog } from "../support/recorded-log.ts";
import { startTokenIssuer } from "../support/token-issuer.ts";

const DISCOVERY = /openid-configuration$/;
const KEYS = /discovery\/v2\.0\/keys$/;
const SECOND = 1000;
const HOUR = 3600 * SECOND;

const MCP_URL = "https://mcp.contoso.example/mcp";
let entra: Entra;
let log: RecordedLog;

beforeEach(async () => {
  log = createRecordedLog();
  entra = await startEntra({
    certificates: inject("certificates"),
    tenants: ({ http }) => [
      createContoso({ mcpUrl: MCP_URL, entraOrigin: http, graphOrigin: "https://graph.contoso.example" }),
    ],
  });
  vi.useFakeTimers({ toFake: ["Date"] });
});
afterEach(async () => {
  vi.useRealTimers();
  await entra.close();
});

const later = (ms: number) => vi.setSystemTime(Date.now() + ms);

const issueToken = () =>
  entra.issueAccessToken({ user: "AdeleV", client: CONTOSO.sampleClientId, scope: `${MCP_URL}/user_impersonation` });

/** Verifies tokens of the tenant; the name of whoever it is of, or of the error. */
function createVerify(times?: SigningKeyTimes) {
  const keys = createSigningKeys(`${entra.httpOrigin}/${CONTOSO.tenantId}/v2.0`, log, times);
  return async (token: string) => {
    try {
      const { payload } = await jwtVerify(token, keys, { algorithms: ["RS256"] });
      return payload["name"];
    } catch (error) {
      return (error as Error).name;
    }
  };
}

/** A token like {@link issueToken}'s, signed with a key that Entra does not know. */
async function forgeToken(): Promise<string> {
  const forger = await startTokenIssuer();
  await forger.close();
  return forger.sign({ name: "Adele Vance" });
}

describe("signing keys of a healthy issuer", () => {
  test("many first tokens at once lead to one discovery and one fetch of the keys", async () => {
    const verify = createVerify();
    const token = await issueToken();

    expect(await Promise.all(Array.from({ length: 10 }, () => verify(token)))).toEqual(Array(10).fill("Adele Vance"));
    expect(await verify(token)).toBe("Adele Vance");
    expect([entra.traffic.count("GET", DISCOVERY), entra.traffic.count("GET", KEYS)]).toEqual([1, 1]);
  });

  test("tokens of a new key are accepted at once after a rotation, with one fetch for all of them", async () => {
    const verify = createVerify();
    const before = await issueToken();
    await verify(before);
    later(31 * SECOND);
    await entra.rotateKeys();
    const after = await issueToken();
    entra.traffic.clear();

    expect(decodeProtectedHeader(after).kid).not.toBe(decodeProtectedHeader(before).kid);
    expect(await Promise.all([verify(after), verify(before), verify(after), verify(after)])).toEqual(
      Array(4).fill("Adele Vance"),
    );
    expect(entra.traffic.count("GET", KEYS)).toBe(1);
  });

  test("tokens of a retired key are refused once the keys were fetched again", async () => {
    const verify = createVerify();
    const before = await issueToken();
    await verify(before);
    await entra.rotateKeys();
    entra.retireOldKeys();
    later(31 * SECOND);
    await verify(await issueToken());

    expect(await verify(before)).toBe("JWKSNoMatchingKey");
  });

  test("a flood of unknown key ids leads to one fetch per half minute", async () => {
    const verify = createVerify();
    const forged = await forgeToken();
    await verify(await issueToken());
    entra.traffic.clear();

    for (let round = 0; round < 3; round++) {
      later(31 * SECOND);
      for (let n = 0; n < 5; n++) expect(await verify(forged)).toBe("JWKSNoMatchingKey");
    }
    expect([entra.traffic.count("GET", DISCOVERY), entra.traffic.count("GET", KEYS)]).toEqual([0, 3]);
  });

  test("known keys are fetched again after an hour, behind a request that does not wait for them", async () => {
    const verify = createVerify();
    await verify(await issueToken());
    const token = await issueToken();
    entra.traffic.clear();
    later(59 * 60 * SECOND);
    await verify(token);
    expect(entra.traffic.count("GET", KEYS)).toBe(0);
    later(2 * 60 * SECOND);
    entra.traffic.fail({ kind: "delay", ms: 5_000 }, { path: KEYS });

    const started = performance.now();
    expect(await verify(token)).toBe("Adele Vance");
    expect(performance.now() - started).toBeLessThan(3_000);
    await vi.waitFor(() => expect(entra.traffic.count("GET", KEYS)).toBe(1));
    expect(await verify(token)).toBe("Adele Vance");
    expect(entra.traffic.count("GET", KEYS)).toBe(1);
  });
});

describe("signing keys of an issuer that fails after they were fetched", () => {
  test("known keys go on verifying, with one attempt and one warning per half minute", async () => {
    const verify = createVerify();
    await verify(await issueToken());
    entra.traffic.clear();
    entra.traffic.fail({ kind: "reset" });

    later(3 * HOUR);
    const token = await issueToken();
    for (let n = 0; n < 3; n++) expect(await verify(token)).toBe("Adele Vance");
    await vi.waitFor(() => expect(log.lines).toHaveLength(1));
    later(31 * SECOND);
    expect(await verify(token)).toBe("Adele Vance");
    await vi.waitFor(() => expect(log.lines).toHaveLength(2));

    expect(entra.traffic.count("GET", KEYS)).toBe(2);
    expect(log.lines[0]).toEqual({
      level: "warn",
      message: "Signing keys could not be refreshed; the known ones stay in use",
      fields: { error: "TypeError" },
    });
  });

  test("garbage in place of keys does not replace the known ones", async () => {
    const verify = createVerify();
    await verify(await issueToken());
    entra.traffic.fail({ kind: "garbage" });
    later(2 * HOUR);
    const token = await issueToken();

    expect(await verify(token)).toBe("Adele Vance");
    await vi.waitFor(() => expect(log.lines).toHaveLength(1));
    expect(await verify(token)).toBe("Adele Vance");
  });

  test("an unknown key id cannot be judged, and is looked for once per half minute all the same", async () => {
    const verify = createVerify();
    const forged = await forgeToken();
    await verify(await issueToken());
    entra.traffic.clear();
    entra.traffic.fail({ kind: "status", status: 503 });
    later(31 * SECOND);

    expect(await verify(forged)).toBe("KeysUnavailableError");
    for (let n = 0; n < 5; n++) expect(await verify(forged)).toBe("JWKSNoMatchingKey");
    expect(entra.traffic.count("GET", KEYS)).toBe(1);
  });

  test("a rotation during the outage is followed when it is over", async () => {
    const verify = createVerify();
    await verify(await issueToken());
    await entra.rotateKeys();
    const token = await issueToken();
    entra.traffic.fail({ kind: "reset" });
    later(31 * SECOND);
    expect(await verify(token)).toBe("KeysUnavailableError");
    entra.traffic.recover();
    later(31 * SECOND);

    expect(await verify(token)).toBe("Adele Vance");
  });
});

describe("signing keys of an issuer that fails from the start", () => {
  test.each([
    ["is down", { kind: "reset" }],
    ["answers 500", { kind: "status", status: 500, body: { error: "server_error" } }],
    ["answers garbage", { kind: "garbage" }],
    ["hangs", { kind: "hang" }],
  ] as const)("one that %s makes them unavailable within the time limit, until it recovers", async (_how, fault) => {
    const verify = createVerify({ timeoutMs: 200 });
    const token = await issueToken();
    entra.traffic.fail(fault);

    const started = performance.now();
    expect(await verify(token)).toBe("KeysUnavailableError");
    expect(performance.now() - started).toBeLessThan(2_000);
    entra.traffic.recover();
    await vi.waitFor(async () => expect(await verify(token)).toBe("Adele Vance"));
  });

  test.each([
    ["is down", { kind: "reset" }],
    ["answers garbage", { kind: "garbage" }],
    ["hangs", { kind: "hang" }],
  ] as const)("one whose key document %s makes them unavailable, until it recovers", async (_how, fault) => {
    const verify = createVerify({ timeoutMs: 200 });
    const token = await issueToken();
    entra.traffic.fail(fault, { path: KEYS });

    expect(await verify(token)).toBe("KeysUnavailableError");
    entra.traffic.recover();
    await vi.waitFor(async () => expect(await verify(token)).toBe("Adele Vance"));
  });
});

describe("discovery document", () => {
  const issuer = () => `${entra.httpOrigin}/${CONTOSO.tenantId}/v2.0`;
  const jwksUri = (origin: string) => `${origin}/${CONTOSO.tenantId}/discovery/v2.0/keys`;

  test.each([
    ["of another issuer", () => ({ issuer: `${entra.httpOrigin}/fabrikam/v2.0`, jwks_uri: jwksUri(entra.httpOrigin) })],
    ["with keys on another origin", () => ({ issuer: issuer(), jwks_uri: jwksUri(entra.httpsOrigin) })],
    ["without keys", () => ({ issuer: issuer() })],
    ["that is empty", () => ({})],
  ])("%s is refused before any keys are fetched", async (_what, document) => {
    const verify = createVerify();
    entra.traffic.fail({ kind: "status", status: 200, body: document() }, { path: DISCOVERY });

    expect(await verify(await issueToken())).toBe("KeysUnavailableError");
    expect(entra.traffic.count("GET", KEYS)).toBe(0);
  });

  test("that is a redirect is not followed", async () => {
    const verify = createVerify();
    const elsewhere = `${issuer()}/.well-known/openid-configuration?again`;
    entra.traffic.fail({ kind: "status", status: 302, headers: { location: elsewhere } }, { path: DISCOVERY });

    expect(await verify(await issueToken())).toBe("KeysUnavailableError");
    expect(entra.traffic.requests).toHaveLength(1);
  });
});
