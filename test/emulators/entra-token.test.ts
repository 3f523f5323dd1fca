import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import {
  CALLBACK,
  type EntraFixture,
  GRAPH,
  RESOURCE,
  refusal,
  SCOPE,
  startFixture,
  VERIFIER,
} from "./entra-fixture.ts";

let fixture: EntraFixture;
beforeAll(async () => {
  fixture = await startFixture();
});
afterAll(() => fixture.entra.close());
beforeEach(() => fixture.reset());
afterEach(() => vi.useRealTimers());

const adele = { as: "AdeleV" };
const offline = { scope: `${SCOPE} offline_access` };
const API_SCOPE = `api://${CONTOSO.serverAppId}/user_impersonation`;

const mismatch = { status: 400, error: "invalid_target", codes: [9010010] };

/** A code of the sample client, with what redeems it. */
async function redeemable(fields?: Record<string, string>): Promise<Record<string, string>> {
  const answer = await fixture.authorize(adele, fields);
  return {
    grant_type: "authorization_code",
    client_id: fields?.["client_id"] ?? CONTOSO.sampleClientId,
    redirect_uri: fields?.["redirect_uri"] ?? CALLBACK,
    code_verifier: VERIFIER,
    code: answer.get("code") ?? "",
  };
}

describe("resource against scopes at /token (item 2)", () => {
  test("a code is refused for a resource that its scopes or the request's do not belong to", async () => {
    const request = await redeemable({ scope: API_SCOPE });
    expect(refusal(await fixture.token({ ...request, resource: RESOURCE }))).toEqual(mismatch);
    const explicit = await redeemable();
    expect(refusal(await fixture.token({ ...explicit, scope: API_SCOPE, resource: RESOURCE }))).toEqual(mismatch);
  });

  test("a code without scope in the request is compared by the scopes of the sign-in", async () => {
    const { status, body } = await fixture.token({ ...(await redeemable()), resource: RESOURCE });
    expect(status).toBe(200);
    expect(body["scope"]).toBe(SCOPE);
  });

  test("a refresh token is compared in the same way", async () => {
    const { body } = await fixture.tokensFor(adele, offline);
    expect((await fixture.refresh(body["refresh_token"], { resource: RESOURCE })).status).toBe(200);
    expect(refusal(await fixture.refresh(body["refresh_token"], { resource: `${RESOURCE}/` }))).toEqual(mismatch);
    expect(refusal(await fixture.refresh(body["refresh_token"], { resource: RESOURCE, scope: API_SCOPE }))).toEqual(
      mismatch,
    );
  });

  test("a refresh token comes only with offline_access", async () => {
    expect((await fixture.tokensFor(adele)).body["refresh_token"]).toBeUndefined();
    expect((await fixture.tokensFor(adele, offline)).body["refresh_token"]).toMatch(/^[\w-]+$/);
  });

  test("a request that mixes resources is refused", async () => {
    const request = await redeemable();
    expect(refusal(await fixture.token({ ...request, scope: `${SCOPE} ${GRAPH}/User.Read` }))).toEqual({
      status: 400,
      error: "invalid_request",
      codes: [28000],
    });
  });
});

