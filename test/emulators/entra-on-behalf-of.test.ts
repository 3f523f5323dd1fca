import { generateKeyPair, SignJWT } from "jose";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { people } from "../../emulators/contoso/users.ts";
import { MICROSOFT_GRAPH_APP_ID } from "../../emulators/directory.ts";
import { claimsOf, type EntraFixture, GRAPH, refusal, SCOPE, startFixture } from "./entra-fixture.ts";

let fixture: EntraFixture;
beforeAll(async () => {
  fixture = await startFixture();
});
afterAll(() => fixture.entra.close());
beforeEach(() => fixture.reset());
afterEach(() => vi.useRealTimers());

const invalidGrant = (number: number) => ({ status: 400, error: "invalid_grant", codes: [number] });

const userToken = (user = "AdeleV", more: { mfa?: boolean; claims?: Record<string, unknown>; scope?: string } = {}) =>
  fixture.entra.issueAccessToken({ user, client: CONTOSO.sampleClientId, scope: SCOPE, ...more });

/** Claims signed by a key that the emulator does not publish. */
async function forged(claims: Record<string, unknown>): Promise<string> {
  const { privateKey } = await generateKeyPair("RS256");
  return new SignJWT(claims).setProtectedHeader({ alg: "RS256", kid: "foreign" }).sign(privateKey);
}

describe("the token for Graph", () => {
  test("is version 1, for the Graph that was asked for, with the consented scopes that were asked for", async () => {
    const { status, body } = await fixture.onBehalfOf(await userToken(), {
      scope: `${GRAPH}/User.Read ${GRAPH}/Mail.Read`,
    });
    expect(status).toBe(200);
    expect(body["scope"]).toBe(`${GRAPH}/User.Read ${GRAPH}/Mail.Read`);
    expect(claimsOf(body["access_token"])).toMatchObject({
      aud: "https://localhost:3003",
      iss: `${fixture.entra.httpOrigin}/sts/5b7e1e6c-4a52-4f0e-9d0a-6a3c1f6f2d11/`,
      appid: "c4f2c6a1-8d5b-4e0e-a6f7-2f6f5f1f9b10",
      oid: "87d349ed-44d7-43e1-9a83-5f2406dee5bd",
      scp: "User.Read Mail.Read",
      ver: "1.0",
    });
  });

  test(".default stands for everything that was consented to", async () => {
    const { body } = await fixture.onBehalfOf(await userToken(), { scope: `${GRAPH}/.default` });
    expect(claimsOf(body["access_token"])["scp"]).toBe(
      "User.Read User.ReadBasic.All People.Read MailboxSettings.Read Mail.Read Calendars.Read Files.Read.All " +
        "Mail.ReadWrite Mail.Send Calendars.ReadWrite Files.ReadWrite Tasks.Read Tasks.ReadWrite Chat.ReadBasic Chat.Read " +
        "ChatMessage.Send",
    );
    expect(String(body["scope"]).split(" ")).toContain(`${GRAPH}/.default`);
  });

  test("handles claims challenges when the request says so", async () => {
    const { body } = await fixture.onBehalfOf(await userToken(), {
      claims: '{"access_token":{"xms_cc":{"values":["cp1"]}}}',
    });
    expect(claimsOf(body["access_token"])["xms_cc"]).toEqual(["cp1"]);
  });

  test("a resource that no app owns is an error of the request", async () => {
    const answer = await fixture.onBehalfOf(await userToken(), { scope: "https://unknown.example/x" });
    expect(refusal(answer)).toEqual({ status: 400, error: "invalid_resource", codes: [500011] });
  });
});

describe("consent, second factor, assignment (items 7, 8, 13)", () => {
  test("without consent the exchange is refused, after consent it succeeds", async () => {
    const assertion = await userToken("LeeG");
    const { status, body } = await fixture.onBehalfOf(assertion);
    expect(status).toBe(400);
    expect(body).toMatchObject({ error: "invalid_grant", suberror: "consent_required", error_codes: [65001] });
    expect(body).not.toHaveProperty("claims");
    expect((await fixture.onBehalfOf(assertion, { scope: `${GRAPH}/.default` })).body["error_codes"]).toEqual([65001]);

    fixture.tenant.grants.push({
      clientAppId: CONTOSO.serverAppId,
      resourceAppId: MICROSOFT_GRAPH_APP_ID,
      userId: people.noConsent.id,
      scopes: ["User.Read"],
    });
    expect((await fixture.onBehalfOf(assertion)).status).toBe(200);
  });

  test("consent to one permission is not consent to another; an administrator's consent counts for all", async () => {
    const scope = `${GRAPH}/User.Read ${GRAPH}/User.Read.All`;
    expect(refusal(await fixture.onBehalfOf(await userToken(), { scope }))).toEqual(invalidGrant(65001));
    fixture.tenant.grants.push({
      clientAppId: CONTOSO.serverAppId,
      resourceAppId: MICROSOFT_GRAPH_APP_ID,
      userId: "all",
      scopes: ["User.Read.All"],
    });
    expect((await fixture.onBehalfOf(await userToken(), { scope })).status).toBe(200);
  });

  test("a user who needs a second factor is refused with a challenge, which a new sign-in satisfies", async () => {
    const { status, body } = await fixture.onBehalfOf(await userToken("MeganB"));
    expect(status).toBe(400);
    expect(body).toMatchObject({ error: "interaction_required", suberror: "basic_action", error_codes: [50076] });
    const claims = String(body["claims"]);
    expect(JSON.parse(claims)).toEqual({
      access_token: { capolids: { essential: true, values: [expect.any(String)] } },
    });

    const stepUp = await fixture.tokensFor({ as: "MeganB" }, { claims });
    expect((await fixture.onBehalfOf(String(stepUp.body["access_token"]))).status).toBe(200);
  });

  test("a downstream app that requires assignment refuses users without a role", async () => {
    const graph = fixture.tenant.applications.find(({ appId }) => appId === MICROSOFT_GRAPH_APP_ID);
    Object.assign(graph ?? {}, { appRoleAssignmentRequired: true });
    expect(refusal(await fixture.onBehalfOf(await userToken()))).toEqual(invalidGrant(50105));
    fixture.tenant.roleAssignments.push({
      userId: people.normal.id,
      resourceAppId: MICROSOFT_GRAPH_APP_ID,
      role: "Reader",
    });
    expect((await fixture.onBehalfOf(await userToken())).status).toBe(200);
  });
});

