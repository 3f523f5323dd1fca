import { describe, expect, inject, test } from "vitest";
import type { AuthSettings } from "../../emulators/app-service/index.ts";
import type { Claims } from "../support/easy-auth-issuer.ts";
import { CLIENT_APP, SERVER_APP, type SiteUnderTest, startSite, TENANT, USER } from "./app-service-fixture.ts";

const CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";

const withTokenStore = (settings: AuthSettings) => {
  settings.login = { ...settings.login, tokenStore: { enabled: true } };
};

/** The cookies that a response sets, as a browser would send them back. */
function cookiesOf(response: Response): string {
  return response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(";")[0] ?? "")
    .filter((pair) => !pair.endsWith("="))
    .join("; ");
}

interface SignIn {
  /** Claims of the id token; the nonce of the sign-in page is a default. */
  readonly claims?: Claims;
  readonly state?: string;
  readonly query?: string;
  readonly cookies?: string;
}

/** Opens the sign-in page, and posts the id token that Entra ID would post. */
async function signIn({ call, issuer }: SiteUnderTest, { claims, state, query = "", cookies }: SignIn = {}) {
  const page = await call(`/.auth/login/aad${query}`);
  const { searchParams } = new URL(page.headers.get("location") ?? "");
  const user = { aud: SERVER_APP, oid: USER, sub: "subject", preferred_username: "adele@contoso.com", ver: "2.0" };
  const idToken = await issuer.sign({ ...user, nonce: searchParams.get("nonce"), ...claims });
  const form = { id_token: idToken, state: state ?? searchParams.get("state") ?? "" };
  const callback = await call("/.auth/login/aad/callback", {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded", cookie: cookies ?? cookiesOf(page) },
    body: new URLSearchParams(form).toString(),
  });
  return { page, callback, idToken, cookie: cookiesOf(callback) };
}

describe("31: /.auth/login/aad", () => {
  test("redirects to the authorize endpoint of the issuer for an id token with a nonce", async () => {
    const { site, issuer, call, received } = await startSite();
    const response = await call("/.auth/login/aad");
    expect(response.status).toBe(302);
    const location = new URL(response.headers.get("location") ?? "");
    expect(`${location.origin}${location.pathname}`).toBe(`${issuer.origin}/${TENANT}/oauth2/v2.0/authorize`);
    expect(Object.fromEntries(location.searchParams)).toEqual({
      response_type: "id_token",
      response_mode: "form_post",
      client_id: SERVER_APP,
      redirect_uri: `${site.origin}/.auth/login/aad/callback`,
      scope: "openid profile email",
      state: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      nonce: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
    });
    expect(response.headers.get("set-cookie")).toMatch(/^Nonce=[^;]+; Path=\/; HttpOnly; SameSite=Lax$/);
    expect(received).toEqual([]);
  });

  test("over https sets cookies that survive a form post across sites", async () => {
    const { call } = await startSite({ certificates: inject("certificates") });
    const response = await call("/.auth/login/aad");
    expect(response.headers.get("set-cookie")).toMatch(/; Path=\/; HttpOnly; Secure; SameSite=None$/);
  });

  test("takes loginParameters", async () => {
    const { call } = await startSite({
      settings: (settings) => {
        settings.identityProviders.azureActiveDirectory.login = {
          loginParameters: ["scope=openid", "domain_hint=a=b"],
        };
      },
    });
    const location = new URL((await call("/.auth/login/aad")).headers.get("location") ?? "");
    expect(location.searchParams.get("scope")).toBe("openid");
    expect(location.searchParams.get("domain_hint")).toBe("a=b");
  });

  test.each(["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"])(
    "refuses to lead to %s afterwards",
    async (target) => {
      const { call } = await startSite();
      const response = await call(`/.auth/login/aad?post_login_redirect_uri=${encodeURIComponent(target)}`);
      expect(response.status).toBe(400);
    },
  );

  test("leads to a url of allowedExternalRedirectUrls", async () => {
    const { call } = await startSite({
      settings: (settings) => {
        settings.login = { allowedExternalRedirectUrls: ["https://portal.contoso.com"] };
      },
    });
    const target = encodeURIComponent("https://portal.contoso.com/done");
    expect((await call(`/.auth/login/aad?post_login_redirect_uri=${target}`)).status).toBe(302);
  });
});

