import { setTimeout as sleep } from "node:timers/promises";
import { exportPKCS8, generateKeyPair } from "jose";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { MICROSOFT_GRAPH_APP_ID } from "../../emulators/directory.ts";
import { type Listener, listen } from "../../emulators/kernel/listener.ts";
import { auditLine } from "../support/audit-lines.ts";
import { claimsOf, createForger, type Forger, principalHeader, userToken } from "../support/forged-tokens.ts";
import { toolCall } from "../support/mcp-messages.ts";
import { type RawAnswer, type RawHeader, sendRaw } from "../support/raw-http.ts";
import { type Stack, startStack } from "../support/stack.ts";

const OTHER_TENANT = "0f0f0f0f-1111-4222-8333-444455556666";
const ADELE = {
  userId: "87d349ed-44d7-43e1-9a83-5f2406dee5bd",
  tenantId: "5b7e1e6c-4a52-4f0e-9d0a-6a3c1f6f2d11",
  clientId: "7d3a7f0e-9b64-4c1d-8f6e-0c5b1d2e3f40",
};
const now = () => Math.floor(Date.now() / 1000);

type Reason =
  | "invalid_token"
  | "insufficient_scope"
  | "tenant_not_allowed"
  | "client_not_allowed"
  | "app_only_token"
  | "missing_token";

interface Attack {
  readonly name: string;
  readonly token: (stack: Stack, forger: Forger) => Promise<string> | string;
  /** What the server itself says. */
  readonly reason: Reason;
  /** What App Service Authentication says before: its own status, or nothing because it can't see what is wrong. */
  readonly platform: 401 | 403 | "passes it on";
  /** Whose token the audit names; unverified tokens name nobody. */
  readonly subject?: Readonly<Record<string, string>>;
}

