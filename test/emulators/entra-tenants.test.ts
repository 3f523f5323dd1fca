import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { CONTOSO, createContoso } from "../../emulators/contoso/tenant.ts";
import { type Entra, startEntra } from "../../emulators/entra/index.ts";
import { signIn } from "../support/browser.ts";
import { CALLBACK, CHALLENGE, GRAPH, RESOURCE, SCOPE, VERIFIER } from "./entra-fixture.ts";

const OTHER_TENANT = "0f0e0d0c-0b0a-4908-8706-050403020100";

let entra: Entra;
beforeAll(async () => {
  entra = await startEntra({
    certificates: inject("certificates"),
    tenants({ http }) {
      const sample = createContoso({ mcpUrl: RESOURCE, entraOrigin: http, graphOrigin: GRAPH });
      return [sample, { ...sample, id: OTHER_TENANT, displayName: "Fabrikam", verifiedDomains: ["fabrikam.com"] }];
    },
  });
});
afterAll(() => entra.close());

/** The AADSTS number of a token request to the first tenant. */
async function refusedWith(fields: Record<string, string>): Promise<unknown> {
  const response = await fetch(`${entra.httpOrigin}/${CONTOSO.tenantId}/oauth2/v2.0/token`, {
    method: "POST",
    body: new URLSearchParams(fields),
  });
  return ((await response.json()) as { error_codes?: unknown }).error_codes;
}

const onBehalfOf = async (assertionTenant: string, identityTenant: string) => {
  const identity = { clientId: CONTOSO.managedIdentityClientId, principalId: CONTOSO.managedIdentityPrincipalId };
  const audience = "api://AzureADTokenExchange";
  return {
    grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
    requested_token_use: "on_behalf_of",
    client_id: CONTOSO.serverAppId,
    client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    client_assertion: (await entra.issueManagedIdentityToken(identity, audience, identityTenant)).token,
    assertion: await entra.issueAccessToken({
      user: "AdeleV",
      client: CONTOSO.sampleClientId,
      scope: SCOPE,
      tenantId: assertionTenant,
    }),
    scope: `${GRAPH}/User.Read`,
  };
};

test("a verified domain names its tenant", async () => {
  const response = await fetch(`${entra.httpOrigin}/fabrikam.com/v2.0/.well-known/openid-configuration`);
  expect(await response.json()).toMatchObject({ issuer: `${entra.httpOrigin}/${OTHER_TENANT}/v2.0` });
});

test("tokens of another tenant are worth nothing in an on-behalf-of exchange", async () => {
  expect(await refusedWith(await onBehalfOf(CONTOSO.tenantId, CONTOSO.tenantId))).toBeUndefined();
  expect(await refusedWith(await onBehalfOf(OTHER_TENANT, CONTOSO.tenantId))).toEqual([50013]);
  expect(await refusedWith(await onBehalfOf(CONTOSO.tenantId, OTHER_TENANT))).toEqual([700211]);
});

test("a code of another tenant cannot be redeemed", async () => {
  const url = new URL(`${entra.httpOrigin}/${OTHER_TENANT}/oauth2/v2.0/authorize`);
  url.search = new URLSearchParams({
    client_id: CONTOSO.sampleClientId,
    response_type: "code",
    redirect_uri: CALLBACK,
    scope: SCOPE,
    code_challenge: CHALLENGE,
    code_challenge_method: "S256",
  }).toString();
  const answer = await signIn(url, { as: "AdeleV" });
  const fields = {
    grant_type: "authorization_code",
    client_id: CONTOSO.sampleClientId,
    redirect_uri: CALLBACK,
    code: answer.searchParams.get("code") ?? "",
    code_verifier: VERIFIER,
  };
  expect(await refusedWith(fields)).toEqual([70000]);
});
