import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { verifyDeployment } from "../../src/verify/verify.ts";
import { userToken } from "../support/forged-tokens.ts";
import { type Stack, startStack } from "../support/stack.ts";
import { detailOf, namesOf } from "./reports.ts";

const PRM = "WEBSITE_AUTH_PRM_DEFAULT_WITH_SCOPES";

let stack: Stack;
let site: NonNullable<Stack["appService"]>;
let token: string;
let correct: { readonly authSettings: string; readonly appSettings: Record<string, string> };
beforeAll(async () => {
  stack = await startStack();
  if (!stack.appService) throw new Error("The stack has no App Service.");
  site = stack.appService;
  correct = { authSettings: JSON.stringify(site.authSettings), appSettings: { ...site.appSettings } };
});
afterAll(() => stack.close());
beforeEach(async () => {
  token = await userToken(stack);
});
afterEach(() => {
  site.switches["easyauth.excludedPathsMatch"] = "exact";
  Object.assign(site.authSettings, JSON.parse(correct.authSettings));
  Object.assign(site.appSettings, correct.appSettings);
  site.restart();
  site.setApp(stack.serverOrigin);
  stack.entra.traffic.recover();
});

interface FaultCase {
  readonly fault: string;
  readonly make: () => void;
  readonly check: string;
  readonly says: RegExp;
}

const validation = () => (site.authSettings.globalValidation ??= {});
const entra = () => site.authSettings.identityProviders.azureActiveDirectory;
const advertise = (scope: string | undefined) => {
  if (scope === undefined) delete site.appSettings[PRM];
  else site.appSettings[PRM] = scope;
  site.restart();
};

const CASES: readonly FaultCase[] = [
  {
    fault: "no metadata setting",
    make: () => advertise(undefined),
    check: "metadata",
    says: /no metadata \(404\)|no metadata \(401\)/,
  },
  {
    fault: "a scope under api://",
    make: () => advertise(`api://${CONTOSO.serverAppId}/user_impersonation`),
    check: "scopes",
    says: /AADSTS9010010/,
  },
  {
    fault: "a scope without its resource",
    make: () => advertise("user_impersonation"),
    check: "scopes",
    says: /AADSTS9010010/,
  },
  {
    fault: "a scope of another path of the host",
    make: () => advertise(`${site.origin}/user_impersonation`),
    check: "scopes",
    says: /AADSTS9010010/,
  },
  {
    fault: "a scope with one slash too many",
    make: () => advertise(`${site.origin}/mcp//user_impersonation`),
    check: "scopes",
    says: /AADSTS9010010/,
  },
  {
    fault: "a challenge that is switched off",
    make: () => (entra().login = { ...entra().login, disableWWWAuthenticate: true }),
    check: "challenge",
    says: /no WWW-Authenticate/,
  },
  {
    fault: "a redirect to the sign-in page instead of 401",
    make: () => (validation().unauthenticatedClientAction = "RedirectToLoginPage"),
    check: "challenge",
    says: /302, not 401/,
  },
  {
    fault: "403 instead of 401",
    make: () => (validation().unauthenticatedClientAction = "Return403"),
    check: "challenge",
    says: /403, not 401/,
  },
  {
    fault: "anonymous requests allowed",
    make: () => (validation().unauthenticatedClientAction = "AllowAnonymous"),
    check: "platform",
    says: /lets them through/,
  },
  {
    fault: "authentication not required",
    make: () => (validation().requireAuthentication = false),
    check: "platform",
    says: /lets them through/,
  },
  {
    fault: "/mcp among the excluded paths",
    make: () => validation().excludedPaths?.push("/mcp"),
    check: "platform",
    says: /lets them through/,
  },
  {
    fault: "/ among the excluded paths, on a platform that compares prefixes",
    make: () => (site.switches["easyauth.excludedPathsMatch"] = "prefix"),
    check: "platform",
    says: /lets them through/,
  },
  {
    fault: "health paths that are not excluded",
    make: () => (validation().excludedPaths = []),
    check: "health",
    says: /asks for a sign-in \(401\)/,
  },
  {
    fault: "an issuer of version 1",
    make: () => (entra().registration.openIdIssuer = `https://sts.windows.net/${CONTOSO.tenantId}/`),
    check: "authorization-server",
    says: /version 1 tokens/,
  },
  {
    fault: "an authorization server without a description",
    make: () => stack.entra.traffic.fail({ kind: "status", status: 404 }, { path: /openid-configuration/ }),
    check: "authorization-server",
    says: /describes itself nowhere/,
  },
  {
    fault: "a server that does not run",
    make: () => site.setApp("http://localhost:9"),
    check: "health",
    says: /answers 50\d: the server does not run/,
  },
];