const ATTACKS: readonly Attack[] = [
  {
    name: "a token for another audience",
    token: (stack) => userToken(stack, "AdeleV", { claims: { aud: CONTOSO.otherClientId } }),
    reason: "invalid_token",
    platform: 401,
  },
  {
    name: "a token whose audience is the server's URL, as version 1.0 would have it",
    token: (stack) => userToken(stack, "AdeleV", { claims: { aud: stack.mcpUrl } }),
    reason: "invalid_token",
    platform: 401,
  },
  {
    name: "a token of another tenant's issuer",
    token: (stack) =>
      userToken(stack, "AdeleV", {
        claims: { iss: `${stack.entra.httpOrigin}/${OTHER_TENANT}/v2.0`, tid: OTHER_TENANT },
      }),
    reason: "invalid_token",
    platform: 401,
  },
  {
    name: "a token of this tenant's issuer for a user of another tenant",
    token: (stack) => userToken(stack, "AdeleV", { claims: { tid: OTHER_TENANT } }),
    reason: "tenant_not_allowed",
    platform: "passes it on",
    subject: { ...ADELE, tenantId: OTHER_TENANT },
  },
  {
    name: "a version 1.0 token",
    token: (stack) =>
      userToken(stack, "AdeleV", {
        claims: {
          iss: `${stack.entra.httpOrigin}/sts/${CONTOSO.tenantId}/`,
          ver: "1.0",
          azp: undefined,
          appid: CONTOSO.sampleClientId,
        },
      }),
    reason: "invalid_token",
    platform: 401,
  },
  {
    name: "a token that says version 1.0 under the version 2.0 issuer",
    token: (stack) => userToken(stack, "AdeleV", { claims: { ver: "1.0" } }),
    reason: "invalid_token",
    platform: "passes it on",
  },
  {
    name: "a token that expired two minutes ago",
    token: (stack) => userToken(stack, "AdeleV", { claims: { exp: now() - 120 } }),
    reason: "invalid_token",
    platform: 401,
  },
  {
    name: "a token that is valid from two minutes from now on",
    token: (stack) => userToken(stack, "AdeleV", { claims: { nbf: now() + 120 } }),
    reason: "invalid_token",
    platform: 401,
  },
  {
    name: "a token that never expires",
    token: (stack) => userToken(stack, "AdeleV", { claims: { exp: undefined } }),
    reason: "invalid_token",
    platform: 401,
  },
  {
    name: "a token without a signature (alg none)",
    token: async (stack, forger) => forger.unsigned(claimsOf(await userToken(stack)), { alg: "none", typ: "JWT" }),
    reason: "invalid_token",
    platform: 401,
  },
  {
    name: "a token without a signature that names the key (alg nOnE)",
    token: async (stack, forger) =>
      forger.unsigned(claimsOf(await userToken(stack)), { alg: "nOnE", kid: forger.published.kid }),
    reason: "invalid_token",
    platform: 401,
  },
  {
    name: "HS256 with the public key in PEM as the secret",
    token: async (stack, forger) =>
      forger.signWithSecret(claimsOf(await userToken(stack)), forger.publishedPem, { kid: forger.published.kid }),
    reason: "invalid_token",
    platform: 401,
  },
  {
    name: "HS256 with the public key's modulus as the secret",
    token: async (stack, forger) =>
      forger.signWithSecret(claimsOf(await userToken(stack)), forger.published.n ?? "", { kid: forger.published.kid }),
    reason: "invalid_token",
    platform: 401,
  },
  {
    name: "a foreign key under a key id that nobody knows",
    token: async (stack, forger) => forger.sign(claimsOf(await userToken(stack)), { kid: "nobody-knows-this" }),
    reason: "invalid_token",
    platform: 401,
  },
  {
    name: "a foreign key under the key id of the published one",
    token: async (stack, forger) => forger.sign(claimsOf(await userToken(stack)), { kid: forger.published.kid }),
    reason: "invalid_token",
    platform: 401,
  },
  {
    name: "a foreign key without a key id",
    token: async (stack, forger) => forger.sign(claimsOf(await userToken(stack)), {}),
    reason: "invalid_token",
    platform: 401,
  },
  {
    name: "a foreign key that comes along in the header (jwk)",
    token: async (stack, forger) =>
      forger.sign(claimsOf(await userToken(stack)), { kid: forger.published.kid, jwk: forger.own }),
    reason: "invalid_token",
    platform: 401,
  },
  {
    name: "a header that makes its own extension critical (crit)",
    token: async (stack, forger) =>
      forger.sign(claimsOf(await userToken(stack)), { kid: forger.published.kid, crit: ["b64"], b64: true }),
    reason: "invalid_token",
    platform: 401,
  },
  {
    name: "claims that were changed after signing",
    token: async (stack) => {
      const [header, payload, signature] = (await userToken(stack)).split(".");
      const changed = { ...claimsOf(`.${payload}.`), oid: "48d31887-5fad-4d73-a9f5-3c356e68a038" };
      return `${header}.${Buffer.from(JSON.stringify(changed)).toString("base64url")}.${signature}`;
    },
    reason: "invalid_token",
    platform: 401,
  },
  {
    name: "a token cut short",
    token: async (stack) => (await userToken(stack)).slice(0, -20),
    reason: "invalid_token",
    platform: 401,
  },
  {
    name: "a token without its last part",
    token: async (stack) => (await userToken(stack)).split(".").slice(0, 2).join("."),
    reason: "invalid_token",
    platform: 401,
  },
  { name: "text that is no token", token: () => "opaque", reason: "invalid_token", platform: 401 },
  {
    name: "a token whose payload is null",
    token: (_stack, forger) => forger.unsigned({}, { alg: "RS256" }).replace(/\..*/, ".bnVsbA.x"),
    reason: "invalid_token",
    platform: 401,
  },
  {
    name: "a token whose payload is no JSON",
    token: (_stack, forger) => forger.unsigned({}, { alg: "RS256" }).replace(/\..*/, ".e29vcHM.x"),
    reason: "invalid_token",
    platform: 401,
  },
  {
    name: "an id token of the client",
    token: (stack) => stack.entra.issueIdToken({ user: "AdeleV", client: CONTOSO.sampleClientId }),
    reason: "invalid_token",
    platform: 401,
  },
  {
    name: "an id token of the server's own sign-in",
    token: (stack) => stack.entra.issueIdToken({ user: "AdeleV", client: CONTOSO.serverAppId }),
    reason: "invalid_token",
    platform: 403,
  },
  {
    name: "a token for Microsoft Graph",
    token: (stack) =>
      stack.entra.issueAccessToken({
        user: "AdeleV",
        client: CONTOSO.sampleClientId,
        scope: `${stack.graph.origin}/User.Read`,
      }),
    reason: "invalid_token",
    platform: 401,
  },
  {
    name: "a token for Microsoft Graph by its app id",
    token: (stack) => userToken(stack, "AdeleV", { claims: { aud: MICROSOFT_GRAPH_APP_ID } }),
    reason: "invalid_token",
    platform: 401,
  },
  {
    name: "the managed identity's token for the exchange",
    token: async (stack) =>
      (
        await stack.entra.issueManagedIdentityToken(
          { clientId: CONTOSO.managedIdentityClientId, principalId: CONTOSO.managedIdentityPrincipalId },
          "api://AzureADTokenExchange",
        )
      ).token,
    reason: "invalid_token",
    platform: 401,
  },
  {
    name: "the managed identity's token for this server",
    token: async (stack) =>
      (
        await stack.entra.issueManagedIdentityToken(
          { clientId: CONTOSO.managedIdentityClientId, principalId: CONTOSO.managedIdentityPrincipalId },
          CONTOSO.serverAppId,
        )
      ).token,
    reason: "client_not_allowed",
    platform: 403,
    subject: {
      userId: "9a8b7c6d-5e4f-4a3b-8c2d-1e0f9a8b7c6d",
      tenantId: ADELE.tenantId,
      clientId: "2f8e4d6a-1b3c-4d5e-8f90-a1b2c3d4e5f6",
    },
  },
  {
    name: "an app-only token of an allowed client",
    token: (stack) =>
      stack.entra.issueAppToken({
        client: CONTOSO.sampleClientId,
        resource: stack.mcpUrl,
        claims: { oid: "11111111-2222-4333-8444-555555555555", roles: ["Mcp.Write"] },
      }),
    reason: "app_only_token",
    platform: "passes it on",
    subject: {
      userId: "11111111-2222-4333-8444-555555555555",
      tenantId: ADELE.tenantId,
      clientId: ADELE.clientId,
    },
  },
  {
    name: "a token of a client that is not on the list",
    token: (stack) => userToken(stack, "AdeleV", { client: CONTOSO.otherClientId }),
    reason: "client_not_allowed",
    platform: 403,
    subject: { ...ADELE, clientId: "e9d8c7b6-a5f4-4e3d-9c2b-1a0f9e8d7c60" },
  },
  {
    name: "a token that names an allowed client only as appid",
    token: (stack) =>
      userToken(stack, "AdeleV", {
        client: CONTOSO.otherClientId,
        claims: { azp: undefined, appid: CONTOSO.sampleClientId },
      }),
    reason: "invalid_token",
    platform: "passes it on",
  },
  {
    name: "a token without the user's object id",
    token: (stack) => userToken(stack, "AdeleV", { claims: { oid: undefined } }),
    reason: "invalid_token",
    platform: "passes it on",
  },
  {
    name: "a token without the server's scope",
    token: (stack) => userToken(stack, "AdeleV", { claims: { scp: "profile user_impersonation_not" } }),
    reason: "insufficient_scope",
    platform: "passes it on",
    subject: ADELE,
  },
  {
    name: "a token with an empty scope",
    token: (stack) => userToken(stack, "AdeleV", { claims: { scp: "" } }),
    reason: "insufficient_scope",
    platform: "passes it on",
    subject: ADELE,
  },
];

