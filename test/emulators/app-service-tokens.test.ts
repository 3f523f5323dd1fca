import { describe, expect, test } from "vitest";
import type { AuthSettings } from "../../emulators/app-service/index.ts";
import type { Claims } from "../support/easy-auth-issuer.ts";
import { CLIENT_APP, SERVER_APP, startSite, TENANT, USER } from "./app-service-fixture.ts";

const EXPIRED = Math.floor(Date.now() / 1000) - 60;
const OTHER = "99999999-9999-4999-8999-999999999999";

type Policy = NonNullable<AuthSettings["identityProviders"]["azureActiveDirectory"]["validation"]>;

function validation(value: Policy): (settings: AuthSettings) => void {
  return (settings) => {
    settings.identityProviders.azureActiveDirectory.validation = value;
  };
}

describe("24: validation", () => {
  test("the client id is an audience although allowedAudiences is empty", async () => {
    const { token, callAs, received } = await startSite();
    const response = await callAs(await token());
    expect(response.status).toBe(200);
    expect(received).toHaveLength(1);
  });

  test("allowedAudiences adds an audience", async () => {
    const { token, callAs } = await startSite({
      settings: validation({ allowedAudiences: ["https://contoso.example/mcp"] }),
    });
    expect((await callAs(await token({ aud: "https://contoso.example/mcp" }))).status).toBe(200);
    expect((await callAs(await token())).status).toBe(200);
  });

  test.each<[string, Claims]>([
    ["the v1 issuer", { iss: `https://sts.windows.net/${TENANT}/`, ver: "1.0", appid: CLIENT_APP }],
    ["another audience", { aud: OTHER }],
    ["the identifier URI as audience", { aud: "https://contoso.example/mcp" }],
    ["a lifetime that has ended", { exp: EXPIRED }],
    ["a lifetime that has not begun", { nbf: EXPIRED + 600 }],
    ["no end", { exp: undefined }],
  ])("a token with %s is met with 401 and a challenge", async (_, claims) => {
    const { token, callAs, received } = await startSite();
    const response = await callAs(await token(claims));
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toMatch(/^Bearer realm=/);
    expect(received).toEqual([]);
  });

  test("a token signed with another key is met with 401", async () => {
    const { issuer, callAs, received } = await startSite();
    const response = await callAs(await issuer.forge({ aud: SERVER_APP, azp: CLIENT_APP, oid: USER }));
    expect(response.status).toBe(401);
    expect(received).toEqual([]);
  });

  test.each(["rubbish", "two words", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])("%j is met with 401", async (rubbish) => {
    const { callAs } = await startSite();
    expect((await callAs(rubbish)).status).toBe(401);
  });

  test("another scheme than Bearer counts as no token", async () => {
    const { call } = await startSite({
      settings: (settings) => {
        settings.globalValidation = { unauthenticatedClientAction: "AllowAnonymous" };
      },
    });
    const response = await call("/mcp", { headers: { authorization: "Basic YTpi" } });
    expect(response.status).toBe(200);
  });

  test("an invalid token is refused although anonymous requests are allowed", async () => {
    const { callAs } = await startSite({
      settings: (settings) => {
        settings.globalValidation = { unauthenticatedClientAction: "AllowAnonymous" };
      },
    });
    expect((await callAs("rubbish")).status).toBe(401);
  });

  test("a token that was valid is refused as soon as the settings no longer admit it", async () => {
    const { site, token, callAs } = await startSite();
    const bearer = await token();
    expect((await callAs(bearer)).status).toBe(200);
    site.authSettings.identityProviders.azureActiveDirectory.registration.clientId = OTHER;
    expect((await callAs(bearer)).status).toBe(401);
  });

  test("a token that was valid is refused once it expires", async () => {
    const { token, callAs } = await startSite();
    const bearer = await token({ exp: Math.floor(Date.now() / 1000) + 2 });
    expect((await callAs(bearer)).status).toBe(200);
    await expect.poll(async () => (await callAs(bearer)).status, { timeout: 5000 }).toBe(401);
  });

  test("the signing keys are fetched once for many tokens", async () => {
    const { issuer, token, callAs } = await startSite();
    await callAs(await token());
    await callAs(await token({ jti: "2" }));
    expect(issuer.keyRequests()).toBe(1);
  });

  test("signing keys that are not there give 500 and not a challenge", async () => {
    const { token, callAs } = await startSite({
      settings: (settings) => {
        const { registration } = settings.identityProviders.azureActiveDirectory;
        registration.openIdIssuer = registration.openIdIssuer.replace(TENANT, OTHER);
      },
    });
    expect((await callAs(await token())).status).toBe(500);
  });

  test("signing keys that cannot be fetched give 500 and not a challenge", async () => {
    const { issuer, token, callAs } = await startSite();
    const bearer = await token();
    await issuer.close();
    const response = await callAs(bearer);
    expect(response.status).toBe(500);
    expect(response.headers.has("www-authenticate")).toBe(false);
  });
});