describe("31: /.auth/login/aad/callback", () => {
  test("sets the session cookie and leads back", async () => {
    const site = await startSite();
    const { callback, cookie } = await signIn(site, { query: "?post_login_redirect_uri=/page%3Fa=1" });
    expect(callback.status).toBe(302);
    expect(callback.headers.get("location")).toBe("/page?a=1");
    expect(cookie).toMatch(/^AppServiceAuthSession=[\w.-]+$/);
    const response = await site.call("/page", { headers: { cookie } });
    expect(response.status).toBe(200);
    expect(site.received[0]?.headers["x-ms-client-principal-id"]).toBe(USER);
    expect(site.received[0]?.headers["x-ms-client-principal-name"]).toBe("adele@contoso.com");
  });

  test("leads to /.auth/login/done when nothing was asked for", async () => {
    const site = await startSite();
    const { callback } = await signIn(site);
    expect(callback.headers.get("location")).toBe("/.auth/login/done");
    expect((await site.call("/.auth/login/done")).status).toBe(200);
  });

  test.each<[string, SignIn]>([
    ["another nonce", { claims: { nonce: "other" } }],
    ["another state", { state: "other" }],
    ["no nonce cookie", { cookies: "" }],
    ["another audience", { claims: { aud: CLIENT_APP } }],
    ["another issuer", { claims: { iss: "https://sts.windows.net/x/" } }],
  ])("refuses an id token with %s", async (_, options) => {
    const { callback, cookie } = await signIn(await startSite(), options);
    expect(callback.status).toBe(401);
    expect(cookie).toBe("");
  });

  test("without validateNonce does not compare the nonce", async () => {
    const site = await startSite({
      settings: (settings) => {
        settings.login = { nonce: { validateNonce: false } };
      },
    });
    const { callback } = await signIn(site, { claims: { nonce: "other" } });
    expect(callback.status).toBe(302);
  });

  test("after the nonce has expired is refused", async () => {
    const site = await startSite({
      settings: (settings) => {
        settings.login = { nonce: { nonceExpirationInterval: "00:00:00" } };
      },
    });
    expect((await signIn(site)).callback.status).toBe(401);
  });

  test("admits under allowedApplications, because the site itself obtained the token, and not another principal", async () => {
    const site = await startSite({
      settings: (settings) => {
        settings.identityProviders.azureActiveDirectory.validation = {
          defaultAuthorizationPolicy: {
            allowedApplications: [SERVER_APP],
            allowedPrincipals: { identities: [USER] },
          },
        };
      },
    });
    const { callback, cookie } = await signIn(site);
    expect(callback.status).toBe(302);
    expect((await site.call("/page", { headers: { cookie } })).status).toBe(200);
    expect((await signIn(site, { claims: { oid: CLIENT_APP } })).callback.status).toBe(403);
  });

  test("splits a long session into several cookies", async () => {
    const site = await startSite();
    const { cookie } = await signIn(site, { claims: { groups: Array.from({ length: 90 }, () => USER) } });
    expect(cookie.split("; ").map((pair) => pair.split("=")[0])).toEqual([
      "AppServiceAuthSession",
      "AppServiceAuthSession1",
    ]);
    expect((await site.call("/page", { headers: { cookie } })).status).toBe(200);
  });
});