const INVALID = "The access token is not valid for this server.";

/** What of an answer is compared. */
interface Seen {
  readonly status: number;
  readonly challenge: string | undefined;
  readonly type: string | undefined;
  readonly body: unknown;
}

function seen({ status, headers, body }: RawAnswer): Seen {
  return {
    status,
    challenge: headers["www-authenticate"],
    type: headers["content-type"],
    body: body === "" ? "" : (JSON.parse(body) as unknown),
  };
}

/** The server's own refusal. */
function refused(mcpUrl: string, reason: Reason, description = INVALID): Seen {
  const metadata = mcpUrl.replace(/\/mcp$/, "/.well-known/oauth-protected-resource/mcp");
  const challenged = (status: number, error: string, text: string): Seen => ({
    status,
    challenge: `Bearer error="${error}", error_description="${text}", scope="${mcpUrl}/user_impersonation", resource_metadata="${metadata}"`,
    type: "application/json; charset=utf-8",
    body: { error, error_description: text },
  });
  const forbidden = (detail: string): Seen => ({
    status: 403,
    challenge: undefined,
    type: "application/problem+json; charset=utf-8",
    body: { title: "Forbidden", status: 403, detail, requestId: expect.stringMatching(/^[\da-f-]{36}$/) as unknown },
  });
  const answers: Readonly<Record<Reason, Seen>> = {
    missing_token: challenged(401, "invalid_token", description),
    invalid_token: challenged(401, "invalid_token", description),
    insufficient_scope: challenged(403, "insufficient_scope", "The access token lacks the scope of this server."),
    tenant_not_allowed: forbidden("Users of this tenant may not use this server."),
    client_not_allowed: forbidden("This client application may not use this server."),
    app_only_token: forbidden("This server acts for a signed-in user; app-only tokens have none."),
  };
  return answers[reason];
}

