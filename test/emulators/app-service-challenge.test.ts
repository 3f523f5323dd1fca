import { request } from "node:http";
import { describe, expect, test } from "vitest";
import type { AppServiceSwitches } from "../../emulators/app-service/index.ts";
import { SERVER_APP, startSite, TENANT } from "./app-service-fixture.ts";

const PRM = "WEBSITE_AUTH_PRM_DEFAULT_WITH_SCOPES";
const SCOPE = "https://contoso.example/mcp/user_impersonation";

describe("21: no token and no PRM setting", () => {
  test("a request without a token is met with realm, authorization_uri and resource_id, separated by spaces", async () => {
    const { site, call, received } = await startSite();
    const response = await call("/mcp");
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe(
      `Bearer realm="${new URL(site.origin).host}" ` +
        `authorization_uri="https://login.windows.net/${TENANT}/oauth2/v2.0/authorize" resource_id="${SERVER_APP}"`,
    );
    expect(response.headers.get("content-length")).toBe("0");
    expect(response.headers.get("x-ms-middleware-request-id")).toMatch(/^[0-9a-f-]{36}$/);
    expect(response.headers.get("server")).toBe("Kestrel");
    expect(received).toEqual([]);
  });

  test.each<[AppServiceSwitches["easyauth.challengeAuthorizationUri"], string]>([
    ["v1", ` authorization_uri="https://login.windows.net/${TENANT}/oauth2/authorize" resource_id="${SERVER_APP}"`],
    [
      "v2-microsoftonline",
      ` authorization_uri="https://login.microsoftonline.com/${TENANT}/oauth2/v2.0/authorize" resource_id="${SERVER_APP}"`,
    ],
    ["none", ""],
  ])("with easyauth.challengeAuthorizationUri %s the challenge is the realm and %j", async (style, expected) => {
    const { site, call } = await startSite({ switches: { "easyauth.challengeAuthorizationUri": style } });
    const response = await call("/mcp");
    const realm = `Bearer realm="${new URL(site.origin).host}"`;
    expect(response.headers.get("www-authenticate")).toBe(`${realm}${expected}`);
  });

  test("with disableWWWAuthenticate the 401 has no challenge", async () => {
    const { call } = await startSite({
      settings: (settings) => {
        settings.identityProviders.azureActiveDirectory.login = { disableWWWAuthenticate: true };
      },
      appSettings: { [PRM]: SCOPE },
    });
    const response = await call("/mcp");
    expect(response.status).toBe(401);
    expect(response.headers.has("www-authenticate")).toBe(false);
  });
});

describe("22: no token and the PRM setting", () => {
  test("the challenge names the scope, a comma, and the path-inserted metadata url without the query", async () => {
    const { site, call } = await startSite({ appSettings: { [PRM]: SCOPE } });
    const response = await call("/runtime/mcp?x=1");
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe(
      `Bearer realm="${new URL(site.origin).host}", scope="${SCOPE}", ` +
        `resource_metadata="${site.origin}/.well-known/oauth-protected-resource/runtime/mcp"`,
    );
  });

  test("a request for the root is pointed to the root document", async () => {
    const { site, call } = await startSite({ appSettings: { [PRM]: SCOPE } });
    const response = await call("/");
    expect(response.headers.get("www-authenticate")).toContain(
      `resource_metadata="${site.origin}/.well-known/oauth-protected-resource"`,
    );
  });

  test("several scopes are separated by a space, or by a comma where the switch says so", async () => {
    const { site, call } = await startSite({ appSettings: { [PRM]: "https://h/mcp/a,https://h/mcp/b" } });
    const spaced = await call("/mcp");
    expect(spaced.headers.get("www-authenticate")).toContain('scope="https://h/mcp/a https://h/mcp/b", ');
    site.switches["easyauth.challengeScopeSeparator"] = "comma";
    const separated = await call("/mcp");
    expect(separated.headers.get("www-authenticate")).toContain('scope="https://h/mcp/a,https://h/mcp/b", ');
  });

  test("the full style keeps the older parameters, separated by spaces", async () => {
    const { site, call } = await startSite({
      appSettings: { [PRM]: SCOPE },
      switches: { "easyauth.challengeStyle": "full" },
    });
    const response = await call("/mcp");
    expect(response.headers.get("www-authenticate")).toBe(
      `Bearer realm="${new URL(site.origin).host}" ` +
        `authorization_uri="https://login.windows.net/${TENANT}/oauth2/v2.0/authorize" resource_id="${SERVER_APP}" ` +
        `scope="${SCOPE}", resource_metadata="${site.origin}/.well-known/oauth-protected-resource/mcp"`,
    );
  });

  test("a refused token adds error only with easyauth.challengeInvalidToken", async () => {
    const { site, call, callAs } = await startSite({ appSettings: { [PRM]: SCOPE } });
    const before = await callAs("rubbish");
    expect(before.headers.get("www-authenticate")).not.toContain("error=");
    site.switches["easyauth.challengeInvalidToken"] = true;
    const refused = await callAs("rubbish");
    expect(refused.headers.get("www-authenticate")).toMatch(/, error="invalid_token"$/);
    const without = await call("/mcp");
    expect(without.headers.get("www-authenticate")).not.toContain("error=");
  });
});

