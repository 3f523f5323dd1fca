import { createRemoteJWKSet, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { startEntra } from "../../emulators/entra/index.ts";
import { createAccessTokenVerifier } from "../../emulators/kernel/access-tokens.ts";
import { PortBusyError } from "../../emulators/kernel/listener.ts";
import { claimsOf, type EntraFixture, GRAPH, SCOPE, startFixture } from "./entra-fixture.ts";

let fixture: EntraFixture;
beforeAll(async () => {
  fixture = await startFixture();
});
afterAll(() => fixture.entra.close());

const adelesToken = { user: "AdeleV", client: CONTOSO.sampleClientId, scope: SCOPE };

describe("discovery (item 18)", () => {
  test.each(["httpOrigin", "httpsOrigin"] as const)(
    "names issuer and endpoints of the %s that was asked, and the page of the http one",
    async (name) => {
      const base = `${fixture.entra[name]}/5b7e1e6c-4a52-4f0e-9d0a-6a3c1f6f2d11`;
      const response = await fetch(`${base}/v2.0/.well-known/openid-configuration`);
      const metadata = (await response.json()) as Record<string, unknown>;
      expect(metadata).toMatchObject({
        issuer: `${base}/v2.0`,
        authorization_endpoint: `${fixture.entra.httpOrigin}/${CONTOSO.tenantId}/oauth2/v2.0/authorize`,
        token_endpoint: `${base}/oauth2/v2.0/token`,
        device_authorization_endpoint: `${base}/oauth2/v2.0/devicecode`,
        end_session_endpoint: `${base}/oauth2/v2.0/logout`,
        jwks_uri: `${base}/discovery/v2.0/keys`,
      });
      expect(metadata).not.toHaveProperty("code_challenge_methods_supported");
      expect(metadata).not.toHaveProperty("registration_endpoint");
    },
  );

  test.each(["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"])(
    "is not at %s/<tenant>/v2.0",
    async (path) => {
      const response = await fetch(`${fixture.entra.httpOrigin}${path}/${CONTOSO.tenantId}/v2.0`);
      expect(response.status).toBe(404);
    },
  );

  test("of an unknown tenant is an error", async () => {
    const response = await fetch(`${fixture.entra.httpOrigin}/unknown/v2.0/.well-known/openid-configuration`);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: "invalid_request", error_codes: [90002] });
  });
});

describe("keys", () => {
  test("verify every token, and a rotation keeps the old ones valid until they are retired", async () => {
    const verify = createAccessTokenVerifier(fixture.entra.httpOrigin, CONTOSO.tenantId);
    const old = await fixture.entra.issueAccessToken(adelesToken);
    await fixture.entra.rotateKeys();
    const recent = await fixture.entra.issueAccessToken(adelesToken);
    expect(await verify(old, CONTOSO.serverAppId)).toMatchObject({ client: CONTOSO.sampleClientId });
    expect(await verify(recent)).toMatchObject({ scopes: ["user_impersonation"], roles: ["Mcp.Write"] });

    fixture.entra.retireOldKeys();
    const keys = createRemoteJWKSet(new URL(`${fixture.entra.httpsOrigin}/${CONTOSO.tenantId}/discovery/v2.0/keys`));
    await expect(jwtVerify(old, keys)).rejects.toMatchObject({ code: "ERR_JWKS_NO_MATCHING_KEY" });
    expect((await jwtVerify(recent, keys)).payload.aud).toBe(CONTOSO.serverAppId);
  });
});

describe("tokens without a sign-in", () => {
  test("claims of an access token can be replaced and left out", async () => {
    const token = await fixture.entra.issueAccessToken({
      ...adelesToken,
      mfa: true,
      claims: { exp: 1, aud: "x", scp: undefined },
    });
    expect(claimsOf(token)).toMatchObject({ exp: 1, aud: "x", amr: ["pwd", "mfa"] });
    expect(claimsOf(token)).not.toHaveProperty("scp");
  });

  test(".default stands for what was consented to", async () => {
    const request = { ...adelesToken, client: CONTOSO.serverAppId, scope: `${GRAPH}/.default` };
    expect(claimsOf(await fixture.entra.issueAccessToken(request))["scp"]).toMatch(/^User\.Read User\.ReadBasic\.All /);
  });

  test.each([
    [{ ...adelesToken, user: "Nobody" }, 50034],
    [{ ...adelesToken, user: "" }, 50034],
    [{ ...adelesToken, client: "nobody" }, 700016],
    [{ ...adelesToken, scope: "https://unknown.example/x" }, 500011],
    [{ ...adelesToken, tenantId: "unknown" }, 90002],
  ])("%o is an error with the number %i", async (request, number) => {
    await expect(fixture.entra.issueAccessToken(request)).rejects.toMatchObject({ number });
  });

  test("a managed identity's token has its principal as subject and lives for a day", async () => {
    const identity = { clientId: CONTOSO.managedIdentityClientId, principalId: CONTOSO.managedIdentityPrincipalId };
    const { token, expiresOn } = await fixture.entra.issueManagedIdentityToken(identity, "https://vault.azure.net");
    const claims = claimsOf(token);
    expect(claims).toMatchObject({
      aud: "https://vault.azure.net",
      iss: `${fixture.entra.httpOrigin}/5b7e1e6c-4a52-4f0e-9d0a-6a3c1f6f2d11/v2.0`,
      sub: "9a8b7c6d-5e4f-4a3b-8c2d-1e0f9a8b7c6d",
      oid: "9a8b7c6d-5e4f-4a3b-8c2d-1e0f9a8b7c6d",
      azp: "2f8e4d6a-1b3c-4d5e-8f90-a1b2c3d4e5f6",
      exp: expiresOn,
    });
    expect(expiresOn).toBe(Number(claims["iat"]) + 86_400);
  });
});