describe("the user's assertion (items 9, 10)", () => {
  test("must be for the client that presents it", async () => {
    fixture.tenant.applications.push({
      ...fixture.server,
      appId: "11111111-2222-4333-8444-555555555555",
      identifierUris: ["https://other.example"],
    });
    const answer = await fixture.onBehalfOf(
      await userToken("AdeleV", { scope: "https://other.example/user_impersonation" }),
    );
    expect(refusal(answer)).toEqual(invalidGrant(500131));
    expect(refusal(await fixture.onBehalfOf(await userToken("AdeleV", { claims: { aud: "nobody" } })))).toEqual(
      invalidGrant(500131),
    );
  });

  test("must not be tampered with, signed by a foreign key, of a foreign issuer or for Graph", async () => {
    const genuine = await userToken();
    const [head = "", , signature = ""] = genuine.split(".");
    const swapped = Buffer.from(JSON.stringify({ ...claimsOf(genuine), oid: people.needsMfa.id })).toString(
      "base64url",
    );
    const assertions = [
      `${head}.${swapped}.${signature}`,
      await forged(claimsOf(genuine)),
      await userToken("AdeleV", { claims: { iss: "https://login.example/v2.0" } }),
      await userToken("AdeleV", { scope: `${GRAPH}/User.Read` }),
      "not a token",
    ];
    for (const assertion of assertions) {
      expect(refusal(await fixture.onBehalfOf(assertion))).toEqual(invalidGrant(50013));
    }
  });

  test("must be within its lifetime", async () => {
    const now = Math.floor(Date.now() / 1000);
    expect(refusal(await fixture.onBehalfOf(await userToken("AdeleV", { claims: { exp: now - 1 } })))).toEqual(
      invalidGrant(500133),
    );
    expect(refusal(await fixture.onBehalfOf(await userToken("AdeleV", { claims: { nbf: now + 60 } })))).toEqual(
      invalidGrant(500133),
    );
  });

  test("must be a user's access token: neither an app-only token nor an id_token will do", async () => {
    const appOnly = await fixture.entra.issueAppToken({
      client: CONTOSO.otherClientId,
      resource: `api://${CONTOSO.serverAppId}`,
    });
    expect(refusal(await fixture.onBehalfOf(appOnly))).toEqual({
      status: 400,
      error: "unauthorized_client",
      codes: [7000114],
    });
    const idToken = await fixture.entra.issueIdToken({ user: "AdeleV", client: CONTOSO.serverAppId });
    expect(refusal(await fixture.onBehalfOf(idToken))).toEqual(invalidGrant(240002));
  });

  test("may be a v1 token of the same app, and one signed before a key rotation until the old key is retired", async () => {
    fixture.server.requestedAccessTokenVersion = 1;
    const assertion = await userToken();
    await fixture.entra.rotateKeys();
    expect((await fixture.onBehalfOf(assertion)).status).toBe(200);
    fixture.entra.retireOldKeys();
    expect(refusal(await fixture.onBehalfOf(assertion))).toEqual(invalidGrant(50013));
  });

  test("belongs to a user who still exists", async () => {
    const assertion = await userToken();
    fixture.tenant.users.splice(fixture.tenant.users.indexOf(people.normal), 1);
    expect(refusal(await fixture.onBehalfOf(assertion))).toEqual(invalidGrant(50034));
  });
});

describe("what comes with the token (item 19)", () => {
  test("client_info names user and tenant, for each user their own", async () => {
    const infos = await Promise.all(
      ["AdeleV", "AlexW"].map(async (user) => {
        const { body } = await fixture.onBehalfOf(await userToken(user), { client_info: "1" });
        const info = JSON.parse(Buffer.from(String(body["client_info"]), "base64url").toString()) as { uid: string };
        expect(info).toEqual({ uid: claimsOf(body["access_token"])["oid"], utid: CONTOSO.tenantId });
        return info.uid;
      }),
    );
    expect(infos).toEqual(["87d349ed-44d7-43e1-9a83-5f2406dee5bd", "6e3b8f19-27cd-4a60-8f5e-b41d9c70e204"]);
  });

  test("a refresh token comes only with offline_access, an id_token only with openid", async () => {
    const { body: plain } = await fixture.onBehalfOf(await userToken());
    expect(Object.keys(plain).sort()).toEqual(["access_token", "expires_in", "ext_expires_in", "scope", "token_type"]);
    const scope = `${GRAPH}/User.Read openid profile offline_access`;
    const { body: full } = await fixture.onBehalfOf(await userToken(), { scope });
    expect(claimsOf(full["id_token"])).toMatchObject({ aud: CONTOSO.serverAppId, oid: people.normal.id });
    const refreshed = await fixture.onBehalfOf("", {
      grant_type: "refresh_token",
      refresh_token: String(full["refresh_token"]),
      scope: `${GRAPH}/Mail.Read`,
    });
    expect(claimsOf(refreshed.body["access_token"])).toMatchObject({ oid: people.normal.id, scp: "Mail.Read" });
  });
});
