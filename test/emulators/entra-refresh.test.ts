import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { people } from "../../emulators/contoso/users.ts";
import { CALLBACK, claimsOf, type EntraFixture, GRAPH, refusal, SCOPE, startFixture } from "./entra-fixture.ts";

let fixture: EntraFixture;
beforeAll(async () => {
  fixture = await startFixture();
});
afterAll(() => fixture.entra.close());
beforeEach(() => fixture.reset());
afterEach(() => vi.useRealTimers());

const adele = { as: "AdeleV" };
const offline = { scope: `${SCOPE} offline_access` };

describe("a client that is its own resource (item 6)", () => {
  const self = { client_id: CONTOSO.serverAppId };
  const guidScope = { scope: `${CONTOSO.serverAppId}/user_impersonation` };
  const refused = { status: 400, error: "invalid_request", codes: [90009] };

  beforeEach(() => {
    Object.assign(fixture.server, { redirectUris: { public: [CALLBACK], web: [], spa: [] } });
  });

  test("needs no consent to itself", async () => {
    const answer = await fixture.authorize({ ...adele, consent: false }, self);
    expect(answer.has("code")).toBe(true);
  });

  test("redeems a code in the URI form, and refreshes only in the GUID form", async () => {
    const { status, body } = await fixture.tokensFor(adele, { ...self, ...offline });
    expect(status).toBe(200);
    const token = body["refresh_token"];
    expect(refusal(await fixture.refresh(token, { ...self, scope: SCOPE }))).toEqual(refused);
    expect(refusal(await fixture.refresh(token, self))).toEqual(refused);
    expect((await fixture.refresh(token, { ...self, ...guidScope })).status).toBe(200);
  });

  test("follows the switch entra.selfToken", async () => {
    const { switches } = fixture.entra;
    const token = (await fixture.tokensFor(adele, { ...self, ...offline })).body["refresh_token"];
    switches["entra.selfToken"] = "scopeless-only";
    expect((await fixture.refresh(token, { ...self, scope: SCOPE })).status).toBe(200);
    expect(refusal(await fixture.refresh(token, self))).toEqual(refused);
    switches["entra.selfToken"] = "off";
    expect((await fixture.refresh(token, self)).status).toBe(200);
    switches["entra.selfToken"] = "token-guid-only";
    expect(refusal(await fixture.tokensFor(adele, self))).toEqual(refused);
    expect((await fixture.tokensFor(adele, { ...self, ...guidScope })).status).toBe(200);
  });

  test("differs from split apps, where every form succeeds", async () => {
    const { body } = await fixture.tokensFor(adele, offline);
    const token = body["refresh_token"];
    expect((await fixture.refresh(token, { scope: SCOPE })).status).toBe(200);
    expect((await fixture.refresh(token, guidScope)).status).toBe(200);
    expect((await fixture.refresh(token)).status).toBe(200);
    fixture.entra.switches["entra.scopelessRefresh"] = "reject";
    expect(refusal(await fixture.refresh(token))).toEqual({ status: 400, error: "invalid_request", codes: [900144] });
  });
});

describe("refresh tokens", () => {
  test("give new tokens of the same user, and a new refresh token each time", async () => {
    const first = (await fixture.tokensFor(adele, { scope: `${SCOPE} openid offline_access` })).body;
    const second = (await fixture.refresh(first["refresh_token"])).body;
    expect(claimsOf(second["access_token"])).toMatchObject({ oid: people.normal.id, scp: "user_impersonation" });
    expect(claimsOf(second["id_token"])).toMatchObject({ aud: CONTOSO.sampleClientId });
    expect(second["refresh_token"]).toMatch(/^[\w-]+$/);
    expect(second["refresh_token"]).not.toBe(first["refresh_token"]);
  });

  test("reach every resource of the sign-in, the first one without being told", async () => {
    const { body } = await fixture.tokensFor(adele, { scope: `${SCOPE} ${GRAPH}/Mail.Read offline_access` });
    expect(claimsOf(body["access_token"])["aud"]).toBe(CONTOSO.serverAppId);
    const graph = await fixture.refresh(body["refresh_token"], { scope: `${GRAPH}/Mail.Read` });
    expect(claimsOf(graph.body["access_token"])).toMatchObject({ aud: GRAPH, scp: "Mail.Read" });
  });

  test("are no use to another client, when invented, or without consent for the scope", async () => {
    const { body } = await fixture.tokensFor(adele, offline);
    const invalid = { status: 400, error: "invalid_grant", codes: [70000] };
    expect(refusal(await fixture.refresh(body["refresh_token"], { client_id: CONTOSO.otherClientId }))).toEqual(
      invalid,
    );
    expect(refusal(await fixture.refresh("invented"))).toEqual(invalid);
    expect(refusal(await fixture.refresh(body["refresh_token"], { scope: `${GRAPH}/Mail.Read` }))).toEqual({
      status: 400,
      error: "invalid_grant",
      codes: [65001],
    });
  });

  test("notice that a role was taken away, that consent was withdrawn and that the user was deleted", async () => {
    const { body } = await fixture.tokensFor(adele, offline);
    expect(claimsOf(body["access_token"])["roles"]).toEqual(["Mcp.Write"]);
    fixture.tenant.roleAssignments = [];
    const again = await fixture.refresh(body["refresh_token"]);
    expect(claimsOf(again.body["access_token"])["roles"]).toBeUndefined();
    fixture.tenant.grants = [];
    expect((await fixture.refresh(body["refresh_token"])).body["error_codes"]).toEqual([65001]);
    fixture.tenant.users.splice(0);
    expect((await fixture.refresh(body["refresh_token"])).body["error_codes"]).toEqual([50034]);
  });
});
