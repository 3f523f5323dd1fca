import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { people } from "../../emulators/contoso/users.ts";
import { logLine } from "../support/audit-lines.ts";
import { createRawClient, type RawClient, reachConsent, signInAtBroker } from "../support/broker.ts";
import { answerSignIn, Browser, type Page } from "../support/browser.ts";
import { connect } from "../support/mcp-clients.ts";
import { type Stack, startStack } from "../support/stack.ts";

const ADELE = { as: "AdeleV" };
const VSCODE = "https://vscode.dev/redirect";
const MFA_CLAIMS = '{"access_token":{"capolids":{"essential":true,"values":["b1c7a0de-52c4-4d35-9d6a-7f0e2c8a9b13"]}}}';
const TOKEN_PATH = /\/oauth2\/v2\.0\/token/;
const UNDER_WAY = /^__Host-interaction-[\w-]+$/;

let stack: Stack;
beforeAll(async () => {
  stack = await startStack("broker", { ALLOW_WRITES: "true" });
});
afterEach(() => stack.entra.traffic.recover());
afterAll(() => stack.close());

const isOutside = (url: URL) => url.hostname !== "localhost";
const isCallback = ({ pathname }: URL) => pathname === "/oauth/entra/callback";
const codeOf = (url: URL) => url.searchParams.get("code") ?? "";
const application = () => {
  const found = stack.tenant.applications.find(({ appId }) => appId === CONTOSO.serverAppId);
  if (!found) throw new Error("The server has no registration.");
  return found;
};

const deniedTo = ({ clientId }: RawClient, reason: string): unknown =>
  expect.objectContaining({ audit: "sign_in", decision: "denied", reason, clientId });

/** Goes to Entra for a new client, and stops before the browser is sent back. */
async function reachCallback(browser: Browser, start?: URL): Promise<{ client: RawClient; callback: URL }> {
  const client = await createRawClient(stack.serverOrigin);
  const atEntra = await browser.open(start ?? client.authorizeUrl());
  return { client, callback: (await answerSignIn(browser, atEntra, ADELE, isCallback)).url };
}

/** Follows a link of a page by its text. */
async function follow(browser: Browser, page: Page, text: string): Promise<Page> {
  const [, href] = new RegExp(`<a href="([^"]+)">${text}</a>`).exec(page.html) ?? [];
  if (href === undefined) throw new Error(`No link "${text}": ${page.status} ${page.html}`);
  return browser.open(new URL(href.replaceAll("&amp;", "&"), page.url), isOutside);
}

async function approve(browser: Browser, page: Page): Promise<URL> {
  const [form] = page.forms;
  if (!form) throw new Error(`No form: ${page.status} ${page.html}`);
  return (await browser.submit(form, { button: "approve" }, isOutside)).url;
}

describe("a sign-in that Entra refuses", () => {
  test("for want of consent shows the administrator's link, and goes on where it was once there is consent", async () => {
    const browser = new Browser();
    const client = await createRawClient(stack.serverOrigin);
    const grants = [...stack.tenant.grants];
    stack.tenant.userConsentRestricted = true;
    const page = await reachConsent(client.authorizeUrl(), { as: "LeeG", browser });
    expect(page).toMatchObject({ status: 403, url: { origin: stack.serverOrigin } });
    expect(page.html).toContain("An administrator has to allow this first");
    expect(await logLine(stack, "Entra ID refused a sign-in")).toMatchObject({ aadsts: "AADSTS90095" });

    const administrator = new Browser();
    const asked = await follow(administrator, page, "Allow it as an administrator");
    await administrator.submit(asked.forms[0] ?? fail("No form."), { button: "accept" });
    const again = await answerSignIn(browser, await follow(browser, page, "Sign in again"), { as: "LeeG" });
    stack.tenant.userConsentRestricted = false;
    expect(codeOf(await approve(browser, again))).not.toBe("");
    stack.tenant.grants = grants;
  });

  test("because the person declined is the person's no to the client too", async () => {
    const client = await createRawClient(stack.serverOrigin);
    const { url } = await reachConsent(client.authorizeUrl(), { as: "LeeG", consent: false });
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      error: "access_denied",
      error_description: "The person did not let this client in.",
    });
    await expect.poll(() => stack.server.log).toContainEqual(deniedTo(client, "consent_denied"));
  });

  test.each([
    ["temporarily_unavailable", "temporarily_unavailable", "Entra ID could not complete the sign-in (AADSTS90033)."],
    ["server_error", "server_error", "Entra ID could not complete the sign-in (AADSTS90033)."],
    ["<b>of its own</b>", "server_error", "Entra ID could not complete the sign-in (AADSTS90033)."],
    ["access_denied", "access_denied", "Entra ID did not let the person sign in (AADSTS90033)."],
    ["interaction_required", "access_denied", "Entra ID did not let the person sign in (AADSTS90033)."],
  ])("with %s and a number is told the client as %s, not as the person's no", async (error, told, description) => {
    const browser = new Browser();
    const { client, callback } = await reachCallback(browser);
    callback.searchParams.delete("code");
    callback.searchParams.set("error", error);
    callback.searchParams.set("error_description", "AADSTS90033: <b>of its own</b>");
    const { url } = await browser.open(callback, isOutside);
    expect(url.searchParams.get("error")).toBe(told);
    expect(url.searchParams.get("error_description")?.startsWith(description)).toBe(true);
    expect(url.href).not.toContain("its");
    if (told !== "access_denied") return;
    await expect.poll(() => stack.server.log).toContainEqual(deniedTo(client, "entra_refused"));
  });

  test("on the way to one's own page says so", async () => {
    const browser = new Browser();
    const { callback } = await reachCallback(browser, new URL(`${stack.serverOrigin}/oauth/connections`));
    callback.searchParams.delete("code");
    callback.searchParams.set("error", "access_denied");
    expect(await browser.open(callback)).toMatchObject({ status: 400, html: expect.stringContaining("not signed in") });
  });
});

