import { randomUUID } from "node:crypto";
import { decodeJwt } from "jose";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test, vi } from "vitest";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { MICROSOFT_GRAPH_APP_ID } from "../../emulators/directory.ts";
import { type LocalCloud, startLocalCloud } from "../../emulators/local-cloud.ts";
import { createOnBehalfOf, type OnBehalfOfOptions } from "../../src/auth/on-behalf-of.ts";
import type { Caller } from "../../src/auth/principal.ts";
import type { AcquireGraphToken } from "../../src/graph/graph.ts";
import { ToolError } from "../../src/mcp/tool-error.ts";
import { createManagedIdentity, createOnBehalfOfCredential } from "../../src/platform/azure-credentials.ts";
import { ADELE, callerWith } from "../support/callers.ts";
import { createRecordedLog, type RecordedLog } from "../support/recorded-log.ts";

const TOKEN_ENDPOINT = /oauth2\/v2\.0\/token/;
/** Of the exchanges that are to fail. */
const TIMEOUT_MS = 500;
const ALL = ["MailboxSettings.Read", "People.Read", "User.Read", "User.ReadBasic.All"];
const ADMIN_CONSENT = "https://entra.example/admin-consent";
const SIGN_IN = "https://mcp.contoso.example/.auth/login/aad";

let cloud: LocalCloud;
let log: RecordedLog;
let consents: LocalCloud["tenant"]["grants"];

beforeAll(async () => {
  cloud = await startLocalCloud({ certificates: inject("certificates"), serverOrigin: "http://localhost:3000" });
  for (const [name, value] of Object.entries(cloud.managedIdentity.environment())) vi.stubEnv(name, value);
  consents = [...cloud.tenant.grants];
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await cloud.close();
});
beforeEach(() => {
  log = createRecordedLog();
  cloud.entra.traffic.clear();
  cloud.managedIdentity.traffic.clear();
});
afterEach(() => {
  cloud.entra.traffic.recover();
  cloud.managedIdentity.traffic.recover();
  cloud.tenant.grants = [...consents];
});

/** The exchange as the server makes it. */
function createAcquire(options: Partial<OnBehalfOfOptions> = {}, managedIdentityClientId?: string): AcquireGraphToken {
  const settings = {
    authorityHost: cloud.entra.httpsOrigin,
    instanceDiscovery: false,
    managedIdentityClientId: managedIdentityClientId ?? CONTOSO.managedIdentityClientId,
  };
  return createOnBehalfOf({
    clientId: CONTOSO.serverAppId,
    managedIdentity: createManagedIdentity(settings),
    createCredential: (exchange) => createOnBehalfOfCredential(settings, exchange),
    exchangeAudience: "api://AzureADTokenExchange",
    graphResource: cloud.graph.origin,
    allPermissions: () => ALL,
    links: { adminConsent: (tenantId) => `${ADMIN_CONSENT}/${tenantId}` },
    timeoutMs: 8_000,
    log,
    ...options,
  });
}

/**
 * The SDK keeps tokens of a managed identity for the whole process: a test in which the endpoint must be asked needs an
 * identity of its own. `trusted`: whether the app registration has a federated credential for it.
 */
function addManagedIdentity({ trusted }: { readonly trusted: boolean }): string {
  const identity = { clientId: randomUUID(), principalId: randomUUID() };
  const server = cloud.tenant.applications.find(({ appId }) => appId === CONTOSO.serverAppId);
  cloud.tenant.managedIdentities.push(identity);
  if (trusted) {
    server?.federatedIdentityCredentials.push({
      name: identity.clientId,
      issuer: `${cloud.entra.httpOrigin}/${CONTOSO.tenantId}/v2.0`,
      subject: identity.principalId,
      audiences: ["api://AzureADTokenExchange"],
    });
  }
  return identity.clientId;
}

async function signIn(user = "AdeleV", options: { mfa?: boolean; claims?: Record<string, unknown> } = {}) {
  const scope = `${cloud.mcpUrl}/user_impersonation`;
  const token = await cloud.entra.issueAccessToken({ user, client: CONTOSO.sampleClientId, scope, ...options });
  return callerWith(token, { ...ADELE, userId: String(decodeJwt(token)["oid"]) });
}

const signal = new AbortController().signal;
const exchanges = () => cloud.entra.traffic.count("POST", TOKEN_ENDPOINT);

async function refusal(acquire: AcquireGraphToken, caller: Caller, permissions = ["User.Read"]): Promise<ToolError> {
  const outcome = await acquire(caller, permissions, { signal }).catch((error: unknown) => error);
  if (outcome instanceof ToolError) return outcome;
  throw new Error(`Expected a ToolError, got ${String(outcome)}`);
}

