import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser as Chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRawClient, reachConsent, register, signInAtBroker, type TokenAnswer } from "../support/broker.ts";
import { Browser } from "../support/browser.ts";
import { describeWithChromium, launchChromium } from "../support/chromium.ts";
import { type Stack, startStack } from "../support/stack.ts";

const ADELE = { as: "AdeleV" };
const VSCODE = "https://vscode.dev/redirect";

let stack: Stack;
beforeAll(async () => {
  stack = await startStack("broker");
});
afterAll(() => stack.close());

const codeOf = (url: URL): string => url.searchParams.get("code") ?? "";

async function openMcp({ body }: TokenAnswer): Promise<number> {
  const response = await fetch(stack.mcpUrl, {
    method: "POST",
    headers: {
      authorization: `Bearer ${body["access_token"]}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "initialize",
      params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "attacker", version: "1" } },
    }),
  });
  await response.text();
  return response.status;
}

describe("registration", () => {
  test.each([
    ["a script", "javascript:alert(1)"],
    ["a document in the address", "data:text/html,hello"],
    ["a foreign host", "https://attacker.example/callback"],
    ["a foreign host that looks like an allowed one", "https://vscode.dev.attacker.example/redirect"],
    ["an allowed host as user name", "https://vscode.dev@attacker.example/redirect"],
    ["http on a host that is not this computer", "http://vscode.dev/redirect"],
    ["a scheme that nobody allowed", "attacker://callback"],
    ["a fragment", "http://127.0.0.1/callback#code"],
  ])("of %s as redirect URI is refused", async (_what, redirectUri) => {
    const response = await register(stack.serverOrigin, { redirect_uris: [redirectUri] });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: expect.stringMatching(/^invalid_(redirect_uri|client_metadata)$/),
    });
  });

  test("of one good and one foreign redirect URI is refused as a whole", async () => {
    const response = await register(stack.serverOrigin, { redirect_uris: [VSCODE, "https://attacker.example/"] });
    expect(response.status).toBe(400);
  });

  test("of another grant or response type gives no more than codes and refresh tokens", async () => {
    const more = await register(stack.serverOrigin, {
      grant_types: ["authorization_code", "refresh_token", "client_credentials", "implicit", "password"],
    });
    expect(await more.json()).toMatchObject({ grant_types: ["authorization_code", "refresh_token"] });
    const implicit = await register(stack.serverOrigin, { response_types: ["token"] });
    expect(implicit.status).toBe(400);
  });
});

describe("an authorization request", () => {
  test.each([
    ["another host", "https://attacker.example/callback"],
    ["another path of this computer", "http://127.0.0.1:53682/other"],
    ["another name of this computer", "http://localhost:53682/callback"],
    ["a path that is normalized away", "http://127.0.0.1:53682/callback/../callback"],
    ["one more parameter", "http://127.0.0.1:53682/callback?next=x"],
  ])("with %s as redirect URI ends on a page of ours", async (_what, redirectUri) => {
    const client = await createRawClient(stack.serverOrigin);
    const page = await new Browser().open(client.authorizeUrl({ redirect_uri: redirectUri }), isOutside);
    expect(page.status).toBe(400);
    expect(page.url.origin).toBe(stack.serverOrigin);
    expect(page.html).toContain("did not register");
  });

  test("with another port of the registered loopback address goes on", async () => {
    const client = await createRawClient(stack.serverOrigin);
    const url = client.authorizeUrl({ redirect_uri: "http://127.0.0.1:1/callback" });
    expect((await signInAtBroker(url, ADELE)).origin).toBe("http://127.0.0.1:1");
  });

  test.each([
    ["without PKCE", { code_challenge: undefined, code_challenge_method: undefined }, "invalid_request"],
    ["with PKCE plain", { code_challenge_method: "plain" }, "invalid_request"],
    ["without PKCE method", { code_challenge_method: undefined }, "invalid_request"],
    ["without resource", { resource: undefined }, "invalid_target"],
    ["for another resource", { resource: "https://graph.microsoft.com" }, "invalid_target"],
    ["for a token in the address", { response_type: "token" }, "unsupported_response_type"],
  ])("%s is sent back before any sign-in", async (_what, changes, error) => {
    const client = await createRawClient(stack.serverOrigin);
    const { url } = await new Browser().open(client.authorizeUrl(changes), isOutside);
    expect(url.host).toBe("127.0.0.1:53682");
    const answer = new URLSearchParams(url.hash.slice(1) || url.search);
    expect(answer.get("error")).toBe(error);
    expect(answer.get("iss")).toBe(stack.serverOrigin);
    expect(answer.has("code")).toBe(false);
  });

  test("with prompt=none never gets a code, even right after a sign-in", async () => {
    const client = await createRawClient(stack.serverOrigin);
    const browser = new Browser();
    await signInAtBroker(client.authorizeUrl(), { ...ADELE, browser });
    const { url } = await browser.open(client.authorizeUrl({ prompt: "none" }), isOutside);
    expect(url.searchParams.get("error")).toBe("login_required");
  });

  test("that asks for the answer as a form gets it in the address", async () => {
    const client = await createRawClient(stack.serverOrigin);
    const url = await signInAtBroker(client.authorizeUrl({ response_mode: "form_post" }), ADELE);
    expect(codeOf(url)).not.toBe("");
  });

  test.each(["/oauth/authorize/", "/OAuth/Authorize"])("at %s is none", async (path) => {
    const client = await createRawClient(stack.serverOrigin);
    const url = client.authorizeUrl({ response_mode: "form_post" });
    url.pathname = path;
    expect((await new Browser().open(url)).status).toBe(404);
  });

  test("is answered with the issuer, so that a client notices a mix-up", async () => {
    const client = await createRawClient(stack.serverOrigin);
    const url = await signInAtBroker(client.authorizeUrl(), ADELE);
    expect(url.searchParams.get("iss")).toBe(stack.serverOrigin);
    expect(url.searchParams.get("state")).toBe("abc");
    // VS Code looks for "&code=".
    expect([...url.searchParams.keys()].at(-1)).toBe("code");
  });
});

describe("an approval", () => {
  test("of one client is none of another, and not even of the same on this computer", async () => {
    const [first, second] = [await createRawClient(stack.serverOrigin), await createRawClient(stack.serverOrigin)];
    const browser = new Browser();
    await signInAtBroker(first.authorizeUrl(), { ...ADELE, browser, remember: true });
    for (const client of [first, second]) {
      const page = await reachConsent(client.authorizeUrl(), { ...ADELE, browser });
      expect(page.html).toContain("Approve");
    }
  });

  test("that is remembered counts for that client at that address, for that person only", async () => {
    const allowed = await createRawClient(stack.serverOrigin, { redirectUri: VSCODE });
    const other = await createRawClient(stack.serverOrigin, { redirectUri: VSCODE });
    await signInAtBroker(allowed.authorizeUrl(), { ...ADELE, remember: true });
    expect((await reachConsent(allowed.authorizeUrl(), ADELE)).url.origin).toBe("https://vscode.dev");
    expect((await reachConsent(allowed.authorizeUrl({ prompt: "consent" }), ADELE)).html).toContain("Approve");
    expect((await reachConsent(other.authorizeUrl(), ADELE)).html).toContain("Approve");
    expect((await reachConsent(allowed.authorizeUrl(), { as: "AlexW" })).html).toContain("Approve");
  });

  test("cannot be given to another client's request with one's own form", async () => {
    const browser = new Browser();
    const victim = new Browser();
    const client = await createRawClient(stack.serverOrigin);
    const own = await reachConsent(client.authorizeUrl(), { ...ADELE, browser });
    const attacked = await reachConsent((await createRawClient(stack.serverOrigin)).authorizeUrl(), {
      ...ADELE,
      browser: victim,
    });
    const [ownForm, attackedForm] = [own.forms[0], attacked.forms[0]];
    if (!ownForm || !attackedForm) throw new Error("No form.");
    const crossed = await browser.submit({ ...attackedForm, fields: ownForm.fields }, { button: "approve" }, isOutside);
    expect(crossed.status).toBe(400);
    const forged = await victim.submit({ ...attackedForm, fields: ownForm.fields }, { button: "approve" }, isOutside);
    expect(forged.status).toBe(400);
  });

  test("counts once", async () => {
    const browser = new Browser();
    const client = await createRawClient(stack.serverOrigin);
    const [form] = (await reachConsent(client.authorizeUrl(), { ...ADELE, browser })).forms;
    if (!form) throw new Error("No form.");
    const first = await browser.submit(form, { button: "approve" }, isOutside);
    expect(codeOf(first.url)).not.toBe("");
    expect((await browser.submit(form, { button: "approve" }, isOutside)).status).toBe(400);
  });

  test("that is refused sends the client away without a code, and is in the audit", async () => {
    const client = await createRawClient(stack.serverOrigin);
    const url = await signInAtBroker(client.authorizeUrl(), { ...ADELE, approve: false });
    expect(url.searchParams.get("error")).toBe("access_denied");
    expect(url.searchParams.has("code")).toBe(false);
    expect(stack.server.log).toContainEqual(
      expect.objectContaining({ audit: "sign_in", decision: "denied", reason: "consent_denied" }),
    );
  });

  test("page names the client as unknown, without markup and without tricks of writing direction", async () => {
    const response = await register(stack.serverOrigin, {
      client_name: "<img src=x>\u202eedoC SV\u200b by Microsoft",
      redirect_uris: ["http://127.0.0.1:53682/callback"],
    });
    const { client_id } = (await response.json()) as { client_id: string };
    const client = await createRawClient(stack.serverOrigin, { clientId: client_id });
    const { html } = await reachConsent(client.authorizeUrl(), ADELE);
    expect(html).toContain("&lt;img src=x&gt;edoC SV by Microsoft");
    expect(html).toContain("unknown: it registered itself");
    expect(html).toContain("Nobody has checked who this client is");
    expect(html).toContain("a program on this computer (127.0.0.1:53682)");
  });
});

describe("the way back from Entra", () => {
  /** Signs in at Entra in one browser and stops right before it is sent back to the broker. */
  async function stopBeforeCallback(browser: Browser): Promise<URL> {
    const client = await createRawClient(stack.serverOrigin);
    const atEntra = await browser.open(client.authorizeUrl());
    const form = atEntra.forms.find(({ buttons: [button] }) => button?.text.includes("AdeleV@"));
    if (!form) throw new Error("No account page.");
    const button = form.buttons[0]?.value ?? "";
    return (await browser.submit(form, { button }, ({ pathname }) => pathname === "/oauth/entra/callback")).url;
  }

  test("is closed to another browser than the one that left (code injection)", async () => {
    const attacker = new Browser();
    const injected = await stopBeforeCallback(attacker);
    const victim = new Browser();
    await stopBeforeCallback(victim);
    expect((await victim.open(injected)).status).toBe(400);
    expect((await new Browser().open(injected)).status).toBe(400);
  });

  test("to one's own page is closed to another browser too (login CSRF)", async () => {
    const attacker = new Browser();
    const atEntra = await attacker.open(`${stack.serverOrigin}/oauth/connections`);
    const form = atEntra.forms.find(({ buttons: [button] }) => button?.text.includes("AdeleV@"));
    if (!form) throw new Error("No account page.");
    const button = form.buttons[0]?.value ?? "";
    const { url } = await attacker.submit(form, { button }, ({ pathname }) => pathname === "/oauth/entra/callback");
    expect((await new Browser().open(url)).status).toBe(400);
  });

  test("does not take the code of another sign-in of the same browser", async () => {
    const browser = new Browser();
    const first = await stopBeforeCallback(new Browser());
    const second = await stopBeforeCallback(browser);
    second.searchParams.set("code", first.searchParams.get("code") ?? "");
    // Entra refuses it: the verifier is another one.
    expect((await browser.open(second)).status).toBe(502);
  });

  test("is open once", async () => {
    const browser = new Browser();
    const back = await stopBeforeCallback(browser);
    expect((await browser.open(back)).html).toContain("Approve");
    expect((await browser.open(back)).status).toBe(400);
  });

  test.each(["/oauth/entra/callback", "/oauth/entra/callback?state=x&code=y", "/oauth/entra/callback?state=a&state=b"])(
    "without a sign-in (%s) leads nowhere",
    async (path) => {
      const page = await new Browser().open(`${stack.serverOrigin}${path}`);
      expect(page.status).toBe(400);
      expect(page.html).toContain("Start again in your client");
    },
  );
});

describe("a code", () => {
  test("that is replayed ends the grant: refresh token and access token with it", async () => {
    const client = await createRawClient(stack.serverOrigin);
    const code = codeOf(await signInAtBroker(client.authorizeUrl(), ADELE));
    const tokens = await client.redeem(code);
    expect(await openMcp(tokens)).toBe(200);
    expect(await client.redeem(code)).toMatchObject({ status: 400, body: { error: "invalid_grant" } });
    expect(await openMcp(tokens)).toBe(401);
    expect(await client.refresh(tokens.body["refresh_token"] ?? "")).toMatchObject({ status: 400 });
  });

  test("that is redeemed twice at once gives tokens to nobody", async () => {
    const client = await createRawClient(stack.serverOrigin);
    const code = codeOf(await signInAtBroker(client.authorizeUrl(), ADELE));
    const answers = await Promise.all([client.redeem(code), client.redeem(code), client.redeem(code)]);
    const given = answers.filter(({ status }) => status === 200);
    expect(given.length).toBeLessThanOrEqual(1);
    for (const answer of given) expect(await openMcp(answer)).toBe(401);
  });

  test.each([
    ["without its verifier", { code_verifier: "" }],
    ["with another verifier", { code_verifier: "a".repeat(43) }],
    ["at another redirect URI", { redirect_uri: "http://127.0.0.1:53683/callback" }],
  ])("%s gives nothing", async (_what, changes) => {
    const client = await createRawClient(stack.serverOrigin);
    const code = codeOf(await signInAtBroker(client.authorizeUrl(), ADELE));
    expect(await client.redeem(code, changes)).toMatchObject({
      status: 400,
      body: { error: expect.stringMatching(/^invalid_/) },
    });
  });

  test("of one client gives nothing to another", async () => {
    const [client, thief] = [await createRawClient(stack.serverOrigin), await createRawClient(stack.serverOrigin)];
    const code = codeOf(await signInAtBroker(client.authorizeUrl(), ADELE));
    expect(await thief.redeem(code, { code_verifier: client.verifier })).toMatchObject({ status: 400 });
  });

  test("gives no token for another resource than it was asked for", async () => {
    const client = await createRawClient(stack.serverOrigin);
    const code = codeOf(await signInAtBroker(client.authorizeUrl(), ADELE));
    const answer = await client.redeem(code, { resource: "https://graph.microsoft.com" });
    expect(answer).toMatchObject({ status: 400, body: { error: "invalid_target" } });
  });
});

describe("a refresh token", () => {
  test("that is used twice ends the whole grant", async () => {
    const client = await createRawClient(stack.serverOrigin);
    const first = await client.redeem(codeOf(await signInAtBroker(client.authorizeUrl(), ADELE)));
    const second = await client.refresh(first.body["refresh_token"] ?? "");
    expect(second.status).toBe(200);
    expect(await openMcp(second)).toBe(200);
    expect(await client.refresh(first.body["refresh_token"] ?? "")).toMatchObject({ body: { error: "invalid_grant" } });
    expect(await openMcp(second)).toBe(401);
    expect(await client.refresh(second.body["refresh_token"] ?? "")).toMatchObject({
      body: { error: "invalid_grant" },
    });
  });

  test("of one client gives nothing to another", async () => {
    const [client, thief] = [await createRawClient(stack.serverOrigin), await createRawClient(stack.serverOrigin)];
    const tokens = await client.redeem(codeOf(await signInAtBroker(client.authorizeUrl(), ADELE)));
    expect(await thief.refresh(tokens.body["refresh_token"] ?? "")).toMatchObject({ status: 400 });
  });
});

describe("a token of somebody else's", () => {
  test("of Entra, for this server, is not one of the broker", async () => {
    const token = await stack.entra.issueAccessToken({
      user: "AdeleV",
      client: stack.allowedClients[0] ?? "",
      scope: `${stack.mcpUrl}/user_impersonation`,
    });
    expect(await openMcp({ status: 200, body: { access_token: token } })).toBe(401);
  });

  test("of the broker never holds one of Entra", async () => {
    const client = await createRawClient(stack.serverOrigin);
    const { body } = await client.redeem(codeOf(await signInAtBroker(client.authorizeUrl(), ADELE)));
    const [, payload = ""] = (body["access_token"] ?? "").split(".");
    const claims = JSON.parse(Buffer.from(payload, "base64url").toString()) as Record<string, unknown>;
    expect(Object.keys(claims).sort()).toEqual(
      ["aud", "client_id", "exp", "gid", "iat", "iss", "jti", "oid", "roles", "scope", "sub", "tid"].sort(),
    );
    expect(claims).toMatchObject({ aud: stack.mcpUrl, iss: stack.serverOrigin });
    expect(Object.keys(body).sort()).toEqual(["access_token", "expires_in", "refresh_token", "scope", "token_type"]);
  });
});

describeWithChromium("in a real browser", () => {
  let chromium: Chromium;
  beforeAll(async () => {
    chromium = await launchChromium();
  });
  afterAll(() => chromium.close());

  /** Serves one page on another site: `127.0.0.1` is not `localhost` to a browser. */
  async function serve(html: string, host = "127.0.0.1") {
    const requests: string[] = [];
    const server = createServer((req, res) => {
      requests.push(req.url ?? "");
      res.setHeader("content-type", "text/html");
      res.end(html);
    });
    await new Promise<void>((done) => {
      server.listen(0, host, done);
    });
    const { port: bound } = server.address() as AddressInfo;
    const name = host.includes(":") ? `[${host}]` : host;
    return { origin: `http://${name}:${bound}`, requests, close: () => void server.close() };
  }

  async function reachConsentIn(page: Awaited<ReturnType<Chromium["newPage"]>>, redirectUri: string) {
    const client = await createRawClient(stack.serverOrigin, { redirectUri });
    await page.goto(client.authorizeUrl().href);
    await page.getByRole("button", { name: "Adele Vance" }).click();
    await page.getByRole("button", { name: "Approve" }).waitFor();
    return client;
  }

  test("the approval leads on to the client, and no cookie on the way is in reach of scripts or other sites", async () => {
    const callback = await serve("done");
    const page = await chromium.newPage();
    const ours = async () => (await page.context().cookies()).filter(({ name }) => name.startsWith("__"));
    await page.goto(`${stack.serverOrigin}/oauth/connections`);
    await page.getByRole("button", { name: "Adele Vance" }).click();
    await page.getByText("No client is connected.").or(page.getByText("Sign out and forget").first()).waitFor();
    await reachConsentIn(page, `${callback.origin}/callback`);
    const before = await ours();
    await page.getByRole("button", { name: "Approve" }).click();
    await page.waitForURL(`${callback.origin}/**`);
    expect(codeOf(new URL(page.url()))).not.toBe("");

    const cookies = [...before, ...(await ours())];
    const names = cookies.map(({ name }) => name.replace(/(?<=__Host-interaction-)[\w-]+/, "<uid>"));
    expect([...new Set(names)].sort()).toEqual([
      "__Host-browser",
      "__Host-interaction-<uid>",
      "__Host-interaction-<uid>.sig",
      "__Host-session",
      "__Host-session.sig",
      "__Host-visit",
      "__Secure-resume",
      "__Secure-resume.sig",
    ]);
    const reachable = cookies.filter((cookie) => !cookie.httpOnly || !cookie.secure || cookie.sameSite !== "Lax");
    expect(reachable).toEqual([]);
    await page.context().close();
    callback.close();
  });

  test("the approval leads on to a client at [::1], and to one with a scheme of its own", async () => {
    const callback = await serve("done", "::1");
    const page = await chromium.newPage();
    await reachConsentIn(page, `${callback.origin}/callback`);
    await page.getByRole("button", { name: "Approve" }).click();
    await page.waitForURL(`${callback.origin}/**`);
    expect(codeOf(new URL(page.url()))).not.toBe("");
    callback.close();

    await reachConsentIn(page, "cursor://anysphere.cursor-mcp/oauth/callback");
    const asked = page.waitForRequest((request) => request.url().startsWith("cursor:"), { timeout: 5_000 });
    await page.getByRole("button", { name: "Approve" }).click();
    await asked;
    await page.context().close();
  });

  test("a refusal leads on to the client too", async () => {
    const callback = await serve("done");
    const page = await chromium.newPage();
    await reachConsentIn(page, `${callback.origin}/callback`);
    await page.getByRole("button", { name: "Deny" }).click();
    await page.waitForURL(`${callback.origin}/**`);
    expect(new URL(page.url()).searchParams.get("error")).toBe("access_denied");
    await page.context().close();
    callback.close();
  });

  test("the consent page does not show in a frame of another site (clickjacking)", async () => {
    const callback = await serve("done");
    const page = await chromium.newPage();
    await reachConsentIn(page, `${callback.origin}/callback`);
    const consentUrl = page.url();
    const trap = await serve(`<iframe src="${consentUrl}"></iframe>`);
    await page.goto(trap.origin);
    await page.waitForLoadState("networkidle");
    const [, frame] = page.frames();
    // Not even the page that it would be without the cookies, which a frame of another site does not get.
    expect(await frame?.content()).not.toMatch(/Approve|This sign-in cannot go on/);
    await page.context().close();
    trap.close();
    callback.close();
  });

  test("another site cannot send the form (CSRF)", async () => {
    const callback = await serve("done");
    const page = await chromium.newPage();
    await reachConsentIn(page, `${callback.origin}/callback`);
    const consentUrl = page.url();
    const csrf = (await page.locator("input[name=csrf]").getAttribute("value")) ?? "";
    // Even with the page's token, which another site could never read.
    const trap = await serve(
      `<form method="post" action="${consentUrl}"><input name="csrf" value="${csrf}"><button name="decision" value="approve">Win a prize</button></form>`,
    );
    await page.goto(trap.origin);
    await page.getByRole("button").click();
    await page.getByRole("heading", { name: "This sign-in cannot go on" }).waitFor();
    expect(callback.requests.filter((url) => url.includes("code="))).toEqual([]);
    await page.context().close();
    trap.close();
    callback.close();
  });

  test("no script runs on the page, whatever the client is called", async () => {
    const response = await register(stack.serverOrigin, {
      client_name: "<script>document.title='owned'</script>",
      redirect_uris: ["http://127.0.0.1:53682/callback"],
    });
    const { client_id } = (await response.json()) as { client_id: string };
    const client = await createRawClient(stack.serverOrigin, { clientId: client_id });
    const page = await chromium.newPage();
    await page.goto(client.authorizeUrl().href);
    await page.getByRole("button", { name: "Adele Vance" }).click();
    await page.getByRole("button", { name: "Approve" }).waitFor();
    expect(await page.title()).toContain("Let “<script>");
    await page.context().close();
  });
});

function isOutside(url: URL): boolean {
  return url.hostname !== "localhost";
}