test.each([
  ["hangs", { kind: "hang" }],
  ["fails", { kind: "status", status: 503 }],
  ["answers with something else", { kind: "garbage" }],
] as const)(
  "a sign-in for which Entra's token endpoint %s ends on a page from where it can go on",
  async (_what, fault) => {
    const browser = new Browser();
    const { callback } = await reachCallback(browser);
    stack.entra.traffic.fail(fault, { path: TOKEN_PATH });
    const page = await browser.open(callback);
    expect(page.status).toBe(502);
    expect(page.html).toContain("Entra ID could not complete the sign-in.");
    stack.entra.traffic.recover();
    const again = await answerSignIn(browser, await follow(browser, page, "Sign in again"), ADELE);
    expect(codeOf(await approve(browser, again))).not.toBe("");
  },
);

describe("sign-ins side by side in one browser", () => {
  test("end each on its own, whichever is answered first", async () => {
    const browser = new Browser();
    const [first, second] = [await reachCallback(browser), await reachCallback(browser)];
    const firstPage = await browser.open(first.callback);
    const secondPage = await browser.open(second.callback);
    const codes = [await approve(browser, firstPage), await approve(browser, secondPage)].map(codeOf);
    expect((await first.client.redeem(codes[0] ?? "")).status).toBe(200);
    expect((await second.client.redeem(codes[1] ?? "")).status).toBe(200);
    expect(browser.cookieNames("localhost").filter((name) => UNDER_WAY.test(name))).toEqual([]);
  });

  test("are ten at most: the oldest ends", async () => {
    const browser = new Browser();
    const started: URL[] = [];
    for (let count = 0; count < 11; count += 1) started.push((await reachCallback(browser)).callback);
    expect(browser.cookieNames("localhost").filter((name) => UNDER_WAY.test(name)).length).toBe(10);
    expect((await browser.open(started[0] ?? "")).status).toBe(400);
    expect((await browser.open(started[1] ?? "")).html).toContain("Approve");
    expect((await browser.open(started[10] ?? "")).html).toContain("Approve");
  });
});

describe("a form or address of the sign-in", () => {
  test.each([
    ["cross-site", 400],
    ["same-site", 400],
    ["none", 400],
    ["same-origin", 303],
  ])("that a browser sends from %s is answered with %i", async (site, status) => {
    const browser = new Browser({ "sec-fetch-site": site });
    const client = await createRawClient(stack.serverOrigin);
    const [form] = (await reachConsent(client.authorizeUrl(), { ...ADELE, browser })).forms;
    if (!form) throw new Error("No form.");
    expect((await browser.submit(form, { button: "approve" }, isOutside)).status).toBe(status);
  });

  test("counts for the sign-in that the cookie is of only", async () => {
    const begin = async () => {
      const url = (await createRawClient(stack.serverOrigin)).authorizeUrl();
      const response = await fetch(url, { redirect: "manual" });
      const uid = response.headers.get("location")?.split("/").at(-1) ?? "";
      const cookies = response.headers.getSetCookie().map((line) => line.split(";")[0] ?? "");
      return { uid, cookie: cookies.join("; ").replaceAll(`__Host-interaction-${uid}`, "__Host-interaction") };
    };
    const [own, other] = [await begin(), await begin()];
    const open = (uid: string) =>
      fetch(`${stack.serverOrigin}/oauth/sign-in/${uid}`, { redirect: "manual", headers: { cookie: own.cookie } });
    expect((await open(own.uid)).status).toBe(303);
    expect((await open(other.uid)).status).toBe(400);
  });

  test("that cannot be read is a page too", async () => {
    const response = await fetch(`${stack.serverOrigin}/oauth/connections`, {
      method: "POST",
      body: new URLSearchParams({ end: "x".repeat(9_000) }),
    });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain("This sign-in cannot go on");
  });
});

