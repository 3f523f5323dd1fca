import { ClientAssertionCredential, type GetTokenOptions, OnBehalfOfCredential } from "@azure/identity";
import * as current from "@modelcontextprotocol/client";
import * as previous from "@modelcontextprotocol/sdk/client/auth.js";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { type Listener, listen } from "../../emulators/kernel/listener.ts";
import { signIn } from "../support/browser.ts";
import { CALLBACK, claimsOf, type EntraFixture, GRAPH, SCOPE, startFixture } from "./entra-fixture.ts";

let fixture: EntraFixture;
beforeAll(async () => {
  fixture = await startFixture();
});
afterAll(() => fixture.entra.close());
beforeEach(() => fixture.reset());

describe("@azure/identity", () => {
  const authority = () => ({
    tenantId: CONTOSO.tenantId,
    clientId: CONTOSO.serverAppId,
    authorityHost: fixture.entra.httpsOrigin,
    disableInstanceDiscovery: true,
  });
  const adelesRequest = { user: "AdeleV", client: CONTOSO.sampleClientId, scope: SCOPE };

  async function onBehalfOf(userAssertionToken: string, options?: GetTokenOptions) {
    const credential = new OnBehalfOfCredential({
      ...authority(),
      userAssertionToken,
      getAssertion: () => fixture.clientAssertion(),
    });
    return credential.getToken(`${GRAPH}/User.Read`, options);
  }

  /** What a failed exchange says about its cause. */
  async function causeOf(userAssertionToken: string): Promise<unknown> {
    const error: unknown = await onBehalfOf(userAssertionToken).then(
      () => "no error",
      (reason: unknown) => reason,
    );
    if (!(error instanceof Error)) throw new Error("The exchange succeeded.");
    expect(error.name).toBe("AuthenticationRequiredError");
    return error.cause;
  }

  test("exchanges a user's token for one for Graph with a managed identity's token as credential", async () => {
    const { token, expiresOnTimestamp } = await onBehalfOf(await fixture.entra.issueAccessToken(adelesRequest));
    const claims = claimsOf(token);
    expect(claims).toMatchObject({ aud: GRAPH, scp: "User.Read", oid: "87d349ed-44d7-43e1-9a83-5f2406dee5bd" });
    expect(Math.abs(expiresOnTimestamp - Number(claims["exp"]) * 1000)).toBeLessThan(5000);
    expect(fixture.entra.traffic.count("GET", /\/v2\.0\/\.well-known\/openid-configuration/)).toBe(1);
    expect(fixture.entra.traffic.count("POST", /\/oauth2\/v2\.0\/token\?client-request-id=/)).toBe(1);
  });

  test("asks for a token that handles claims challenges with enableCae", async () => {
    const { token } = await onBehalfOf(await fixture.entra.issueAccessToken(adelesRequest), { enableCae: true });
    expect(claimsOf(token)["xms_cc"]).toEqual(["cp1"]);
  });

  test("finds its token in the cache the second time: the answer's scope and client_info suit it", async () => {
    const credential = new OnBehalfOfCredential({
      ...authority(),
      userAssertionToken: await fixture.entra.issueAccessToken(adelesRequest),
      getAssertion: () => fixture.clientAssertion(),
    });
    for (const scope of ["User.Read", ".default"]) {
      const first = await credential.getToken(`${GRAPH}/${scope}`);
      const second = await credential.getToken(`${GRAPH}/${scope}`);
      expect(second.token).toBe(first.token);
    }
    expect(fixture.entra.traffic.count("POST", /\/token/)).toBe(2);
  });

  test("reports missing consent with suberror and number", async () => {
    const assertion = await fixture.entra.issueAccessToken({ ...adelesRequest, user: "LeeG" });
    expect(await causeOf(assertion)).toMatchObject({
      name: "InteractionRequiredAuthError",
      errorCode: "invalid_grant",
      subError: "consent_required",
      errorNo: 65001,
      claims: "",
    });
  });

  test("reports a missing second factor with the claims challenge", async () => {
    const assertion = await fixture.entra.issueAccessToken({ ...adelesRequest, user: "MeganB" });
    expect(await causeOf(assertion)).toMatchObject({
      name: "InteractionRequiredAuthError",
      errorCode: "interaction_required",
      subError: "basic_action",
      errorNo: 50076,
      claims: expect.stringMatching(/^\{"access_token":\{"capolids":/),
    });
  });

  test("reports a federated credential that does not match", async () => {
    fixture.server.federatedIdentityCredentials = [];
    expect(await causeOf(await fixture.entra.issueAccessToken(adelesRequest))).toMatchObject({
      name: "ServerError",
      errorCode: "invalid_client",
      errorNo: 700211,
    });
  });

  test("gets an app-only token with a client assertion", async () => {
    const credential = new ClientAssertionCredential(
      CONTOSO.tenantId,
      CONTOSO.serverAppId,
      () => fixture.clientAssertion(),
      authority(),
    );
    const { token } = await credential.getToken(`${GRAPH}/.default`);
    expect(claimsOf(token)).toMatchObject({ aud: GRAPH, idtyp: "app" });
  });
});

describe.each([
  ["@modelcontextprotocol/client", current.auth, "adds offline_access by itself"],
  ["@modelcontextprotocol/sdk", previous.auth, "must be told to add offline_access"],
])("%s", (_package, auth, refreshing) => {
  let resource: Listener;
  beforeAll(async () => {
    resource = await listen("a protected resource", (req, res) => {
      if (req.url !== "/.well-known/oauth-protected-resource/mcp") {
        res.writeHead(404).end();
        return;
      }
      res.setHeader("content-type", "application/json");
      res.end(
        JSON.stringify({
          resource: `${resource.origin}/mcp`,
          authorization_servers: [`${fixture.entra.httpOrigin}/${CONTOSO.tenantId}/v2.0`],
          scopes_supported: [`${resource.origin}/mcp/user_impersonation`],
        }),
      );
    });
  });
  afterAll(() => resource.close());

  test("signs a user in over plain http, without a registration, and refreshes", async () => {
    fixture.server.identifierUris.push(`${resource.origin}/mcp`);
    const provider = new MemoryProvider();
    const scope = `${resource.origin}/mcp/user_impersonation offline_access`;
    const options = {
      serverUrl: `${resource.origin}/mcp`,
      ...(refreshing === "adds offline_access by itself" ? {} : { scope }),
    };

    expect(await auth(provider, options)).toBe("REDIRECT");
    expect(provider.authorizationUrl?.searchParams.get("resource")).toBe(`${resource.origin}/mcp`);
    expect(provider.authorizationUrl?.searchParams.get("scope")).toBe(scope);
    const answer = await signIn(provider.authorizationUrl ?? "", { as: "AdeleV" });
    const authorizationCode = answer.searchParams.get("code") ?? "";
    expect(await auth(provider, { ...options, authorizationCode })).toBe("AUTHORIZED");
    expect(claimsOf(provider.stored?.access_token)).toMatchObject({
      aud: CONTOSO.serverAppId,
      azp: CONTOSO.sampleClientId,
      iss: `${fixture.entra.httpOrigin}/${CONTOSO.tenantId}/v2.0`,
      scp: "user_impersonation",
    });

    const before = provider.stored;
    expect(await auth(provider, options)).toBe("AUTHORIZED");
    expect(provider.stored?.refresh_token).not.toBe(before?.refresh_token);
    expect(provider.stored?.access_token).not.toBe(before?.access_token);
  });
});

/** Keeps what the MCP clients want kept, for a client that is registered already. */
class MemoryProvider implements current.OAuthClientProvider {
  readonly redirectUrl = CALLBACK;
  readonly clientMetadata = {
    redirect_uris: [CALLBACK],
    grant_types: ["authorization_code", "refresh_token"],
    client_name: "test",
    scope: "offline_access",
  };
  authorizationUrl: URL | undefined;
  stored: { access_token: string; refresh_token?: string | undefined; token_type: string } | undefined;
  #verifier = "";
  #discovery: current.OAuthDiscoveryState | undefined;

  clientInformation() {
    return { client_id: CONTOSO.sampleClientId };
  }
  tokens() {
    return this.stored;
  }
  saveTokens(tokens: NonNullable<MemoryProvider["stored"]>) {
    this.stored = tokens;
  }
  redirectToAuthorization(url: URL) {
    this.authorizationUrl = url;
  }
  saveCodeVerifier(verifier: string) {
    this.#verifier = verifier;
  }
  codeVerifier() {
    return this.#verifier;
  }
  saveDiscoveryState(state: current.OAuthDiscoveryState) {
    this.#discovery = state;
  }
  discoveryState() {
    return this.#discovery;
  }
}
