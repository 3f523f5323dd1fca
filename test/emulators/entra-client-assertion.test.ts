import { generateKeyPair, SignJWT } from "jose";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { claimsOf, type EntraFixture, refusal, SCOPE, startFixture } from "./entra-fixture.ts";

let fixture: EntraFixture;
beforeAll(async () => {
  fixture = await startFixture();
});
afterAll(() => fixture.entra.close());
beforeEach(() => fixture.reset());
afterEach(() => vi.useRealTimers());

const userToken = (user = "AdeleV", more: { mfa?: boolean; claims?: Record<string, unknown>; scope?: string } = {}) =>
  fixture.entra.issueAccessToken({ user, client: CONTOSO.sampleClientId, scope: SCOPE, ...more });

/** Claims signed by a key that the emulator does not publish. */
async function forged(claims: Record<string, unknown>): Promise<string> {
  const { privateKey } = await generateKeyPair("RS256");
  return new SignJWT(claims).setProtectedHeader({ alg: "RS256", kid: "foreign" }).sign(privateKey);
}

describe("the client assertion (items 11, 12)", () => {
  const invalidClient = (number: number) => ({ status: 401, error: "invalid_client", codes: [number] });

  /** Registers a federated credential, which never fails, and exchanges with the identity's real token. */
  async function exchangeWith(credential: Partial<{ issuer: string; subject: string; audiences: string[] }>) {
    const [registered] = fixture.server.federatedIdentityCredentials;
    if (!registered) throw new Error("The sample registration has no federated credential.");
    fixture.server.federatedIdentityCredentials = [{ ...registered, ...credential }];
    return fixture.onBehalfOf(await userToken());
  }

  test.each([
    ["issuer", { issuer: "https://login.microsoftonline.com/x/v2.0" }, 700211],
    ["subject", { subject: "someone-else" }, 700213],
    ["subject in another case", { subject: CONTOSO.managedIdentityPrincipalId.toUpperCase() }, 700213],
    ["audience", { audiences: ["api://AzureADTokenExchangeUSGov"] }, 7002121],
  ])("fails with its own number when the registered %s is wrong", async (_what, credential, number) => {
    expect(refusal(await exchangeWith(credential))).toEqual(invalidClient(number));
  });

  test("fails when nothing is registered, and names what was presented", async () => {
    fixture.server.federatedIdentityCredentials = [];
    const answer = await fixture.onBehalfOf(await userToken());
    expect(refusal(answer)).toEqual(invalidClient(700211));
    expect(answer.body["error_description"]).toContain(`'${fixture.entra.httpOrigin}/${CONTOSO.tenantId}/v2.0'`);
  });

  test("fails when its signature is bad or it is no token at all", async () => {
    const forgery = await forged(claimsOf(await fixture.clientAssertion()));
    for (const client_assertion of [forgery, "garbage"]) {
      expect(refusal(await fixture.onBehalfOf(await userToken(), { client_assertion }))).toEqual(invalidClient(700027));
    }
  });

  test("fails when it has expired", async () => {
    const client_assertion = await fixture.clientAssertion();
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 24 * 60 * 60 * 1000 });
    expect(refusal(await fixture.onBehalfOf(await userToken(), { client_assertion }))).toEqual(invalidClient(700024));
  });

  test("fails when it is a token of Entra that no managed identity got", async () => {
    const [credential] = fixture.server.federatedIdentityCredentials;
    if (!credential) throw new Error("The sample registration has no federated credential.");
    const client_assertion = await userToken("AdeleV", { claims: { aud: "api://AzureADTokenExchange" } });
    fixture.server.federatedIdentityCredentials = [
      { ...credential, subject: String(claimsOf(client_assertion)["sub"]) },
    ];
    expect(refusal(await fixture.onBehalfOf(await userToken(), { client_assertion }))).toEqual(invalidClient(700226));
  });

  test("must be there: neither nothing nor the user's client will do", async () => {
    const assertion = await userToken();
    expect(refusal(await fixture.onBehalfOf(assertion, { client_assertion: undefined }))).toEqual(
      invalidClient(7000218),
    );
    const missingType = await fixture.onBehalfOf(assertion, { client_assertion_type: undefined });
    expect(refusal(missingType)).toEqual({ status: 400, error: "invalid_request", codes: [900144] });
  });

  test("follows the switch entra.ficAudienceCode", async () => {
    fixture.entra.switches["entra.ficAudienceCode"] = 700212;
    expect(refusal(await exchangeWith({ audiences: [] }))).toEqual(invalidClient(700212));
  });

  test("of a system-assigned identity is accepted with a warning, or rejected by switch", async () => {
    const warnings = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    fixture.tenant.managedIdentities.splice(0);
    expect((await fixture.onBehalfOf(await userToken())).status).toBe(200);
    expect(warnings).toHaveBeenCalledOnce();
    fixture.entra.switches["entra.ficSystemAssigned"] = "reject";
    expect(refusal(await fixture.onBehalfOf(await userToken()))).toEqual(invalidClient(700236));
    warnings.mockRestore();
  });

  test("is not found until a new federated credential has reached every server", async () => {
    fixture.entra.switches["entra.ficPropagationSeconds"] = 60;
    const early = await fixture.onBehalfOf(await userToken());
    expect(refusal(early)).toEqual({ status: 400, error: "invalid_request", codes: [70021] });
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 61_000 });
    expect((await fixture.onBehalfOf(await userToken())).status).toBe(200);
  });
});
