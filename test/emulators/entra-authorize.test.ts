import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { Browser, signIn } from "../support/browser.ts";
import { CALLBACK, CHALLENGE, claimsOf, type EntraFixture, RESOURCE, SCOPE, startFixture } from "./entra-fixture.ts";

let fixture: EntraFixture;
beforeAll(async () => {
  fixture = await startFixture();
});
afterAll(() => fixture.entra.close());
beforeEach(() => fixture.reset());
afterEach(() => vi.useRealTimers());

const adele = { as: "AdeleV" };

/** The error that the client is told by a redirect that comes before any page. */
async function immediateError(fields: Record<string, string | undefined>) {
  const page = await new Browser().open(fixture.authorizeUrl(fields), (url) => url.origin === new URL(CALLBACK).origin);
  const { searchParams } = page.url;
  const [, number] = /^AADSTS(\d+): /.exec(searchParams.get("error_description") ?? "") ?? [];
  return { error: searchParams.get("error"), number: Number(number), state: searchParams.get("state") };
}

/** The AADSTS number of an error page, which leads nowhere. */
async function errorPage(fields: Record<string, string | undefined>) {
  const page = await new Browser().open(fixture.authorizeUrl(fields));
  return { status: page.status, number: Number(/AADSTS(\d+): /.exec(page.html)?.[1]), forms: page.forms.length };
}

describe("resource against scopes at /authorize (items 1, 3, 4, 5)", () => {
  const api = `api://${CONTOSO.serverAppId}/user_impersonation`;
  const mismatch = { error: "invalid_target", number: 9010010, state: "s" };

  test("an api:// scope with the endpoint as resource is refused before any page", async () => {
    expect(await immediateError({ scope: api, resource: RESOURCE })).toEqual(mismatch);
  });

  test("a scope below the resource is accepted, together with OIDC scopes", async () => {
    const answer = await fixture.authorize(adele, { scope: `${SCOPE} openid offline_access`, resource: RESOURCE });
    expect(answer.get("code")).toMatch(/^[\w.-]+$/);
  });

  test.each([
    ["a trailing slash on the resource", SCOPE, `${RESOURCE}/`],
    ["a bare scope", "user_impersonation", RESOURCE],
    ["OIDC scopes only", "openid profile", RESOURCE],
    ["another identifier URI of the same app", SCOPE, "https://mcp.contoso.example"],
  ])("%s is refused", async (_what, scope, resource) => {
    expect(await immediateError({ scope, resource })).toEqual(mismatch);
  });

  test("the switch entra.resourceMatch turns the comparison into each of its alternatives", async () => {
    const { switches } = fixture.entra;
    switches["entra.resourceMatch"] = "any-identifier-uri";
    expect((await fixture.authorize(adele, { scope: api, resource: RESOURCE })).has("code")).toBe(true);
    switches["entra.resourceMatch"] = "ignore";
    expect((await fixture.authorize(adele, { resource: "https://elsewhere.example" })).has("code")).toBe(true);
    switches["entra.resourceMatch"] = "reject-always";
    expect(await immediateError({ resource: RESOURCE })).toEqual({
      error: "invalid_request",
      number: 901002,
      state: "s",
    });
  });

  test("a bare scope without resource is looked for in Graph and not found there", async () => {
    const page = await new Browser().open(fixture.authorizeUrl({ scope: "user_impersonation" }), () => true);
    expect(page.url.searchParams.get("error")).toBe("invalid_client");
    expect(page.url.searchParams.get("error_description")).toMatch(
      /^AADSTS650053: .*'user_impersonation'.*'00000003-0000-0000-c000-000000000000'/,
    );
  });

  test("a bare Graph scope is a scope of Graph", async () => {
    const { status, body } = await fixture.tokensFor(adele, { scope: "User.Read openid" });
    expect(status).toBe(200);
    expect(claimsOf(body["access_token"])).toMatchObject({
      aud: "00000003-0000-0000-c000-000000000000",
      scp: "User.Read",
      ver: "1.0",
    });
  });

  test("a scope of an unknown resource is refused with AADSTS500011", async () => {
    expect(await immediateError({ scope: "https://unknown.example/x" })).toEqual({
      error: "invalid_resource",
      number: 500011,
      state: "s",
    });
  });
});