/** The platform's refusal, which the server never hears of. */
function refusedByPlatform(mcpUrl: string, status: 401 | 403): Seen {
  const { host, origin } = new URL(mcpUrl);
  const challenge = `Bearer realm="${host}", scope="${origin}/mcp/user_impersonation", resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"`;
  return { status, challenge: status === 401 ? challenge : undefined, type: undefined, body: "" };
}

/** Requests to Graph, and for a token in a caller's name, since they were last cleared. */
function requestsBehind({ graph, entra, managedIdentity }: Stack): number {
  const assertions = managedIdentity.traffic.count("GET", /AzureADTokenExchange/);
  return graph.traffic.requests.length + assertions + entra.traffic.count("POST", /token/);
}

describe.each([
  { mode: "bearer", way: "straight to the server" },
  { mode: "easy-auth", way: "past App Service, with a principal header that agrees" },
] as const)("AUTH_MODE=$mode, $way", ({ mode }) => {
  let stack: Stack;
  let forger: Forger;
  beforeAll(async () => {
    stack = await startStack(mode);
    forger = await createForger(stack);
  });
  afterAll(() => stack.close());
  beforeEach(() => {
    for (const { traffic } of [stack.graph, stack.entra, stack.managedIdentity]) traffic.clear();
  });

  /** The headers that App Service would have added for the token, whatever it says. */
  const identity = (token: string): RawHeader[] => {
    if (mode === "bearer") return [];
    let claims: Readonly<Record<string, unknown>> | null = {};
    try {
      claims = claimsOf(token);
    } catch {}
    return [["X-MS-CLIENT-PRINCIPAL", principalHeader(claims ?? {})]];
  };

  const send = (token: string, headers: readonly RawHeader[], target = "/mcp") => {
    const message = toolCall("get_my_profile");
    return sendRaw(stack.serverOrigin, {
      target,
      headers: [...headers, ...identity(token), ...message.headers],
      body: message.body,
    });
  };

  test("a good token is let through, so that every refusal below is the token's own", async () => {
    const token = await userToken(stack);
    const answer = await send(token, [["Authorization", `Bearer ${token}`]]);

    expect(answer.status).toBe(200);
    expect(answer.body).toContain("AdeleV@contoso.com");
    expect(stack.graph.traffic.requests).toHaveLength(1);
  });

  test.each(ATTACKS)("$name is refused as $reason, and the audit says so", async ({ token: make, reason, subject }) => {
    const token = await make(stack, forger);
    const answer = await send(token, [["Authorization", `Bearer ${token}`]]);

    expect(seen(answer)).toEqual(refused(stack.mcpUrl, reason));
    expect(await auditLine(stack, answer.headers["x-request-id"])).toEqual({
      audit: "sign_in",
      decision: "denied",
      reason,
      ...subject,
    });
    expect(requestsBehind(stack)).toBe(0);
  });

  test("a token that expired within the tolerance for clocks is refused", async () => {
    const token = await userToken(stack, "AdeleV", { claims: { exp: now() - 30 } });
    const answer = await send(token, [["Authorization", `Bearer ${token}`]]);

    expect(seen(answer)).toEqual(refused(stack.mcpUrl, "invalid_token", "Token has expired"));
    expect(await auditLine(stack, answer.headers["x-request-id"])).toMatchObject({ reason: "invalid_token" });
    expect(requestsBehind(stack)).toBe(0);
  });

  test("a token that was good a moment ago is refused once it has expired", async () => {
    const token = await userToken(stack, "AdeleV", { claims: { exp: now() + 3 } });
    expect((await send(token, [["Authorization", `Bearer ${token}`]])).status).toBe(200);
    await sleep(4_100);
    stack.graph.traffic.clear();

    expect((await send(token, [["Authorization", `Bearer ${token}`]])).status).toBe(401);
    expect(stack.graph.traffic.requests).toEqual([]);
  });

  test("a token that was good a moment ago is refused with one character changed", async () => {
    const token = await userToken(stack);
    expect((await send(token, [["Authorization", `Bearer ${token}`]])).status).toBe(200);
    for (const at of [5, token.indexOf(".") + 20, token.length - 20]) {
      const other = token[at] === "A" ? "B" : "A";
      const changed = `${token.slice(0, at)}${other}${token.slice(at + 1)}`;

      expect((await send(token, [["Authorization", `Bearer ${changed}`]])).status).toBe(401);
    }
  });

  test.each([
    { name: "'Bearer' alone", value: "Bearer" },
    { name: "'Bearer' and a space", value: "Bearer " },
    { name: "another scheme", value: "Basic QWRlbGVWOnBhc3N3b3Jk" },
    { name: "a token without a scheme", value: undefined },
  ])("an Authorization header of $name is refused", async ({ value }) => {
    const token = await userToken(stack);
    const answer = await send(token, [["Authorization", value ?? token]]);

    expect(seen(answer)).toEqual(
      refused(stack.mcpUrl, "invalid_token", "Invalid Authorization header format, expected 'Bearer TOKEN'"),
    );
    expect(await auditLine(stack, answer.headers["x-request-id"])).toEqual({
      audit: "sign_in",
      decision: "denied",
      reason: "invalid_token",
    });
    expect(requestsBehind(stack)).toBe(0);
  });

  test.each([
    { name: "no Authorization header", headers: [] },
    { name: "an empty Authorization header", headers: [["Authorization", ""]] as const },
  ])("$name is answered with a challenge", async ({ headers }) => {
    const answer = await send(await userToken(stack), headers);

    expect(seen(answer)).toEqual(refused(stack.mcpUrl, "missing_token", "Missing Authorization header"));
    expect(await auditLine(stack, answer.headers["x-request-id"])).toEqual({
      audit: "sign_in",
      decision: "denied",
      reason: "missing_token",
    });
    expect(requestsBehind(stack)).toBe(0);
  });

  test("a token in the query string or in the body is ignored", async () => {
    const token = await userToken(stack);
    const inQuery = await send(token, [], `/mcp?access_token=${token}&authorization=Bearer%20${token}`);
    expect(seen(inQuery)).toEqual(refused(stack.mcpUrl, "missing_token", "Missing Authorization header"));

    const inBody = await sendRaw(stack.serverOrigin, {
      headers: [["Content-Type", "application/x-www-form-urlencoded"], ...identity(token)],
      body: `access_token=${token}`,
    });
    expect(seen(inBody)).toEqual(refused(stack.mcpUrl, "missing_token", "Missing Authorization header"));
    expect(requestsBehind(stack)).toBe(0);
  });

  test.each([
    { name: "a good one first", order: (good: string, bad: string) => [good, bad] },
    { name: "a good one last", order: (good: string, bad: string) => [bad, good] },
    { name: "the same good one twice", order: (good: string) => [good, good] },
  ])("two Authorization headers, $name, are refused", async ({ order }) => {
    const token = await userToken(stack);
    const headers = order(token, await userToken(stack, "MiriamG")).map(
      (value) => ["Authorization", `Bearer ${value}`] as const,
    );
    const answer = await send(token, headers);

    expect(seen(answer)).toEqual(
      refused(stack.mcpUrl, "invalid_token", "The request has more than one Authorization header."),
    );
    expect(await auditLine(stack, answer.headers["x-request-id"])).toMatchObject({ reason: "invalid_token" });
    expect(requestsBehind(stack)).toBe(0);
  });

  test("keys that a token says to fetch elsewhere (jku, x5u) are not fetched", async () => {
    const visits: string[] = [];
    const attacker: Listener = await listen("the attacker's key server", (req, res) => {
      visits.push(req.url ?? "");
      res.end(JSON.stringify({ keys: [{ ...forger.own, kid: "mine", use: "sig", alg: "RS256" }] }));
    });
    const claims = claimsOf(await userToken(stack));
    const elsewhere = { jku: `${attacker.origin}/keys`, x5u: `${attacker.origin}/certificate` };
    for (const kid of ["mine", forger.published.kid, undefined]) {
      const token = await forger.sign(claims, { ...elsewhere, ...(kid === undefined ? {} : { kid }) });
      expect(seen(await send(token, [["Authorization", `Bearer ${token}`]]))).toEqual(
        refused(stack.mcpUrl, "invalid_token"),
      );
    }
    // An issuer that serves its own discovery document and keys.
    const foreign = await forger.sign(
      { ...claims, iss: `${attacker.origin}/${CONTOSO.tenantId}/v2.0` },
      { kid: "mine" },
    );
    expect(seen(await send(foreign, [["Authorization", `Bearer ${foreign}`]]))).toEqual(
      refused(stack.mcpUrl, "invalid_token"),
    );
    await attacker.close();

    expect(visits).toEqual([]);
    expect(requestsBehind(stack)).toBe(0);
  });

  test("a flood of unknown key ids makes the server fetch Entra's keys at most once", async () => {
    const claims = claimsOf(await userToken(stack));
    const tokens = await Promise.all(
      Array.from({ length: 40 }, (_value, index) => forger.sign(claims, { kid: `flood-${index}` })),
    );
    const answers = await Promise.all(tokens.map((token) => send(token, [["Authorization", `Bearer ${token}`]])));

    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 40 }, () => 401));
    expect(stack.entra.traffic.count("GET", /discovery\/v2\.0\/keys/)).toBeLessThanOrEqual(1);
  });

  test("the client's private key in the token's header is not written down", async () => {
    const { privateKey } = await generateKeyPair("RS256", { extractable: true });
    const pem = await exportPKCS8(privateKey);
    const token = await forger.sign(claimsOf(await userToken(stack)), { kid: pem });
    expect((await send(token, [["Authorization", `Bearer ${token}`]])).status).toBe(401);
    expect(stack.server.output()).not.toContain(pem.slice(40, 80));
  });
});