describe("23: protected resource metadata", () => {
  test.each([
    ["/.well-known/oauth-protected-resource", ""],
    ["/.well-known/oauth-protected-resource/mcp", "/mcp"],
    ["/.well-known/oauth-protected-resource/runtime/webhooks/mcp", "/runtime/webhooks/mcp"],
  ])("%s is anonymous and its resource ends with %j", async (path, suffix) => {
    const { site, issuer, call, received } = await startSite({ appSettings: { [PRM]: `${SCOPE},second` } });
    const response = await call(path);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toContain("application/json");
    expect(response.headers.has("access-control-allow-origin")).toBe(false);
    expect(response.headers.has("cache-control")).toBe(false);
    expect(await response.json()).toEqual({
      resource: `${site.origin}${suffix}`,
      authorization_servers: [`${issuer.origin}/${TENANT}/v2.0`],
      scopes_supported: ["https://contoso.example/mcp/user_impersonation", "second"],
    });
    expect(received).toEqual([]);
  });

  test("without the setting and with the path excluded the application answers", async () => {
    const path = "/.well-known/oauth-protected-resource/mcp";
    const { call, received } = await startSite({
      settings: (settings) => {
        settings.globalValidation = { unauthenticatedClientAction: "Return401", excludedPaths: [path] };
      },
    });
    const response = await call(path);
    expect(response.status).toBe(200);
    expect(received.map(({ url }) => url)).toEqual([path]);
  });

  test("without the setting the path is protected like any other", async () => {
    const { call } = await startSite();
    const response = await call("/.well-known/oauth-protected-resource/mcp");
    expect(response.status).toBe(401);
  });

  test("easyauth.prmWithoutSetting serves the root document without scopes, and only that", async () => {
    const { site, issuer, call } = await startSite({ switches: { "easyauth.prmWithoutSetting": true } });
    const root = await call("/.well-known/oauth-protected-resource");
    expect(await root.json()).toEqual({ resource: site.origin, authorization_servers: [issuer.openIdIssuer] });
    const inserted = await call("/.well-known/oauth-protected-resource/mcp");
    expect(inserted.status).toBe(401);
  });

  test("easyauth.prmAuthorizationServer always-v2 turns a v1 issuer into the v2 one", async () => {
    const { site, call } = await startSite({
      appSettings: { [PRM]: SCOPE },
      settings: (settings) => {
        settings.identityProviders.azureActiveDirectory.registration.openIdIssuer = `https://sts.windows.net/${TENANT}/`;
      },
    });
    const configured = await call("/.well-known/oauth-protected-resource");
    expect(await configured.json()).toMatchObject({ authorization_servers: [`https://sts.windows.net/${TENANT}/`] });
    site.switches["easyauth.prmAuthorizationServer"] = "always-v2";
    const response = await call("/.well-known/oauth-protected-resource");
    expect(await response.json()).toMatchObject({
      authorization_servers: [`https://login.microsoftonline.com/${TENANT}/v2.0`],
    });
  });

  test("easyauth.prmCors and easyauth.prmCacheControl add their headers", async () => {
    const { call } = await startSite({
      appSettings: { [PRM]: SCOPE },
      switches: { "easyauth.prmCors": true, "easyauth.prmCacheControl": "max-age=60" },
    });
    const document = await call("/.well-known/oauth-protected-resource");
    expect(document.headers.get("access-control-allow-origin")).toBe("*");
    expect(document.headers.get("cache-control")).toBe("max-age=60");
    const challenge = await call("/mcp");
    expect(challenge.headers.get("access-control-expose-headers")).toBe("WWW-Authenticate");
  });

  test("the host is the forwarded one where a forward proxy is configured, unless the switch says otherwise", async () => {
    const { site, call } = await startSite({
      appSettings: { [PRM]: SCOPE },
      settings: (settings) => {
        settings.httpSettings = { forwardProxy: { convention: "Standard" } };
      },
    });
    const headers = { "x-forwarded-host": "mcp.contoso.com", "x-forwarded-proto": "https" };
    const forwarded = await call("/.well-known/oauth-protected-resource/mcp", { headers });
    expect(await forwarded.json()).toMatchObject({ resource: "https://mcp.contoso.com/mcp" });
    const challenge = await call("/mcp", { headers });
    expect(challenge.headers.get("www-authenticate")).toContain('realm="mcp.contoso.com"');
    site.switches["easyauth.forwardProxyAffectsPrm"] = false;
    const direct = await call("/.well-known/oauth-protected-resource/mcp", { headers });
    expect(await direct.json()).toMatchObject({ resource: `${site.origin}/mcp` });
  });

  test("the Host header of the client is what realm and resource name", async () => {
    const { site } = await startSite({ appSettings: { [PRM]: SCOPE } });
    const challenge = await new Promise<string | undefined>((resolve, reject) => {
      request(`${site.origin}/mcp`, { headers: { host: "contoso.azurewebsites.net" } }, (response) => {
        resolve(response.resume().headers["www-authenticate"]);
      })
        .on("error", reject)
        .end();
    });
    expect(challenge).toContain('Bearer realm="contoso.azurewebsites.net", ');
    expect(challenge).toContain(
      'resource_metadata="http://contoso.azurewebsites.net/.well-known/oauth-protected-resource/mcp"',
    );
  });
});

test("33: a changed PRM setting takes effect only after a restart", async () => {
  const { site, call } = await startSite();
  site.appSettings[PRM] = SCOPE;
  const before = await call("/.well-known/oauth-protected-resource");
  expect(before.status).toBe(401);
  site.restart();
  const after = await call("/.well-known/oauth-protected-resource");
  expect(after.status).toBe(200);
  delete site.appSettings[PRM];
  const stillThere = await call("/.well-known/oauth-protected-resource");
  expect(stillThere.status).toBe(200);
});