describe("authorization codes", () => {
  const invalidGrant = (number: number) => ({ status: 400, error: "invalid_grant", codes: [number] });

  test("work once", async () => {
    const request = await redeemable();
    expect((await fixture.token(request)).status).toBe(200);
    expect(refusal(await fixture.token(request))).toEqual(invalidGrant(54005));
  });

  test("work once even when they are redeemed twice at the same moment", async () => {
    const request = await redeemable();
    const answers = await Promise.all([fixture.token(request), fixture.token(request)]);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.map(refusal)).toContainEqual(invalidGrant(54005));
  });

  test("live for ten minutes", async () => {
    const [early, late] = [await redeemable(), await redeemable()];
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 9.9 * 60_000 });
    expect((await fixture.token(early)).status).toBe(200);
    vi.setSystemTime(Date.now() + 0.2 * 60_000);
    expect(refusal(await fixture.token(late))).toEqual(invalidGrant(70008));
    vi.setSystemTime(Date.now() + 10 * 60_000);
    await redeemable();
    expect(refusal(await fixture.token(late))).toEqual(invalidGrant(70000));
  });

  test.each([
    ["another client", { client_id: CONTOSO.otherClientId }, 70000],
    ["another redirect URI", { redirect_uri: "http://localhost:4712/callback" }, 500112],
    ["another verifier", { code_verifier: "x".repeat(43) }, 501481],
    ["no verifier", { code_verifier: "" }, 501481],
    ["an invented code", { code: "invented" }, 70000],
  ])("are refused for %s", async (_what, fields, number) => {
    expect(refusal(await fixture.token({ ...(await redeemable()), ...fields }))).toEqual(invalidGrant(number));
  });

  test("without a challenge accept no verifier", async () => {
    const request = await redeemable({ code_challenge: "", code_challenge_method: "" });
    expect(refusal(await fixture.token(request))).toEqual(invalidGrant(501481));
    expect((await fixture.token({ ...request, code_verifier: "" })).status).toBe(200);
  });
});

describe("credentials by platform (item 16)", () => {
  const server = {
    client_id: CONTOSO.serverAppId,
    redirect_uri: "https://mcp.contoso.example/.auth/login/aad/callback",
  };

  test("PKCE without a secret is not enough on a web redirect URI", async () => {
    const answer = await fixture.token(await redeemable(server));
    expect(refusal(answer)).toEqual({ status: 401, error: "invalid_client", codes: [7000218] });
  });

  test("a web client redeems with its secret, in the body or by Basic, but not with another one", async () => {
    fixture.server.secret = "s3cret:%";
    const basic = `Basic ${Buffer.from(`${CONTOSO.serverAppId}:s3cret%3A%25`).toString("base64")}`;
    const { client_id: _client, ...withoutClient } = await redeemable(server);
    expect((await fixture.token(withoutClient, { authorization: basic })).status).toBe(200);
    expect((await fixture.token({ ...(await redeemable(server)), client_secret: "s3cret:%" })).status).toBe(200);
    expect(refusal(await fixture.token({ ...(await redeemable(server)), client_secret: "guess" }))).toEqual({
      status: 401,
      error: "invalid_client",
      codes: [7000215],
    });
  });

  test("a single-page application redeems only from a browser, and no other client may", async () => {
    const origin = "https://app.contoso.example";
    Object.assign(fixture.client, { redirectUris: { public: [CALLBACK], web: [], spa: [`${origin}/`] } });
    const spa = { redirect_uri: `${origin}/` };
    const withoutPkce = await fixture.authorize(adele, { ...spa, code_challenge: undefined });
    expect(withoutPkce.get("error_description")).toMatch(/^AADSTS900144: .*'code_challenge'/);
    expect(refusal(await fixture.token(await redeemable(spa)))).toEqual({
      status: 400,
      error: "invalid_request",
      codes: [9002327],
    });
    const allowed = await fixture.token(await redeemable(spa), { origin });
    expect([allowed.status, allowed.headers.get("access-control-allow-origin")]).toEqual([200, origin]);
    expect(refusal(await fixture.token(await redeemable(), { origin }))).toEqual({
      status: 400,
      error: "invalid_request",
      codes: [9002326],
    });
  });

  test("a public client must not send a secret", async () => {
    const answer = await fixture.token({ ...(await redeemable()), client_secret: "x" });
    expect(refusal(answer)).toEqual({ status: 401, error: "invalid_client", codes: [700025] });
  });

  test("the switch entra.invalidClientStatus changes the status of invalid_client", async () => {
    fixture.entra.switches["entra.invalidClientStatus"] = 400;
    expect((await fixture.token({ ...(await redeemable()), client_secret: "x" })).status).toBe(400);
  });
});