describe("AUTH_MODE=easy-auth, through App Service", () => {
  let stack: Stack;
  let forger: Forger;
  beforeAll(async () => {
    stack = await startStack("easy-auth");
    forger = await createForger(stack);
  });
  afterAll(() => stack.close());
  beforeEach(() => {
    for (const { traffic } of [stack.graph, stack.entra, stack.managedIdentity]) traffic.clear();
  });

  const send = (headers: readonly RawHeader[]) => {
    const message = toolCall("get_my_profile");
    return sendRaw(new URL(stack.mcpUrl).origin, { headers: [...headers, ...message.headers], body: message.body });
  };

  const platforms = ATTACKS.filter(({ platform }) => platform !== "passes it on");
  const ours = ATTACKS.filter(({ platform }) => platform === "passes it on");

  test.each(platforms)("$name ends at the platform with $platform", async ({ token: make, platform }) => {
    const answer = await send([["Authorization", `Bearer ${await make(stack, forger)}`]]);

    expect(seen(answer)).toEqual(refusedByPlatform(stack.mcpUrl, platform === 403 ? 403 : 401));
    expect(answer.headers["x-request-id"]).toBeUndefined();
    expect(requestsBehind(stack)).toBe(0);
  });

  test.each(ours)("$name passes the platform and is refused as $reason", async ({ token: make, reason, subject }) => {
    const answer = await send([["Authorization", `Bearer ${await make(stack, forger)}`]]);

    expect(seen(answer)).toEqual(refused(stack.mcpUrl, reason));
    expect(await auditLine(stack, answer.headers["x-request-id"])).toEqual({
      audit: "sign_in",
      decision: "denied",
      reason,
      ...subject,
    });
    expect(requestsBehind(stack)).toBe(0);
  });
});

describe("ALLOWED_TENANTS with two tenants", () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack("bearer", { ALLOWED_TENANTS: `${CONTOSO.tenantId},${OTHER_TENANT}` });
  });
  afterAll(() => stack.close());

  test("one tenant's issuer cannot vouch for a user of the other", async () => {
    const token = await userToken(stack, "AdeleV", { claims: { tid: OTHER_TENANT } });
    const message = toolCall("get_my_profile");
    const answer = await sendRaw(stack.serverOrigin, {
      headers: [["Authorization", `Bearer ${token}`], ...message.headers],
      body: message.body,
    });

    expect(seen(answer)).toEqual(refused(stack.mcpUrl, "tenant_not_allowed"));
    expect(stack.graph.traffic.requests).toEqual([]);
  });
});