describe("25: policies", () => {
  const application: Policy = { defaultAuthorizationPolicy: { allowedApplications: [CLIENT_APP] } };
  const principal: Policy = { defaultAuthorizationPolicy: { allowedPrincipals: { identities: [USER] } } };
  const both: Policy = {
    defaultAuthorizationPolicy: { allowedApplications: [CLIENT_APP], allowedPrincipals: { identities: [USER] } },
  };
  const tenants = { WEBSITE_AUTH_AAD_ALLOWED_TENANTS: `${OTHER}, ${TENANT}` };
  const servicePrincipal = { WEBSITE_AUTH_AAD_REQUIRE_CLIENT_SERVICE_PRINCIPAL: "1" };

  test.each<[string, Claims, Policy, Record<string, string>]>([
    ["azp outside allowedApplications", { azp: OTHER }, application, {}],
    ["appid outside allowedApplications", { azp: undefined, appid: OTHER }, application, {}],
    ["an id token, which names no application", { azp: undefined }, application, {}],
    ["oid outside allowedPrincipals", { oid: OTHER }, principal, {}],
    ["no oid, with allowedPrincipals", { oid: undefined }, principal, {}],
    ["an admitted application but another principal", { oid: OTHER }, both, {}],
    ["an admitted principal but another application", { azp: OTHER }, both, {}],
    ["tid outside the allowed tenants", { tid: "other" }, {}, tenants],
    ["no oid where a service principal is required", { oid: undefined }, {}, servicePrincipal],
  ])("%s: 403, empty, without a challenge", async (_, claims, policy, appSettings) => {
    const { token, callAs, received } = await startSite({ settings: validation(policy), appSettings });
    const response = await callAs(await token(claims));
    expect(response.status).toBe(403);
    expect(await response.text()).toBe("");
    expect(response.headers.has("www-authenticate")).toBe(false);
    expect(received).toEqual([]);
  });

  test.each<[string, Claims, Policy, Record<string, string>]>([
    ["azp in allowedApplications", {}, application, {}],
    ["appid in allowedApplications", { azp: undefined, appid: CLIENT_APP }, application, {}],
    ["oid in allowedPrincipals", { azp: OTHER }, principal, {}],
    ["both lists", {}, both, {}],
    ["tid in the allowed tenants", {}, {}, tenants],
    ["oid where a service principal is required", {}, {}, servicePrincipal],
    ["an id token without allowedApplications", { azp: undefined }, {}, {}],
  ])("%s: admitted", async (_, claims, policy, appSettings) => {
    const { token, callAs } = await startSite({ settings: validation(policy), appSettings });
    expect((await callAs(await token(claims))).status).toBe(200);
  });

  test("easyauth.forbiddenStatus answers 401 instead", async () => {
    const { token, callAs } = await startSite({
      settings: validation(application),
      switches: { "easyauth.forbiddenStatus": 401 },
    });
    const response = await callAs(await token({ azp: OTHER }));
    expect(response.status).toBe(401);
    expect(response.headers.has("www-authenticate")).toBe(false);
  });
});

test.each<[string, Claims]>([
  ["another scope", { scp: "something.else" }],
  ["neither scope nor role", { scp: undefined }],
])("26: a token with %s passes the platform", async (_, claims) => {
  const { token, callAs, received } = await startSite();
  expect((await callAs(await token(claims))).status).toBe(200);
  expect(received).toHaveLength(1);
});
