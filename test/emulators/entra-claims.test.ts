import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { claimsOf, type EntraFixture, GRAPH, SCOPE, startFixture } from "./entra-fixture.ts";

let fixture: EntraFixture;
beforeAll(async () => {
  fixture = await startFixture();
});
afterAll(() => fixture.entra.close());
beforeEach(() => fixture.reset());
afterEach(() => vi.useRealTimers());

const adele = { as: "AdeleV" };
const offline = { scope: `${SCOPE} offline_access` };

describe("token versions (item 14)", () => {
  test("version 2: GUID audience, azp, v2.0 issuer", async () => {
    const { body } = await fixture.tokensFor(adele);
    const claims = claimsOf(body["access_token"]);
    expect(claims).toEqual({
      aud: "c4f2c6a1-8d5b-4e0e-a6f7-2f6f5f1f9b10",
      iss: `${fixture.entra.httpOrigin}/5b7e1e6c-4a52-4f0e-9d0a-6a3c1f6f2d11/v2.0`,
      iat: expect.any(Number),
      nbf: claims["iat"],
      exp: Number(claims["iat"]) + 3900,
      amr: ["pwd"],
      azp: "7d3a7f0e-9b64-4c1d-8f6e-0c5b1d2e3f40",
      azpacr: "0",
      name: "Adele Vance",
      oid: "87d349ed-44d7-43e1-9a83-5f2406dee5bd",
      preferred_username: "AdeleV@contoso.com",
      roles: ["Mcp.Write"],
      scp: "user_impersonation",
      sub: expect.stringMatching(/^[\w-]{43}$/),
      tid: "5b7e1e6c-4a52-4f0e-9d0a-6a3c1f6f2d11",
      uti: expect.stringMatching(/^[\w-]{22}$/),
      ver: "2.0",
    });
    expect(body["expires_in"]).toBe(3900);
  });

  test.each([1, null] as const)("version %s: the audience that was asked for, appid, v1 issuer", async (version) => {
    fixture.server.requestedAccessTokenVersion = version;
    const claims = claimsOf((await fixture.tokensFor(adele)).body["access_token"]);
    expect(claims).toMatchObject({
      aud: "https://mcp.contoso.example/mcp",
      iss: `${fixture.entra.httpOrigin}/sts/5b7e1e6c-4a52-4f0e-9d0a-6a3c1f6f2d11/`,
      appid: "7d3a7f0e-9b64-4c1d-8f6e-0c5b1d2e3f40",
      upn: "AdeleV@contoso.com",
      ver: "1.0",
    });
    expect(claims).not.toHaveProperty("azp");
  });

  test("an id_token carries the nonce of the authorization request", async () => {
    const { body } = await fixture.tokensFor(adele, { scope: `${SCOPE} openid`, nonce: "n-2" });
    expect(claimsOf(body["id_token"])).toMatchObject({ aud: CONTOSO.sampleClientId, nonce: "n-2", ver: "2.0" });
  });

  test("OIDC scopes alone give a token for the profile in Graph", async () => {
    const { body } = await fixture.tokensFor(adele, { scope: "openid profile offline_access" });
    expect(body["scope"]).toBe("openid profile");
    expect(claimsOf(body["access_token"])).toMatchObject({
      aud: "00000003-0000-0000-c000-000000000000",
      scp: "openid profile",
    });
  });

  test("sub differs between apps, oid does not", async () => {
    const api = claimsOf(await fixture.entra.issueAccessToken({ ...request(SCOPE) }));
    const graph = claimsOf(await fixture.entra.issueAccessToken({ ...request(`${GRAPH}/User.Read`) }));
    expect(api["sub"]).not.toBe(graph["sub"]);
    expect(api["oid"]).toBe(graph["oid"]);
  });

  const request = (scope: string) => ({ user: "AdeleV", client: CONTOSO.sampleClientId, scope });

  test("a guest has the name of the home organisation", async () => {
    const claims = claimsOf(await fixture.entra.issueAccessToken({ ...request(SCOPE), user: "sam" }));
    expect(claims["preferred_username"]).toBe("sam@fabrikam.com");
  });

  test("a client that handles claims challenges is marked in the token", async () => {
    const claims = '{"access_token":{"xms_cc":{"values":["cp1"]}}}';
    const { body } = await fixture.tokensFor(adele, { ...offline, claims });
    expect(claimsOf(body["access_token"])["xms_cc"]).toEqual(["cp1"]);
    expect(claimsOf((await fixture.refresh(body["refresh_token"])).body["access_token"])["xms_cc"]).toEqual(["cp1"]);
    const later = await fixture.tokensFor(adele, undefined, { claims });
    expect(claimsOf(later.body["access_token"])["xms_cc"]).toEqual(["cp1"]);
    expect(claimsOf((await fixture.tokensFor(adele)).body["access_token"])).not.toHaveProperty("xms_cc");
  });
});

describe("errors (item 20)", () => {
  const GUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;

  test.each([
    [{}, "invalid_request", 900144],
    [{ grant_type: "password", client_id: CONTOSO.sampleClientId }, "unsupported_grant_type", 70003],
    [{ grant_type: "refresh_token" }, "invalid_request", 900144],
    [{ grant_type: "refresh_token", client_id: "nobody", refresh_token: "x" }, "unauthorized_client", 700016],
  ])("%o: the body carries every field", async (fields, error, number) => {
    const { status, body } = await fixture.token(fields);
    expect(status).toBe(400);
    expect(body).toEqual({
      error,
      error_description: expect.any(String),
      error_codes: [number],
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ$/),
      trace_id: expect.stringMatching(GUID),
      correlation_id: expect.stringMatching(GUID),
    });
    const [trace, correlation, timestamp] = ["trace_id", "correlation_id", "timestamp"].map((name) =>
      String(body[name]),
    );
    expect(String(body["error_description"]).split(" Trace ID: ")).toEqual([
      expect.stringMatching(new RegExp(`^AADSTS${number}: \\S`)),
      `${trace} Correlation ID: ${correlation} Timestamp: ${timestamp}`,
    ]);
  });

  test("the caller's correlation id comes back, from the header or the query", async () => {
    const id = "00112233-4455-6677-8899-aabbccddeeff";
    expect((await fixture.token({}, { "client-request-id": id })).body["correlation_id"]).toBe(id);
    expect((await fixture.post(`token?client-request-id=${id}`, {})).body["correlation_id"]).toBe(id);
    expect((await fixture.post("token?client-request-id=x", {})).body["correlation_id"]).not.toBe("x");
  });

  test("an unknown tenant is an error of the same form", async () => {
    const response = await fetch(`${fixture.entra.httpOrigin}/common/oauth2/v2.0/token`, { method: "POST" });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: "invalid_request", error_codes: [90002] });
  });
});
