import { describe, expect, inject, test } from "vitest";
import type { AppServiceSwitches, UnauthenticatedClientAction } from "../../emulators/app-service/index.ts";
import { SERVER_APP, startSite, TENANT, USER } from "./app-service-fixture.ts";

const EXCLUDING = (...excludedPaths: string[]) => ({
  settings: (settings: { globalValidation?: object }) => {
    settings.globalValidation = { unauthenticatedClientAction: "Return401", excludedPaths };
  },
});

describe("29: excluded paths", () => {
  test("without a token the application answers, without identity", async () => {
    const { call, received } = await startSite(EXCLUDING("/healthz"));
    const response = await call("/healthz?deep=1");
    expect(response.status).toBe(200);
    expect(Object.keys(received[0]?.headers ?? {}).filter((name) => name.startsWith("x-ms-"))).toEqual([]);
  });

  test("with a valid token the application sees the identity", async () => {
    const { callAs, token, received } = await startSite(EXCLUDING("/healthz"));
    await callAs(await token(), "/healthz");
    expect(received[0]?.headers["x-ms-client-principal-id"]).toBe(USER);
  });

  test("an invalid token is refused there too", async () => {
    const { callAs } = await startSite(EXCLUDING("/healthz"));
    expect((await callAs("rubbish", "/healthz")).status).toBe(401);
  });

  test("with easyauth.excludedPathsIdentity off tokens are neither checked nor turned into identity", async () => {
    const { site, callAs, token, received } = await startSite(EXCLUDING("/healthz"));
    site.switches["easyauth.excludedPathsIdentity"] = false;
    expect((await callAs("rubbish", "/healthz")).status).toBe(200);
    await callAs(await token(), "/healthz");
    expect(received[1]?.headers).not.toHaveProperty("x-ms-client-principal-id");
    expect((await callAs("rubbish", "/mcp")).status).toBe(401);
  });

  test.each(["/healthz/deep", "/healthz2", "/Healthz", "/mcp"])("the sibling %s is still refused", async (path) => {
    const { call } = await startSite(EXCLUDING("/healthz"));
    expect((await call(path)).status).toBe(401);
  });

  test("/health is not exempt unless it is listed", async () => {
    const { call } = await startSite({ ...EXCLUDING("/other"), healthCheckPath: "/health" });
    expect((await call("/health")).status).toBe(401);
  });

  test("a value in brackets is stored literally and exempts nothing", async () => {
    const { call } = await startSite(EXCLUDING("[/healthz]"));
    expect((await call("/healthz")).status).toBe(401);
  });

  test.each<[AppServiceSwitches["easyauth.excludedPathsMatch"], string, number]>([
    ["exact", "/", 200],
    ["exact", "/?from=mail", 200],
    ["exact", "/mcp", 401],
    ["prefix", "/mcp", 200],
  ])("with %s matching, / listed, a request for %s is answered with %d", async (match, path, status) => {
    const { call } = await startSite({ ...EXCLUDING("/"), switches: { "easyauth.excludedPathsMatch": match } });
    expect((await call(path)).status).toBe(status);
  });

  test.each<[keyof AppServiceSwitches, AppServiceSwitches[keyof AppServiceSwitches], string, number]>([
    ["easyauth.excludedPathsMatch", "prefix", "/healthz/deep", 200],
    ["easyauth.excludedPathsMatch", "prefix", "/healthz2", 401],
    ["easyauth.healthCheckBypass", true, "/health", 200],
    ["easyauth.healthCheckBypass", true, "/health/deep", 401],
  ])("with %s %s a request for %s is answered with %d", async (name, value, path, status) => {
    const { call } = await startSite({
      ...EXCLUDING("/healthz"),
      healthCheckPath: "/health",
      switches: { [name]: value },
    });
    expect((await call(path)).status).toBe(status);
  });
});