describe("exchange of a user's token", () => {
  test("gives a Graph token of that user with the permissions of all tools", async () => {
    const claims = decodeJwt(await createAcquire()(await signIn("DiegoS"), ["User.Read"], { signal }));

    expect(claims).toMatchObject({
      aud: cloud.graph.origin,
      oid: "40079818-3808-4585-903b-02605f061225",
      appid: CONTOSO.serverAppId,
      scp: "MailboxSettings.Read People.Read User.Read User.ReadBasic.All",
      xms_cc: ["cp1"],
    });
  });

  test("happens once for concurrent and later calls with different permissions", async () => {
    const acquire = createAcquire();
    const caller = await signIn();

    const tokens = await Promise.all(
      Array.from({ length: 8 }, (_, n) => acquire(caller, [n % 2 ? "User.Read" : "People.Read"], { signal })),
    );
    tokens.push(await acquire(caller, ["User.ReadBasic.All"], { signal }));

    expect(new Set(tokens).size).toBe(1);
    expect(exchanges()).toBe(1);
  });

  test("happens for every user, and for every token of a user", async () => {
    const acquire = createAcquire();
    const callers = [await signIn("AdeleV"), await signIn("DiegoS"), await signIn("AdeleV")];

    const tokens = await Promise.all(callers.map((caller) => acquire(caller, ["User.Read"], { signal })));

    expect(tokens.map((token) => decodeJwt(token)["name"])).toEqual(["Adele Vance", "Diego Siciliani", "Adele Vance"]);
    expect(new Set(tokens).size).toBe(3);
    expect(exchanges()).toBe(3);
  });

  test("never sends the managed identity's or the user's token anywhere but to Entra's token endpoint", async () => {
    await createAcquire()(await signIn(), ["User.Read"], { signal });

    for (const { headers } of cloud.entra.traffic.requests) expect(headers.authorization).toBeUndefined();
    expect(cloud.graph.traffic.requests).toEqual([]);
    expect(cloud.keyVault.traffic.requests).toEqual([]);
  });

  test("with a claims challenge goes past the cache, once for calls that meet it together, and its token is the one that is kept", async () => {
    const acquire = createAcquire();
    const caller = await signIn();
    const first = await acquire(caller, ["User.Read"], { signal });
    const claims = '{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}';

    const [second, same] = await Promise.all([
      acquire(caller, ["User.Read"], { signal, claims }),
      acquire(caller, ["User.Read"], { signal, claims }),
    ]);
    const third = await acquire(caller, ["User.Read"], { signal });

    expect(second).not.toBe(first);
    expect(same).toBe(second);
    expect(third).toBe(second);
    expect(exchanges()).toBe(2);
  });

  test.each([
    ["a minute longer than five minutes is kept", 360, 1],
    ["less than five minutes is used once and not kept", 299, 2],
  ])("whose result lives %s", async (_situation, expires_in, expected) => {
    const acquire = createAcquire();
    const caller = await signIn();
    const access_token = await cloud.entra.issueAccessToken({
      user: "AdeleV",
      client: CONTOSO.serverAppId,
      scope: `${cloud.graph.origin}/User.Read`,
    });
    const scope = ALL.map((permission) => `${cloud.graph.origin}/${permission}`).join(" ");
    const body = { token_type: "Bearer", expires_in, access_token, scope };
    cloud.entra.traffic.fail({ kind: "status", status: 200, body }, { path: TOKEN_ENDPOINT });

    for (let n = 0; n < 2; n++) expect(await acquire(caller, ["User.Read"], { signal })).toBe(access_token);
    expect(exchanges()).toBe(expected);
  });

  test("is repeated for the user that was asked for least recently, once 10,000 others were kept", async () => {
    const expiresOnTimestamp = Date.now() + 3_600_000;
    let asked = 0;
    const acquire = createAcquire({
      createCredential: ({ userAssertion }) => ({
        async getToken() {
          asked += 1;
          return { token: `for ${userAssertion}`, expiresOnTimestamp };
        },
      }),
    });
    const get = (user: number) => acquire(callerWith(`user ${user}`), ["User.Read"], { signal });
    for (let user = 0; user < 10_001; user++) await get(user);

    expect(await get(1)).toBe("for user 1");
    expect(asked).toBe(10_001);
    expect(await get(0)).toBe("for user 0");
    expect(asked).toBe(10_002);
  });
});