test.each(CASES)("$fault is found, and nothing else", async ({ make, check, says }) => {
  make();
  const report = await verifyDeployment(new URL(stack.mcpUrl));

  expect(namesOf(report, "finding")).toEqual([check]);
  expect(detailOf(report, check)).toMatch(says);
});

test("a vault that cannot be read is found, and nothing else", async () => {
  stack.keyVault.traffic.fail({ kind: "status", status: 403 });
  await stack.restart();
  try {
    const report = await verifyDeployment(new URL(stack.mcpUrl));
    expect(namesOf(report, "finding")).toEqual(["readiness"]);
    expect(detailOf(report, "readiness")).toBe("/readyz answers 503: keys does not work");
  } finally {
    stack.keyVault.traffic.recover();
    await stack.restart();
  }
});

test("a client that is not allowed is found, and nothing else", async () => {
  const foreign = await userToken(stack, "AdeleV", { client: CONTOSO.otherClientId });
  const report = await verifyDeployment(new URL(stack.mcpUrl), { token: foreign });

  expect(namesOf(report, "finding")).toEqual(["token"]);
  const { fix } = report.results.find(({ check }) => check === "token") as { fix: string };
  expect(fix).toContain(`Put the client id ${CONTOSO.otherClientId} into allowedApplications and ALLOWED_CLIENT_IDS`);
});

test.each([
  { user: "LeeG", code: "consent_required" },
  { user: "MeganB", code: "interaction_required" },
])("a person who cannot use Graph ($code) is found in both eras, and nothing else", async ({ user, code }) => {
  const report = await verifyDeployment(new URL(stack.mcpUrl), { token: await userToken(stack, user) });

  expect(namesOf(report, "finding")).toEqual(["2026-07-28", "2025-11-25"]);
  expect(detailOf(report, "2026-07-28")).toBe(`get_my_profile failed: ${code}`);
});

test("a registration with version 1 tokens is found, and nothing else", async () => {
  const application = stack.tenant.applications.find(({ appId }) => appId === CONTOSO.serverAppId);
  if (!application) throw new Error("The tenant has no server.");
  application.requestedAccessTokenVersion = 1;
  try {
    const report = await verifyDeployment(new URL(stack.mcpUrl), { token: await userToken(stack) });
    expect(namesOf(report, "finding")).toEqual(["token"]);
    expect(detailOf(report, "token")).toBe("the token is one of version 1 and refused (401)");
  } finally {
    application.requestedAccessTokenVersion = 2;
  }
});

test("a token whose time is over counts as an expired one", async () => {
  const now = Math.floor(Date.now() / 1000);
  const expired = await userToken(stack, "AdeleV", { claims: { iat: now - 7200, nbf: now - 7200, exp: now - 3600 } });
  const report = await verifyDeployment(new URL(stack.mcpUrl), { token: expired });

  expect(namesOf(report, "finding")).toEqual([]);
  expect(namesOf(report, "ok")).toContain("expired-token");
  expect(namesOf(report, "skipped")).toContain("token");
});

test("the full style of challenge, which separates with blanks, is understood", async () => {
  site.switches["easyauth.challengeStyle"] = "full";
  try {
    expect(namesOf(await verifyDeployment(new URL(stack.mcpUrl), { token }), "finding")).toEqual([]);
  } finally {
    site.switches["easyauth.challengeStyle"] = "minimal";
  }
});