describe("/emulator/token", () => {
  const quick = (query: string, origin = fixture.entra.httpOrigin) => fetch(`${origin}/emulator/token${query}`);

  test("answers an access token as text", async () => {
    const response = await quick("?user=AdeleV");
    expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(claimsOf(await response.text())).toMatchObject({
      aud: CONTOSO.serverAppId,
      azp: CONTOSO.sampleClientId,
      preferred_username: "AdeleV@contoso.com",
    });
  });

  test("takes client and scope from the query", async () => {
    const query = new URLSearchParams({
      user: "sam_fabrikam.com#EXT#@contoso.com",
      client: CONTOSO.otherClientId,
      scope: `${GRAPH}/User.Read`,
    });
    expect(claimsOf(await (await quick(`?${query.toString()}`)).text())).toMatchObject({
      aud: GRAPH,
      appid: CONTOSO.otherClientId,
      scp: "User.Read",
    });
  });

  test("says what is wrong, and is not there on https or when it is turned off", async () => {
    const wrong = await quick("?user=Nobody");
    expect([wrong.status, await wrong.text()]).toEqual([
      400,
      "AADSTS50034: The user account 'Nobody' does not exist in the tenant 'Contoso'.\n",
    ]);
    expect((await quick("?user=AdeleV", fixture.entra.httpsOrigin)).status).toBe(404);
    const without = await startEntra({ certificates: inject("certificates"), tenants: () => [fixture.tenant] });
    expect((await quick("?user=AdeleV", without.httpOrigin)).status).toBe(404);
    await without.close();
  });
});

describe("identifier URIs (item 15)", () => {
  const refused = expect.objectContaining({ code: "InvalidUniqueTenantIdentifierAsPerAppPolicy" });
  const add = (uri: string) => () => fixture.entra.addIdentifierUri(CONTOSO.serverAppId, uri);

  test("on an unverified domain are refused for an app on v1 tokens", () => {
    fixture.server.requestedAccessTokenVersion = null;
    expect(add("https://app-1.azurewebsites.net/mcp")).toThrow(refused);
    expect(add("https://evil-contoso.com")).toThrow(refused);
    expect(add("https://api.contoso.com/mcp")).not.toThrow();
    expect(add(`api://${CONTOSO.serverAppId}/v1`)).not.toThrow();
    expect(fixture.server.identifierUris.slice(-2)).toEqual([
      "https://api.contoso.com/mcp",
      "api://c4f2c6a1-8d5b-4e0e-a6f7-2f6f5f1f9b10/v1",
    ]);
  });

  test("are accepted for an app on v2 tokens, unless the policy has no exemption", () => {
    fixture.server.requestedAccessTokenVersion = 2;
    expect(add("https://app-2.azurewebsites.net")).not.toThrow();
    fixture.entra.switches["entra.identifierUriPolicy"] = "verified-domain-only";
    expect(add("https://app-3.azurewebsites.net")).toThrow(refused);
    fixture.entra.switches["entra.identifierUriPolicy"] = "off";
    fixture.server.requestedAccessTokenVersion = 1;
    expect(add("https://app-3.azurewebsites.net")).not.toThrow();
  });
});

test("the switches are the documented ones", () => {
  expect(Object.keys(fixture.entra.switches)).toEqual([
    "entra.resourceMatch",
    "entra.identifierUriPolicy",
    "entra.selfToken",
    "entra.scopelessRefresh",
    "entra.ficAudienceCode",
    "entra.ficSystemAssigned",
    "entra.ficPropagationSeconds",
    "entra.invalidClientStatus",
  ]);
});

describe("listening", () => {
  test("a busy https port leaves nothing behind on the http port", async () => {
    const https = Number(new URL(fixture.entra.httpsOrigin).port);
    const probe = await startEntra({ certificates: inject("certificates"), tenants: () => [fixture.tenant] });
    const http = Number(new URL(probe.httpOrigin).port);
    await probe.close();
    const start = () =>
      startEntra({ certificates: inject("certificates"), tenants: () => [fixture.tenant], ports: { http, https } });
    await expect(start()).rejects.toThrow(new PortBusyError(https, "the Entra emulator (https)"));
    await expect(start()).rejects.toThrow(new PortBusyError(https, "the Entra emulator (https)"));
  });

  test("both origins record into one traffic log, and faults hit both", async () => {
    const { traffic, httpOrigin, httpsOrigin } = fixture.entra;
    traffic.clear();
    traffic.fail({ kind: "status", status: 503 }, { times: 2, path: /keys$/ });
    const answers = await Promise.all(
      [httpOrigin, httpsOrigin].map((origin) => fetch(`${origin}/${CONTOSO.tenantId}/discovery/v2.0/keys`)),
    );
    expect(answers.map(({ status }) => status)).toEqual([503, 503]);
    expect(traffic.count("GET", /\/discovery\/v2\.0\/keys$/)).toBe(2);
  });
});