describe("a cookie session", () => {
  test("28: yields X-MS-TOKEN-AAD-* with the token store", async () => {
    const site = await startSite({ settings: withTokenStore });
    const { idToken, cookie } = await signIn(site, { claims: { exp: 4102444800 } });
    await site.call("/page", { headers: { cookie } });
    expect(site.received[0]?.headers["x-ms-token-aad-id-token"]).toBe(idToken);
    expect(site.received[0]?.headers["x-ms-token-aad-expires-on"]).toBe("2100-01-01T00:00:00.000Z");
    expect(site.received[0]?.headers).not.toHaveProperty("x-ms-token-aad-access-token");
  });

  test("28: yields none of them without the token store", async () => {
    const site = await startSite();
    const { cookie } = await signIn(site);
    await site.call("/page", { headers: { cookie } });
    const names = Object.keys(site.received[0]?.headers ?? {});
    expect(names.filter((name) => name.startsWith("x-ms-token-"))).toEqual([]);
  });

  test.each([
    ["tampered with", (cookie: string) => `${cookie.slice(0, -2)}AA`],
    ["invented", () => "AppServiceAuthSession=invented"],
  ])("that was %s counts as no session", async (_, change) => {
    const site = await startSite();
    const { cookie } = await signIn(site);
    expect((await site.call("/page", { headers: { cookie: change(cookie) } })).status).toBe(401);
  });

  test("ends after cookieExpiration, or with the id token where the settings say so", async () => {
    const site = await startSite({
      settings: (settings) => {
        settings.login = { cookieExpiration: { timeToExpiration: "00:00:00" } };
      },
    });
    const { cookie } = await signIn(site);
    expect((await site.call("/page", { headers: { cookie } })).status).toBe(401);
    site.site.authSettings.login = { cookieExpiration: { convention: "IdentityProviderDerived" } };
    const derived = await signIn(site);
    expect((await site.call("/page", { headers: { cookie: derived.cookie } })).status).toBe(200);
  });

  test("gives way to a bearer token", async () => {
    const site = await startSite();
    const { cookie } = await signIn(site);
    const authorization = `Bearer ${await site.token({ oid: CLIENT_APP })}`;
    await site.call("/page", { headers: { cookie, authorization } });
    expect(site.received[0]?.headers["x-ms-client-principal-id"]).toBe(CLIENT_APP);
  });

  test.each<[string, Record<string, string>, number]>([
    ["a browser and a foreign Origin", { "user-agent": CHROME, origin: "https://evil.example" }, 403],
    ["a browser and a foreign Referer", { "user-agent": CHROME, referer: "https://evil.example/x" }, 403],
    ["a browser and neither Origin nor Referer", { "user-agent": CHROME }, 403],
    ["a browser and Origin null", { "user-agent": CHROME, origin: "null" }, 403],
    ["a browser and an allowed Origin", { "user-agent": CHROME, origin: "https://portal.contoso.com" }, 200],
    ["another client and a foreign Origin", { "user-agent": "curl/8", origin: "https://evil.example" }, 200],
  ])("31: POST with the cookie, %s: %3$d", async (_, headers, status) => {
    const site = await startSite({
      settings: (settings) => {
        settings.login = { allowedExternalRedirectUrls: ["https://portal.contoso.com/app"] };
      },
    });
    const { cookie } = await signIn(site);
    const response = await site.call("/page", { method: "POST", headers: { ...headers, cookie } });
    expect(response.status).toBe(status);
    expect(site.received).toHaveLength(status === 200 ? 1 : 0);
    expect(response.headers.has("x-ms-middleware-request-id")).toBe(status === 403);
  });

  test("31: POST with the cookie by a browser of the same origin, and GET from a foreign one, pass", async () => {
    const site = await startSite();
    const { cookie } = await signIn(site);
    const same = { "user-agent": CHROME, origin: site.site.origin, cookie };
    expect((await site.call("/page", { method: "POST", headers: same })).status).toBe(200);
    const foreign = { "user-agent": CHROME, origin: "https://evil.example", cookie };
    expect((await site.call("/page", { headers: foreign })).status).toBe(200);
  });

  test("31: POST with a bearer token falls under the rule only with easyauth.csrfForBearer", async () => {
    const { site, call, token } = await startSite();
    const headers = {
      "user-agent": CHROME,
      origin: "https://evil.example",
      authorization: `Bearer ${await token()}`,
    };
    expect((await call("/mcp", { method: "POST", headers })).status).toBe(200);
    site.switches["easyauth.csrfForBearer"] = true;
    expect((await call("/mcp", { method: "POST", headers })).status).toBe(403);
  });
});