describe("the audit", () => {
  const grantsOf = ({ clientId }: RawClient) =>
    stack.server.log
      .filter((line) => line["audit"] === "grant" && line["clientId"] === clientId)
      .map(({ decision, reason, requestId, userId, tenantId }) => {
        expect(userId).toBe(people.normal.id);
        expect(tenantId).toBe(CONTOSO.tenantId);
        return { decision, reason, inRequest: typeof requestId === "string" };
      });
  const APPROVED = { decision: "approved", reason: undefined, inRequest: true };
  const ended = (reason: string) => ({ decision: "ended", reason, inRequest: true });

  async function signIn(client: RawClient) {
    const code = codeOf(await signInAtBroker(client.authorizeUrl(), ADELE));
    return { code, tokens: await client.redeem(code) };
  }

  test("has an approval, one that was remembered, and the end on the person's page; then the client is unknown again", async () => {
    const client = await createRawClient(stack.serverOrigin, { redirectUri: VSCODE });
    await signInAtBroker(client.authorizeUrl(), { ...ADELE, remember: true });
    expect((await reachConsent(client.authorizeUrl(), ADELE)).url.origin).toBe("https://vscode.dev");
    const browser = new Browser();
    const own = await answerSignIn(browser, await browser.open(`${stack.serverOrigin}/oauth/connections`), ADELE);
    expect(own.html).toContain("Its next sign-in needs no approval.");
    for (const form of own.forms) await browser.submit(form, { button: form.buttons[0]?.value ?? "" });
    expect((await reachConsent(client.authorizeUrl(), ADELE)).html).toContain("Approve");
    await expect
      .poll(() => grantsOf(client))
      .toEqual([APPROVED, { ...APPROVED, reason: "remembered" }, ended("signed_out"), ended("signed_out")]);
  });

  test("has the end of a grant whose code came twice, once", async () => {
    const client = await createRawClient(stack.serverOrigin);
    const { code } = await signIn(client);
    await client.redeem(code);
    await client.redeem(code);
    await expect.poll(() => grantsOf(client)).toEqual([APPROVED, ended("code_replayed")]);
  });

  test("has the end of a grant whose refresh token came twice", async () => {
    const client = await createRawClient(stack.serverOrigin);
    const { tokens } = await signIn(client);
    await client.refresh(tokens.body["refresh_token"] ?? "");
    await client.refresh(tokens.body["refresh_token"] ?? "");
    await expect.poll(() => grantsOf(client)).toEqual([APPROVED, ended("refresh_token_reused")]);
  });

  test.each(["refresh_token", "access_token"])("has the end of a grant that its client revoked by %s", async (kind) => {
    const client = await createRawClient(stack.serverOrigin);
    const { tokens } = await signIn(client);
    await client.revoke(tokens.body[kind] ?? "");
    await expect.poll(() => grantsOf(client)).toEqual([APPROVED, ended("revoked")]);
  });

  test("has the step that Conditional Access asked for, and the end of a grant that Entra does not honour any more", async () => {
    const client = await createRawClient(stack.serverOrigin);
    const { tokens } = await signIn(client);
    const mcp = await connect("sdk v2 (2026-07-28)", stack.mcpUrl, { token: tokens.body["access_token"] ?? "" });
    stack.graph.switches["graph.requireClaims"] = MFA_CLAIMS;
    const challenged = await mcp.call("get_my_profile");
    stack.graph.switches["graph.requireClaims"] = undefined;
    const error = challenged._meta?.["azure-graph-mcp/error"] as { signInUrl: string } | undefined;
    const browser = new Browser();
    const done = await answerSignIn(browser, await browser.open(error?.signInUrl ?? ""), { ...ADELE, mfa: true });
    expect(done.html).toContain("Done");
    const steppedUp = { decision: "stepped_up", reason: undefined, inRequest: true };
    await expect.poll(() => grantsOf(client)).toEqual([APPROVED, steppedUp]);

    const body = { error: "invalid_grant", error_description: "AADSTS700082: expired", error_codes: [700082] };
    stack.entra.traffic.fail({ kind: "status", status: 400, body }, { path: TOKEN_PATH });
    expect((await mcp.call("get_my_profile")).isError).toBe(true);
    await mcp.close();
    await expect
      .poll(() => grantsOf(client))
      .toEqual([APPROVED, steppedUp, { ...ended("refresh_failed"), inRequest: false }]);
  });
});

test("a broker with a client secret proves itself to Entra with that, and not with the managed identity", async () => {
  application().secret = "the secret of this registration";
  await stack.restart({ ENTRA_CLIENT_SECRET: "the secret of this registration" });
  stack.managedIdentity.traffic.clear();
  const client = await createRawClient(stack.serverOrigin);
  expect((await client.redeem(codeOf(await signInAtBroker(client.authorizeUrl(), ADELE)))).status).toBe(200);
  expect(stack.managedIdentity.traffic.requests.filter(({ url }) => url.includes("AzureADTokenExchange"))).toEqual([]);
  application().secret = "another one";
  const page = await reachConsent((await createRawClient(stack.serverOrigin)).authorizeUrl(), ADELE);
  expect(page.status).toBe(502);
  expect(await logLine(stack, "A sign-in at Entra ID could not be completed")).toMatchObject({
    error: "invalid_client",
    aadsts: "AADSTS7000215",
  });
});

function fail(message: string): never {
  throw new Error(message);
}