describe("exchange for a user who consented to a part of the permissions", () => {
  const consentTo = (...scopes: string[]) => {
    cloud.tenant.grants = cloud.tenant.grants.filter(({ userId }) => userId !== ADELE.userId);
    cloud.tenant.grants.push({
      clientAppId: CONTOSO.serverAppId,
      resourceAppId: MICROSOFT_GRAPH_APP_ID,
      userId: ADELE.userId,
      scopes,
    });
  };

  test("asks for a tool's own permissions instead, and remembers to", async () => {
    consentTo("User.Read");
    const acquire = createAcquire();
    const caller = await signIn();

    const token = await acquire(caller, ["User.Read"], { signal });
    expect(decodeJwt(token)["scp"]).toBe("User.Read");
    expect(exchanges()).toBe(2);
    expect(await acquire(caller, ["User.Read"], { signal })).toBe(token);
    expect(exchanges()).toBe(2);
  });

  test("is refused for a tool whose permissions are not among them, and works after the consent", async () => {
    consentTo("User.Read");
    const acquire = createAcquire();
    const caller = await signIn();

    expect((await refusal(acquire, caller, ["People.Read"])).code).toBe("consent_required");
    consentTo("User.Read", "People.Read");
    expect(decodeJwt(await acquire(caller, ["People.Read"], { signal }))["scp"]).toBe("People.Read");
  });
});

describe("refusal by Entra", () => {
  test("for want of consent names the permissions and where an administrator allows them", async () => {
    expect(await refusal(createAcquire(), await signIn("LeeG"), ["User.Read", "People.Read"])).toMatchObject({
      code: "consent_required",
      message:
        "Nobody has allowed this server to use User.Read, People.Read of Microsoft Graph for you. " +
        `An administrator can allow it for everyone: ${ADMIN_CONSENT}/${CONTOSO.tenantId} . Then try again.`,
      meta: { aadsts: "AADSTS65001", adminConsentUrl: `${ADMIN_CONSENT}/${CONTOSO.tenantId}` },
    });
  });

  test("for want of consent also names where people allow them themselves, if there is such a place", async () => {
    const acquire = createAcquire({ links: { signIn: SIGN_IN, adminConsent: () => ADMIN_CONSENT } });

    expect(await refusal(acquire, await signIn("LeeG"))).toMatchObject({
      code: "consent_required",
      message:
        "Nobody has allowed this server to use User.Read of Microsoft Graph for you. " +
        `Allow it yourself: ${SIGN_IN} . An administrator can allow it for everyone: ${ADMIN_CONSENT} . Then try again.`,
      meta: { aadsts: "AADSTS65001", adminConsentUrl: ADMIN_CONSENT, consentUrl: SIGN_IN },
    });
  });

  test("for want of a second factor carries the claims, once per call, and ends with a sign-in that has one", async () => {
    const acquire = createAcquire();

    const error = await refusal(acquire, await signIn("MeganB"));
    expect(error.code).toBe("interaction_required");
    expect(error.message).toContain("multi-factor authentication");
    expect(JSON.parse(String(error.meta["claims"]))).toEqual({
      access_token: { capolids: { essential: true, values: ["b1c7a0de-52c4-4d35-9d6a-7f0e2c8a9b13"] } },
    });
    expect(exchanges()).toBe(1);
    const token = await acquire(await signIn("MeganB", { mfa: true }), ["User.Read"], { signal });
    expect(decodeJwt(token)["name"]).toBe("Megan Bowen");
  });

  test("of an expired user token asks for another sign-in", async () => {
    const caller = await signIn("AdeleV", { claims: { exp: Math.floor(Date.now() / 1000) - 60 } });

    expect(await refusal(createAcquire(), caller)).toMatchObject({
      code: "interaction_required",
      message: "Entra ID does not accept your sign-in for Microsoft Graph any more (AADSTS500133). Sign in again.",
      meta: { aadsts: "AADSTS500133" },
    });
    expect(log.lines).toEqual([
      {
        level: "info",
        message: "Entra ID refused to act on behalf of a user",
        fields: { error: "invalid_grant", aadsts: "AADSTS500133" },
      },
    ]);
  });

  test.each<[string, string, () => AcquireGraphToken]>([
    [
      "a managed identity that the registration does not trust",
      "AADSTS700213",
      () => createAcquire({}, addManagedIdentity({ trusted: false })),
    ],
    [
      "a federated credential for another audience",
      "AADSTS7002121",
      () => createAcquire({ exchangeAudience: "api://AzureADTokenExchangeUSGov" }),
    ],
    ["an unknown application", "AADSTS700016", () => createAcquire({ clientId: randomUUID() })],
    ["an unknown permission", "AADSTS650053", () => createAcquire({ allPermissions: () => ["User.Fly"] })],
    ["an unknown Graph", "AADSTS500011", () => createAcquire({ graphResource: "https://graph.contoso.example" })],
  ])("of %s is the administrator's affair (%s) and is logged as an error", async (_what, aadsts, create) => {
    expect(await refusal(create(), await signIn())).toMatchObject({
      code: "misconfigured",
      message: `This server is not set up to use Microsoft Graph (${aadsts}). Tell its administrator.`,
      meta: { aadsts },
    });
    expect(log.lines).toMatchObject([
      {
        level: "error",
        message: "Entra ID does not accept this server's own identity; check its federated credential",
        fields: { aadsts },
      },
    ]);
  });

  test("is not kept: the same call works after the reason is gone", async () => {
    const acquire = createAcquire();
    const caller = await signIn("LeeG");
    expect((await refusal(acquire, caller)).code).toBe("consent_required");
    cloud.tenant.grants.push({
      clientAppId: CONTOSO.serverAppId,
      resourceAppId: MICROSOFT_GRAPH_APP_ID,
      userId: caller.principal.userId,
      scopes: ALL,
    });

    expect(decodeJwt(await acquire(caller, ["User.Read"], { signal }))["name"]).toBe("Lee Gu");
  });

  test("tells the caller nothing of Entra's own text, and the log nothing of the caller", async () => {
    const caller = await signIn("LeeG");
    const error = await refusal(createAcquire(), caller);

    expect(JSON.stringify([error.message, error.meta])).not.toMatch(/Trace ID|Correlation ID|has not consented/);
    expect(JSON.stringify(log.lines)).not.toContain(caller.principal.userId);
  });
});

