import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { people } from "../../emulators/contoso/users.ts";
import { answerSignIn, Browser } from "../support/browser.ts";
import { claimsOf, type EntraFixture, GRAPH, refusal, SCOPE, startFixture } from "./entra-fixture.ts";

let fixture: EntraFixture;
beforeAll(async () => {
  fixture = await startFixture();
});
afterAll(() => fixture.entra.close());
beforeEach(() => fixture.reset());
afterEach(() => vi.useRealTimers());

const adele = { as: "AdeleV" };

describe("device codes", () => {
  async function start(scope = SCOPE): Promise<Readonly<Record<string, string>>> {
    const { status, body } = await fixture.post("devicecode", { client_id: CONTOSO.sampleClientId, scope });
    expect(status).toBe(200);
    expect(body).toMatchObject({ expires_in: 900, interval: 5 });
    return body as Record<string, string>;
  }

  const poll = (device: Readonly<Record<string, string>>, grant_type = "device_code") =>
    fixture.token({ grant_type, client_id: CONTOSO.sampleClientId, device_code: device["device_code"] });

  async function enter(device: Readonly<Record<string, string>>, choices: { as: string; consent?: boolean }) {
    const browser = new Browser();
    const { forms } = await browser.open(device["verification_uri"] ?? "");
    const [form] = forms;
    if (!form) throw new Error("no form");
    const next = await browser.submit(form, { fields: { user_code: device["user_code"]?.toLowerCase() ?? "" } });
    return answerSignIn(browser, next, choices);
  }

  test.each(["device_code", "urn:ietf:params:oauth:grant-type:device_code"])(
    "are redeemed by %s once the user has signed in",
    async (grantType) => {
      const device = await start(`${SCOPE} offline_access`);
      expect(refusal(await poll(device, grantType))).toEqual({
        status: 400,
        error: "authorization_pending",
        codes: [70016],
      });
      expect((await enter(device, adele)).html).toContain("<h1>You&#39;re signed in</h1>");
      const { status, body } = await poll(device, grantType);
      expect(status).toBe(200);
      expect(claimsOf(body["access_token"])).toMatchObject({ oid: people.normal.id, azp: CONTOSO.sampleClientId });
      expect((await fixture.refresh(body["refresh_token"])).status).toBe(200);
      expect((await poll(device, grantType)).body["error"]).toBe("bad_verification_code");
    },
  );

  test("end when the user declines or time runs out", async () => {
    const [declined, late] = [await start(), await start()];
    await enter(declined, { as: "AdeleV", consent: false });
    expect((await poll(declined)).body["error"]).toBe("authorization_declined");
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 15 * 60_000 });
    expect((await poll(late)).body["error"]).toBe("expired_token");
  });

  test("are no use to another client", async () => {
    const device = await start();
    await enter(device, adele);
    const answer = await fixture.token({
      grant_type: "device_code",
      client_id: CONTOSO.otherClientId,
      device_code: device["device_code"],
    });
    expect(answer.body["error"]).toBe("bad_verification_code");
  });

  test("are not for confidential clients", async () => {
    const answer = await fixture.post("devicecode", { client_id: CONTOSO.serverAppId, scope: "openid" });
    expect(refusal(answer)).toEqual({ status: 401, error: "invalid_client", codes: [7000218] });
  });

  test("that are unknown lead to an error page", async () => {
    const page = await enter({ ...(await start()), user_code: "BBBBBBBBB" }, adele);
    expect([page.status, /AADSTS\d+/.exec(page.html)?.[0]]).toEqual([400, "AADSTS70018"]);
  });
});

describe("client credentials", () => {
  const request = async () => ({
    grant_type: "client_credentials",
    client_id: CONTOSO.serverAppId,
    client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    client_assertion: await fixture.clientAssertion(),
    scope: `${GRAPH}/.default`,
  });

  test("give an app-only token to a client that presents its managed identity's token", async () => {
    const { status, body } = await fixture.token(await request());
    expect(status).toBe(200);
    const claims = claimsOf(body["access_token"]);
    expect(claims).toMatchObject({ aud: GRAPH, appid: CONTOSO.serverAppId, idtyp: "app", oid: claims["sub"] });
    expect(claims).not.toHaveProperty("scp");
    expect(body).not.toHaveProperty("refresh_token");
  });

  test("need a .default scope and credentials", async () => {
    const wrongScope = await fixture.token({ ...(await request()), scope: `${GRAPH}/User.Read` });
    expect(refusal(wrongScope)).toEqual({ status: 400, error: "invalid_scope", codes: [1002012] });
    const anonymous = await fixture.token({ ...(await request()), client_assertion: undefined });
    expect(refusal(anonymous)).toEqual({ status: 401, error: "invalid_client", codes: [7000218] });
  });
});