describe("31: the other endpoints", () => {
  test("/.auth/me needs the token store and a session", async () => {
    const site = await startSite({ settings: withTokenStore });
    const { idToken, cookie } = await signIn(site, { claims: { exp: 4102444800 } });
    const response = await site.call("/.auth/me", { headers: { cookie } });
    expect(await response.json()).toEqual([
      {
        expires_on: "2100-01-01T00:00:00.000Z",
        id_token: idToken,
        provider_name: "aad",
        user_claims: expect.arrayContaining([
          { typ: "http://schemas.microsoft.com/identity/claims/objectidentifier", val: USER },
        ]) as unknown,
        user_id: "adele@contoso.com",
      },
    ]);
    expect((await site.call("/.auth/me")).status).toBe(401);
    site.site.authSettings.login = { tokenStore: { enabled: false } };
    expect((await site.call("/.auth/me", { headers: { cookie } })).status).toBe(404);
  });

  test("/.auth/refresh is refused, because there is no refresh token", async () => {
    const site = await startSite({ settings: withTokenStore });
    const { cookie } = await signIn(site);
    expect((await site.call("/.auth/refresh", { headers: { cookie } })).status).toBe(403);
    expect((await site.call("/.auth/refresh")).status).toBe(401);
  });

  test("/.auth/logout clears the cookies and the stored tokens", async () => {
    const site = await startSite({ settings: withTokenStore });
    const { cookie } = await signIn(site);
    const response = await site.call("/.auth/logout", { headers: { cookie } });
    expect(response.status).toBe(302);
    expect(response.headers.get("location")).toBe("/.auth/logout/complete");
    expect(response.headers.get("set-cookie")).toMatch(/^AppServiceAuthSession=; Path=\/; Expires=Thu, 01 Jan 1970/);
    await site.call("/page", { headers: { cookie } });
    expect(site.received[0]?.headers).not.toHaveProperty("x-ms-token-aad-id-token");
    expect((await site.call("/.auth/logout/complete")).status).toBe(200);
  });

  test("login.routes.logoutEndpoint signs out as well, and leads where it may", async () => {
    const { call } = await startSite({
      settings: (settings) => {
        settings.login = { routes: { logoutEndpoint: "/bye" } };
      },
    });
    const allowed = await call("/bye?post_logout_redirect_uri=/home");
    expect(allowed.headers.get("location")).toBe("/home");
    const foreign = await call("/bye?post_logout_redirect_uri=https://evil.example");
    expect(foreign.headers.get("location")).toBe("/.auth/logout/complete");
  });

  test("POST /.auth/login/aad exchanges a token for one to send as X-ZUMO-AUTH", async () => {
    const site = await startSite({ settings: withTokenStore });
    const accessToken = await site.token();
    const login = (body: object) =>
      site.call("/.auth/login/aad", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
    const response = await login({ access_token: accessToken });
    expect(response.status).toBe(200);
    const { authenticationToken } = (await response.json()) as { authenticationToken: string };
    await site.call("/page", { headers: { "x-zumo-auth": authenticationToken } });
    expect(site.received[0]?.headers["x-ms-client-principal-id"]).toBe(USER);
    expect(site.received[0]?.headers["x-ms-token-aad-access-token"]).toBe(accessToken);
    expect((await login({ access_token: "rubbish" })).status).toBe(401);
    expect((await login({})).status).toBe(401);
    expect((await site.call("/page", { headers: { "x-zumo-auth": "rubbish" } })).status).toBe(401);
  });

  test("nothing below the prefix reaches the application, wherever the prefix is", async () => {
    const { call, received } = await startSite({
      settings: (settings) => {
        settings.globalValidation = { unauthenticatedClientAction: "AllowAnonymous" };
        settings.httpSettings = { routes: { apiPrefix: "/.login" } };
      },
    });
    expect((await call("/.login/anything")).status).toBe(404);
    expect((await call("/.login/login/aad")).status).toBe(302);
    expect((await call("/.auth/login/aad")).status).toBe(200);
    expect(received.map(({ url }) => url)).toEqual(["/.auth/login/aad"]);
  });
});