const UNAVAILABLE = {
  code: "unavailable",
  message: "Sign-in to Microsoft Graph failed for now. Try again in a minute.",
  meta: {},
};

const FAILURES = [
  ["cuts connections", { kind: "reset" }],
  ["hangs", { kind: "hang" }],
  ["answers garbage", { kind: "garbage" }],
  ["answers 500", { kind: "status", status: 500, body: { error: "server_error" } }],
  ["answers 503 in HTML", { kind: "status", status: 503, body: "<h1>Our services aren't available right now</h1>" }],
] as const;

describe("exchange while Entra fails", () => {
  test.each(FAILURES)("ends as unavailable within the time limit when Entra %s, and recovers", async (_how, fault) => {
    const acquire = createAcquire({ timeoutMs: TIMEOUT_MS });
    const caller = await signIn();
    cloud.entra.traffic.fail(fault);

    const started = performance.now();
    expect(await refusal(acquire, caller)).toMatchObject(UNAVAILABLE);
    expect(performance.now() - started).toBeLessThan(TIMEOUT_MS + 1_500);
    expect(log.lines).toMatchObject([
      { level: "warn", message: "Entra ID or the managed identity endpoint could not be reached" },
    ]);

    cloud.entra.traffic.recover();
    await vi.waitFor(async () => {
      expect(decodeJwt(await acquire(caller, ["User.Read"], { signal }))["name"]).toBe("Adele Vance");
    });
  });

  test("goes on for users whose tokens are kept", async () => {
    const acquire = createAcquire();
    const caller = await signIn();
    const token = await acquire(caller, ["User.Read"], { signal });
    cloud.entra.traffic.fail({ kind: "reset" });

    expect(await acquire(caller, ["User.Read"], { signal })).toBe(token);
  });
});

describe("exchange while the managed identity endpoint fails", () => {
  test.each(FAILURES)("ends as unavailable within the time limit when it %s, and recovers", async (_how, fault) => {
    const acquire = createAcquire({ timeoutMs: TIMEOUT_MS }, addManagedIdentity({ trusted: true }));
    const caller = await signIn();
    cloud.managedIdentity.traffic.fail(fault);

    const started = performance.now();
    expect(await refusal(acquire, caller)).toMatchObject(UNAVAILABLE);
    expect(performance.now() - started).toBeLessThan(TIMEOUT_MS + 1_500);

    cloud.managedIdentity.traffic.recover();
    await vi.waitFor(async () => {
      expect(decodeJwt(await acquire(caller, ["User.Read"], { signal }))["name"]).toBe("Adele Vance");
    });
  });
});

describe("exchange whose caller goes away", () => {
  test("is not disturbed for the others who wait for it", async () => {
    const acquire = createAcquire();
    const caller = await signIn();
    const leaving = new AbortController();
    cloud.entra.traffic.fail({ kind: "delay", ms: 100 }, { path: TOKEN_ENDPOINT });

    const left = acquire(caller, ["User.Read"], { signal: leaving.signal });
    const stayed = acquire(caller, ["User.Read"], { signal });
    leaving.abort(new Error("gone"));

    await expect(left).rejects.toThrow("gone");
    expect(decodeJwt(await stayed)["name"]).toBe("Adele Vance");
    expect(exchanges()).toBe(1);
  });

  test("before it begins ends with the caller's own reason, and its failure harms nobody", async () => {
    const acquire = createAcquire();
    const caller = await signIn("LeeG");

    const gone = acquire(caller, ["User.Read"], { signal: AbortSignal.abort(new Error("gone")) });
    await expect(gone).rejects.toThrow("gone");
    // An unhandled rejection of the exchange would end the process, and this run.
    await vi.waitFor(() => expect(exchanges()).toBe(2));
    expect((await refusal(acquire, caller)).code).toBe("consent_required");
  });
});