describe("30: unauthenticatedClientAction", () => {
  test.each<[UnauthenticatedClientAction, number, number]>([
    ["Return401", 401, 0],
    ["Return403", 403, 0],
    ["AllowAnonymous", 200, 1],
    ["RedirectToLoginPage", 302, 0],
  ])("%s answers %d", async (action, status, reached) => {
    const { call, received } = await startSite({
      settings: (settings) => {
        settings.globalValidation = { unauthenticatedClientAction: action };
      },
    });
    const response = await call("/mcp");
    expect(response.status).toBe(status);
    expect(received).toHaveLength(reached);
    expect(received[0]?.headers ?? {}).not.toHaveProperty("x-ms-client-principal");
    expect(response.headers.has("www-authenticate")).toBe(action === "Return401");
  });

  test("RedirectToLoginPage leads to the sign-in page and back", async () => {
    const { call } = await startSite({
      settings: (settings) => {
        delete settings.globalValidation;
      },
    });
    const response = await call("/page?a=1&b=2");
    expect(response.headers.get("location")).toBe("/.auth/login/aad?post_login_redirect_uri=%2Fpage%3Fa%3D1%26b%3D2");
  });

  test("requireAuthentication false lets anonymous requests through", async () => {
    const { call } = await startSite({
      settings: (settings) => {
        settings.globalValidation = { requireAuthentication: false, unauthenticatedClientAction: "Return401" };
      },
    });
    expect((await call("/mcp")).status).toBe(200);
  });

  test("platform.enabled false lets everything through, even an invalid token", async () => {
    const { callAs } = await startSite({
      settings: (settings) => {
        settings.platform = { enabled: false };
      },
    });
    expect((await callAs("rubbish")).status).toBe(200);
  });

  test("easyauth.runtimeV1Enforces false turns nobody away under ~1, and only there", async () => {
    const { site, call, callAs, token, received } = await startSite({
      switches: { "easyauth.runtimeV1Enforces": false },
    });
    expect((await call("/mcp")).status).toBe(200);
    expect((await callAs("rubbish")).status).toBe(200);
    await callAs(await token());
    expect(received[2]?.headers["x-ms-client-principal-id"]).toBe(USER);
    site.authSettings.platform = { runtimeVersion: "~2" };
    expect((await call("/mcp")).status).toBe(401);
  });
});

describe("32: requireHttps", () => {
  const STRICT = { switches: { "easyauth.loopbackCountsAsHttps": false } };

  test("redirects plain http, before any credential is read", async () => {
    const { site, callAs, received } = await startSite(STRICT);
    const response = await callAs("rubbish", "/mcp?a=1");
    expect(response.status).toBe(302);
    expect(response.headers.get("location")).toBe(`https://${new URL(site.origin).host}/mcp?a=1`);
    expect(received).toEqual([]);
  });

  test("does not redirect when it is false", async () => {
    const { call } = await startSite({
      ...STRICT,
      settings: (settings) => {
        settings.httpSettings = { requireHttps: false };
      },
    });
    expect((await call("/mcp")).status).toBe(401);
  });

  test("does not redirect loopback by default, nor https", async () => {
    const plain = await startSite();
    expect((await plain.call("/mcp")).status).toBe(401);
    const tls = await startSite({ ...STRICT, certificates: inject("certificates") });
    expect((await tls.call("/mcp")).status).toBe(401);
  });

  test("believes a configured forward proxy about the scheme", async () => {
    const { call } = await startSite({
      ...STRICT,
      settings: (settings) => {
        settings.httpSettings = { forwardProxy: { convention: "Custom", customProtoHeaderName: "X-Scheme" } };
      },
    });
    expect((await call("/mcp", { headers: { "x-scheme": "https" } })).status).toBe(401);
    expect((await call("/mcp", { headers: { "x-scheme": "http" } })).status).toBe(302);
  });
});

describe("the environment of the application", () => {
  test("holds what the platform injects, and the app settings", async () => {
    const { site, issuer } = await startSite({
      siteName: "contoso-mcp",
      appSettings: { MY_SETTING: "1", WEBSITE_AUTH_ENABLED: "overridden" },
      settings: (settings) => {
        settings.identityProviders.azureActiveDirectory.validation = { allowedAudiences: ["https://a", "https://b"] };
      },
    });
    const environment = site.environment();
    expect(environment).toMatchObject({
      MY_SETTING: "1",
      WEBSITE_SITE_NAME: "contoso-mcp",
      WEBSITE_HOSTNAME: new URL(site.origin).host,
      WEBSITE_AUTH_ENABLED: "True",
      WEBSITE_AUTH_DEFAULT_PROVIDER: "AzureActiveDirectory",
      WEBSITE_AUTH_CLIENT_ID: SERVER_APP,
      WEBSITE_AUTH_OPENID_ISSUER: `${issuer.origin}/${TENANT}/v2.0`,
      WEBSITE_AUTH_ALLOWED_AUDIENCES: "https://a https://b",
      WEBSITE_AUTH_UNAUTHENTICATED_ACTION: "Return401",
    });
    expect(environment["WEBSITE_INSTANCE_ID"]).toMatch(/^[0-9a-f]{64}$/);
    expect(JSON.parse(environment["WEBSITE_AUTH_V2_CONFIG_JSON"] ?? "")).toEqual(site.authSettings);
  });

  test("says only that authentication is off when it is", async () => {
    const { site } = await startSite({
      settings: (settings) => {
        settings.platform = { enabled: false };
      },
    });
    const names = Object.entries(site.environment()).filter(([name]) => name.startsWith("WEBSITE_AUTH_"));
    expect(names).toEqual([["WEBSITE_AUTH_ENABLED", "False"]]);
  });
});