describe("redirect URIs and platforms (item 16)", () => {
  test.each([
    "http://localhost:1/callback",
    "http://localhost/callback",
    "http://127.0.0.1:65535/callback",
    "http://127.0.0.1:33418/",
    "http://127.0.0.1:33418",
    "https://vscode.dev/redirect",
  ])("%s is accepted: loopback ports and an empty path make no difference", async (redirect_uri) => {
    const url = await signIn(fixture.authorizeUrl({ redirect_uri }), adele);
    expect(url.searchParams.has("code")).toBe(true);
  });

  test.each([
    "http://localhost:1/other",
    "http://localhost:1/callback/",
    "https://localhost/callback",
    "http://localhost.evil.example/callback",
    "https://vscode.dev:444/redirect",
    "https://vscode.dev/redirect?x=1",
  ])("%s is refused on an error page", async (redirect_uri) => {
    expect(await errorPage({ redirect_uri })).toEqual({ status: 400, number: 50011, forms: 0 });
  });

  test("an unknown client, a missing redirect URI and an unknown tenant get an error page", async () => {
    expect(await errorPage({ client_id: "nobody" })).toEqual({ status: 400, number: 700016, forms: 0 });
    expect(await errorPage({ redirect_uri: undefined })).toEqual({ status: 400, number: 900144, forms: 0 });
    const page = await new Browser().open(`${fixture.entra.httpOrigin}/common/oauth2/v2.0/authorize`);
    expect([page.status, /AADSTS\d+/.exec(page.html)?.[0]]).toEqual([400, "AADSTS90002"]);
  });

  test("an id_token is issued by form post only where the app allows it", async () => {
    const fields = {
      client_id: CONTOSO.serverAppId,
      redirect_uri: "https://mcp.contoso.example/.auth/login/aad/callback",
      response_type: "id_token",
      response_mode: "form_post",
      scope: "openid profile email",
      nonce: "n-1",
      state: "redir=%2F&x=a+b",
    };
    const url = await signIn(fixture.authorizeUrl(fields), adele);
    expect(url.origin + url.pathname).toBe("https://mcp.contoso.example/.auth/login/aad/callback");
    expect(url.searchParams.get("state")).toBe("redir=%2F&x=a+b");
    expect(claimsOf(url.searchParams.get("id_token"))).toMatchObject({
      aud: "c4f2c6a1-8d5b-4e0e-a6f7-2f6f5f1f9b10",
      nonce: "n-1",
      email: "AdeleV@contoso.com",
      oid: "87d349ed-44d7-43e1-9a83-5f2406dee5bd",
      ver: "2.0",
    });
    expect(url.searchParams.has("code")).toBe(false);

    fixture.server.enableIdTokenIssuance = false;
    const refused = await signIn(fixture.authorizeUrl(fields), adele);
    expect(refused.searchParams.get("error")).toBe("unsupported_response_type");
    expect(refused.searchParams.get("error_description")).toMatch(/^AADSTS700054: /);
  });

  test("a hybrid response carries a code and an id_token bound to it, in the fragment", async () => {
    const url = await signIn(
      fixture.authorizeUrl({
        client_id: CONTOSO.serverAppId,
        redirect_uri: "https://mcp.contoso.example/.auth/login/aad/callback",
        response_type: "id_token code",
        scope: "openid",
        nonce: "n",
      }),
      adele,
    );
    const answer = new URLSearchParams(url.hash.slice(1));
    expect([...answer.keys()]).toEqual(["state", "session_state", "code", "id_token"]);
    expect(claimsOf(answer.get("id_token"))["c_hash"]).toMatch(/^[\w-]{22}$/);
    expect(url.search).toBe("");
  });
});

describe("what an authorization request must say", () => {
  test.each([
    [{ scope: undefined }, "invalid_request", 900144],
    [{ response_type: undefined }, "invalid_request", 900144],
    [{ response_type: "token" }, "unsupported_response_type", 700051],
    [{ response_mode: "web_message" }, "unsupported_response_mode", 70007],
    [{ prompt: "admin_consent" }, "invalid_request", 90023],
    [{ code_challenge_method: "S512" }, "invalid_request", 50149],
    [{ code_challenge: "short" }, "invalid_request", 501491],
    [{ claims: "{" }, "invalid_request", 9002313],
    [{ prompt: "none" }, "login_required", 50058],
  ])("%o is answered with %s, AADSTS%i", async (fields, error, number) => {
    expect(await immediateError(fields)).toEqual({ error, number, state: "s" });
  });
});

describe("the answer to the client", () => {
  const query = (raw: string) => `${fixture.authorizeUrl({ state: undefined }).href}&state=${raw}`;

  test.each(["a%2Bb%2Fc%3D%3D", "a+b/c==", "https%3A%2F%2Fvscode.dev%2Fx%3Fy%3D1"])(
    "state %s comes back byte for byte, before the code",
    async (raw) => {
      const url = await signIn(query(raw), adele);
      expect(url.search).toMatch(/^\?state=[^&]+&session_state=[\da-f-]{36}&code=[\w.-]+$/);
      expect(url.search.split("&")[0]).toBe(`?state=${raw}`);
    },
  );

  test("without state there is none in the answer", async () => {
    const answer = await fixture.authorize(adele, { state: undefined });
    expect([...answer.keys()]).toEqual(["session_state", "code"]);
  });

  test("the fragment carries the answer on request", async () => {
    const url = await signIn(fixture.authorizeUrl({ response_mode: "fragment" }), adele);
    expect(url.hash).toMatch(/^#state=s&session_state=[\da-f-]{36}&code=[\w.-]+$/);
  });
});

test("a code challenge may be plain, as Entra allows", async () => {
  const { status } = await fixture.tokensFor(
    adele,
    { code_challenge: CHALLENGE, code_challenge_method: undefined },
    { code_verifier: CHALLENGE },
  );
  expect(status).toBe(200);
});
