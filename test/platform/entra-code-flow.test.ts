import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { type LocalCloud, startLocalCloud } from "../../emulators/local-cloud.ts";
import { createEntraCodeFlow, type EntraCodeFlowOptions } from "../../src/platform/entra-code-flow.ts";

const FABRIKAM = "5e0a5a06-79a5-4d0d-9c5f-8d1d5e2b8a11";
const REQUEST = { nonce: "n".repeat(43), verifier: "v".repeat(43) };
const TOKEN_PATH = /\/oauth2\/v2\.0\/token/;

let cloud: LocalCloud;
beforeAll(async () => {
  const certificates = inject("certificates");
  cloud = await startLocalCloud({ certificates, serverOrigin: "http://localhost:1", broker: true });
});
afterEach(() => cloud.entra.traffic.recover());
afterAll(() => cloud.close());

const issuerOf = (tenantId: string) => `${cloud.entra.httpOrigin}/${tenantId}/v2.0`;

function open(changes: Partial<EntraCodeFlowOptions> & { readonly authorityHost?: string } = {}) {
  const { authorityHost = cloud.entra.httpsOrigin, ...rest } = changes;
  return createEntraCodeFlow({
    identity: { authorityHost, instanceDiscovery: false, managedIdentityClientId: CONTOSO.managedIdentityClientId },
    clientId: CONTOSO.serverAppId,
    tenantId: CONTOSO.tenantId,
    allowedTenants: [CONTOSO.tenantId],
    issuer: issuerOf(CONTOSO.tenantId),
    redirectUri: "http://localhost:1/oauth/entra/callback",
    graphResource: cloud.graph.origin,
    permissions: ["User.Read"],
    firstPermissions: ["User.Read"],
    proof: { secret: "a secret" },
    timeoutMs: 8_000,
    ...rest,
  });
}

/** Lets Entra's token endpoint answer with an id_token that holds these claims; nobody checks its signature. */
function answerWith(changes: Readonly<Record<string, unknown>>): void {
  const claims = {
    aud: CONTOSO.serverAppId,
    iss: issuerOf(CONTOSO.tenantId),
    nonce: REQUEST.nonce,
    oid: "4782e723-f4f4-4af3-a76e-25e3bab0d896",
    sub: "adele",
    tid: CONTOSO.tenantId,
    preferred_username: "AdeleV@contoso.com",
    ...changes,
  };
  const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const body = {
    token_type: "Bearer",
    access_token: "for Graph",
    refresh_token: "for later",
    expires_in: 3600,
    scope: `${cloud.graph.origin}/User.Read`,
    id_token: [encode({ alg: "RS256", typ: "JWT" }), encode(claims), "x"].join("."),
  };
  cloud.entra.traffic.fail({ kind: "status", status: 200, body }, { path: TOKEN_PATH });
}

const metadataOf = (authority: string, issuer: string) => ({
  issuer,
  authorization_endpoint: `${authority}/oauth2/v2.0/authorize`,
  token_endpoint: `${authority}/oauth2/v2.0/token`,
  jwks_uri: `${authority}/discovery/v2.0/keys`,
});

describe("what Entra's token endpoint says of a sign-in", () => {
  test("counts when it is for this server, this request and an allowed tenant", async () => {
    answerWith({});
    expect(await open().redeem("code", REQUEST)).toMatchObject({
      accessToken: "for Graph",
      account: { tenantId: CONTOSO.tenantId, username: "AdeleV@contoso.com" },
    });
  });

  test.each([
    // MSAL's own check.
    ["another nonce", { nonce: "m".repeat(43) }, "Entra ID gave no token."],
    ["no nonce", { nonce: undefined }, "Entra ID gave no token."],
    ["another audience", { aud: CONTOSO.sampleClientId }, "Entra's answer is for another sign-in."],
    ["another issuer", { iss: "https://sts.attacker.example/v2.0" }, "Entra's answer is for another sign-in."],
    ["no tenant", { tid: undefined }, "Entra's answer is for another sign-in."],
    ["no user", { oid: undefined }, "Entra's answer is for another sign-in."],
  ])("is refused with %s", async (_what, changes, message) => {
    answerWith(changes);
    await expect(open().redeem("code", REQUEST)).rejects.toThrow(message);
  });

  test("is not asked for anywhere else, whatever address a redirect names", async () => {
    cloud.graph.traffic.clear();
    const headers = { location: `${cloud.graph.origin}/elsewhere` };
    cloud.entra.traffic.fail({ kind: "status", status: 307, headers }, { path: /\/token/ });
    await expect(open().redeem("code", REQUEST)).rejects.toThrow("Entra ID gave no token.");
    expect(cloud.graph.traffic.requests).toEqual([]);
  });

  test("is refused of a tenant that is not allowed, whose user is named", async () => {
    answerWith({ tid: FABRIKAM, iss: issuerOf(FABRIKAM) });
    await expect(open().redeem("code", REQUEST)).rejects.toMatchObject({
      name: "ForeignTenantError",
      account: { tenantId: FABRIKAM },
    });
  });

  test("is taken from each of two allowed tenants under its own issuer only", async () => {
    const flow = open({ allowedTenants: [CONTOSO.tenantId, FABRIKAM] });
    expect(flow.tenant).toBe("organizations");
    const { httpsOrigin, traffic } = cloud.entra;
    const metadata = metadataOf(`${httpsOrigin}/organizations`, `${httpsOrigin}/{tenantid}/v2.0`);
    const discovery = () => traffic.fail({ kind: "status", status: 200, body: metadata }, { path: /openid-conf/ });
    discovery();
    answerWith({ tid: FABRIKAM, iss: issuerOf(FABRIKAM) });
    expect((await flow.redeem("code", REQUEST)).account.tenantId).toBe(FABRIKAM);
    traffic.recover();
    discovery();
    answerWith({ tid: FABRIKAM });
    await expect(flow.redeem("code", REQUEST)).rejects.toThrow("Entra's answer is for another sign-in.");
  });
});

test("a request that Entra does not answer is given up in time, and its connection with it", async () => {
  const { cert, key } = inject("certificates");
  const hanging: IncomingMessage[] = [];
  const server = createServer({ cert, key }, (req, res) => {
    const { port } = server.address() as AddressInfo;
    const origin = `https://localhost:${port}`;
    if (TOKEN_PATH.test(req.url ?? "")) {
      hanging.push(req);
      return;
    }
    res.setHeader("content-type", "application/json");
    const authority = `${origin}/${CONTOSO.tenantId}`;
    res.end(JSON.stringify(metadataOf(authority, `${authority}/v2.0`)));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const flow = open({ authorityHost: `https://localhost:${port}`, timeoutMs: 500 });
  await expect(flow.redeem("code", REQUEST)).rejects.toThrow("Entra ID gave no token.");
  const [request] = hanging;
  if (!request) throw new Error("The token endpoint was not asked.");
  if (!request.socket.closed) await once(request.socket, "close", { signal: AbortSignal.timeout(2_000) });
  server.close();
});
