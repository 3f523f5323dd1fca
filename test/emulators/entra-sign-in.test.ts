import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { CONTOSO, FIRST_PARTY_CLIENTS } from "../../emulators/contoso/tenant.ts";
import { people } from "../../emulators/contoso/users.ts";
import { answerSignIn, Browser, signIn } from "../support/browser.ts";
import { claimsOf, type EntraFixture, GRAPH, SCOPE, startFixture } from "./entra-fixture.ts";

let fixture: EntraFixture;
beforeAll(async () => {
  fixture = await startFixture();
});
afterAll(() => fixture.entra.close());
beforeEach(() => fixture.reset());
afterEach(() => vi.useRealTimers());

const adele = { as: "AdeleV" };

describe("consent (item 17)", () => {
  const preauthorized = {
    client_id: FIRST_PARTY_CLIENTS.visualStudioCode,
    redirect_uri: "http://127.0.0.1:33418/",
  };

  /** Titles of the pages that a user meets on the way. */
  async function pagesOf(fields: Record<string, string>): Promise<string[]> {
    const titles: string[] = [];
    const browser = new Browser();
    const leaves = (url: URL) => url.origin !== fixture.entra.httpOrigin;
    let page = await browser.open(fixture.authorizeUrl(fields), leaves);
    while (page.html) {
      titles.push(/<h1>(.*)<\/h1>/.exec(page.html)?.[1] ?? "");
      const [form] = page.forms;
      if (!form) throw new Error(page.html);
      page = form.action.pathname.endsWith("/login")
        ? await answerOnce(browser, page.forms, leaves)
        : await browser.submit(form, { button: "accept" }, leaves);
    }
    return titles;
  }

  const answerOnce = async (
    browser: Browser,
    forms: Awaited<ReturnType<Browser["open"]>>["forms"],
    stop: (url: URL) => boolean,
  ) => {
    const form = forms.find(({ buttons }) => buttons[0]?.value === people.normal.id);
    if (!form) throw new Error("Adele is not on the page.");
    return browser.submit(form, { button: people.normal.id }, stop);
  };

  test("a preauthorised client meets no consent page, unless it asks for one", async () => {
    expect(await pagesOf(preauthorized)).toEqual(["Pick an account"]);
    expect(await pagesOf({ ...preauthorized, prompt: "consent" })).toEqual([
      "Pick an account",
      "Permissions requested",
    ]);
  });

  test("another client meets it once: what the user accepts is stored in the tenant", async () => {
    const before = fixture.tenant.grants.length;
    expect(await pagesOf({})).toEqual(["Pick an account", "Permissions requested"]);
    expect(fixture.tenant.grants.slice(before)).toEqual([
      {
        clientAppId: CONTOSO.sampleClientId,
        resourceAppId: CONTOSO.serverAppId,
        userId: people.normal.id,
        scopes: ["user_impersonation"],
      },
    ]);
    expect(await pagesOf({})).toEqual(["Pick an account"]);
  });

  test("consent to one app is not consent to another that offers a scope of the same name", async () => {
    fixture.tenant.applications.push({
      ...fixture.server,
      appId: "other-api",
      identifierUris: ["https://other.example"],
    });
    expect(await pagesOf({ scope: "https://other.example/user_impersonation" })).toHaveLength(2);
    expect(await pagesOf({})).toEqual(["Pick an account", "Permissions requested"]);
  });

  test("the page names the app and describes the scopes", async () => {
    const browser = new Browser();
    const start = await browser.open(fixture.authorizeUrl({ scope: `${SCOPE} offline_access` }));
    const { html } = await answerOnce(browser, start.forms, () => false);
    expect(html).toContain("<strong>Sample MCP client</strong> would like to:");
    expect(html).toContain("Use the Microsoft Graph tools of this MCP server as you");
    expect(html).toContain("Keep the access that you give it while you are away");
    expect(html).not.toContain("Sign you in");
  });

  test("declining is told to the client as access_denied, and nothing is stored", async () => {
    const before = fixture.tenant.grants.length;
    const answer = await fixture.authorize({ ...adele, consent: false });
    expect(answer.get("error")).toBe("access_denied");
    expect(answer.get("error_subcode")).toBe("cancel");
    expect(answer.get("error_description")).toMatch(/^AADSTS65004: /);
    expect(answer.get("state")).toBe("s");
    expect(fixture.tenant.grants).toHaveLength(before);
  });

  test("a silent request without consent is refused with AADSTS65001, with consent it succeeds", async () => {
    const browser = new Browser();
    await signIn(fixture.authorizeUrl(preauthorized), { ...adele, browser });
    const silent = await signIn(fixture.authorizeUrl({ prompt: "none" }), { ...adele, browser });
    expect(silent.searchParams.get("error")).toBe("consent_required");
    expect(silent.searchParams.get("error_description")).toMatch(/^AADSTS65001: /);
    const allowed = await signIn(fixture.authorizeUrl({ ...preauthorized, prompt: "none" }), { ...adele, browser });
    expect(allowed.searchParams.has("code")).toBe(true);
  });

  test("where users may not consent, prompt=consent is refused even for a preauthorised client", async () => {
    fixture.tenant.userConsentRestricted = true;
    const answer = await fixture.authorize(adele, { ...preauthorized, prompt: "consent" });
    expect(answer.get("error_description")).toMatch(/^AADSTS90095: /);
    expect((await fixture.authorize(adele, preauthorized)).has("code")).toBe(true);
  });

  test("a scope that only an administrator may grant is refused", async () => {
    const answer = await fixture.authorize(adele, { scope: `${GRAPH}/User.Read.All` });
    expect(answer.get("error_description")).toMatch(/^AADSTS90094: /);
  });

  test("an app that requires assignment refuses users without a role at the sign-in", async () => {
    fixture.server.appRoleAssignmentRequired = true;
    expect((await fixture.authorize({ as: "DiegoS" })).get("error_description")).toMatch(/^AADSTS50105: /);
    expect((await fixture.authorize(adele)).has("code")).toBe(true);
  });
});

describe("second factor", () => {
  const challengeFor = (claim: string) =>
    JSON.stringify({ access_token: { [claim]: { essential: true, values: ["x"] } } });
  const challenge = challengeFor("capolids");

  test.each(["capolids", "polids", "acrs"])("a challenge for %s leads to it, and the token tells so", async (claim) => {
    const { body } = await fixture.tokensFor({ as: "MeganB" }, { claims: challengeFor(claim) });
    expect(claimsOf(body["access_token"])["amr"]).toEqual(["pwd", "mfa"]);
  });

  test("a silent request cannot ask for it", async () => {
    const browser = new Browser();
    await signIn(fixture.authorizeUrl(), { ...adele, browser });
    const answer = await signIn(fixture.authorizeUrl({ prompt: "none", claims: challenge }), { ...adele, browser });
    expect(answer.searchParams.get("error")).toBe("interaction_required");
  });

  test("without a challenge the user may choose it", async () => {
    const plain = await fixture.tokensFor({ as: "MeganB" });
    const chosen = await fixture.tokensFor({ as: "MeganB", mfa: true });
    expect(claimsOf(plain.body["access_token"])["amr"]).toEqual(["pwd"]);
    expect(claimsOf(chosen.body["access_token"])["amr"]).toEqual(["pwd", "mfa"]);
  });

  test("denying it is told to the client", async () => {
    const answer = await fixture.authorize({ as: "MeganB", mfa: false }, { claims: challenge });
    expect([answer.get("error"), answer.get("error_description")?.slice(0, 12)]).toEqual([
      "access_denied",
      "AADSTS500121",
    ]);
  });
});

describe("single sign-on", () => {
  const silent = (browser: Browser, fields: Record<string, string>) =>
    signIn(fixture.authorizeUrl(fields), { as: "nobody: no page is expected", browser });

  test("a browser that knows the expected user signs in without a page", async () => {
    const browser = new Browser();
    await signIn(fixture.authorizeUrl(), { ...adele, browser });
    expect((await silent(browser, { login_hint: "adelev@contoso.com" })).searchParams.has("code")).toBe(true);
    expect((await silent(browser, { prompt: "none" })).searchParams.has("code")).toBe(true);
  });

  test.each([
    [{}],
    [{ login_hint: "MeganB@contoso.com" }],
    [{ login_hint: "AdeleV@contoso.com", prompt: "select_account" }],
    [{ login_hint: "AdeleV@contoso.com", prompt: "login" }],
  ])("%o shows the accounts all the same", async (fields) => {
    const browser = new Browser();
    await signIn(fixture.authorizeUrl(), { ...adele, browser });
    expect((await browser.open(fixture.authorizeUrl(fields))).html).toContain("<h1>Pick an account</h1>");
  });

  test("after signing out nobody is known, and only a registered address is led to", async () => {
    const browser = new Browser();
    const logout = `${fixture.entra.httpOrigin}/${CONTOSO.tenantId}/oauth2/v2.0/logout?post_logout_redirect_uri=`;
    await signIn(fixture.authorizeUrl(), { ...adele, browser });
    const back = await browser.open(`${logout}https://mcp.contoso.example/.auth/logout/complete`, () => true);
    expect(back.url.href).toBe("https://mcp.contoso.example/.auth/logout/complete");
    expect((await silent(browser, { prompt: "none" })).searchParams.get("error")).toBe("login_required");
    const elsewhere = await browser.open(`${logout}https://elsewhere.example/`, () => true);
    expect(elsewhere.html).toContain("<h1>You signed out</h1>");
  });
});

describe("the pages", () => {
  test("say what is special about a user", async () => {
    const { html } = await new Browser().open(fixture.authorizeUrl());
    const tagsOf = (name: string) =>
      [...(html.split("<li>").find((item) => item.includes(name)) ?? "").matchAll(/class="tag">([^<]*)/g)].map(
        ([, tag]) => tag,
      );
    expect(tagsOf("AdeleV@")).toEqual([]);
    expect(tagsOf("MeganB@")).toEqual(["needs a second factor"]);
    expect(tagsOf("LeeG@")).toEqual(["no consent to Microsoft Graph"]);
    expect(tagsOf("DiegoS@")).toEqual(["no app role"]);
    expect(tagsOf("sam_fabrikam.com#EXT#@")).toEqual(["guest", "no mailbox", "no app role"]);
  });

  test("run no script, and let the form's redirect reach the client", async () => {
    const { headers, html } = await new Browser().open(fixture.authorizeUrl());
    const policy = headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain("script-src");
    expect(policy).toContain("form-action 'self' http://127.0.0.1:* http://localhost:* ");
    expect(policy).toContain(" https://vscode.dev");
    expect(html).not.toContain("<script");
  });

  test("escape what comes from the tenant", async () => {
    fixture.tenant.applications.push({ ...fixture.client, appId: "evil", displayName: '<img src=x onerror="1">' });
    const { html } = await new Browser().open(fixture.authorizeUrl({ client_id: "evil" }));
    expect(html).toContain("&lt;img src=x onerror=&quot;1&quot;&gt;");
    expect(html).not.toContain("<img");
  });

  test("work once: sending a form again leads to an error page", async () => {
    const browser = new Browser();
    const { forms } = await browser.open(fixture.authorizeUrl());
    const [form] = forms;
    if (!form) throw new Error("no form");
    const first = await browser.submit(form, { button: form.buttons[0]?.value ?? "" });
    const again = await browser.submit(form, { button: form.buttons[0]?.value ?? "" });
    expect([first.status, again.status]).toEqual([200, 400]);
    expect(again.html).toContain("AADSTS165000: ");
  });

  test("work on the https origin, too", async () => {
    const url = new URL(fixture.authorizeUrl());
    const https = new URL(url.pathname + url.search, fixture.entra.httpsOrigin);
    expect((await signIn(https, adele)).searchParams.has("code")).toBe(true);
  });

  test("end at an application that takes a form post", async () => {
    const page = await new Browser().open(
      fixture.authorizeUrl({ response_mode: "form_post", redirect_uri: "https://vscode.dev/redirect" }),
    );
    const done = await answerSignIn(new Browser(), page, adele, (url) => url.origin === "https://vscode.dev");
    expect([...done.url.searchParams.keys()]).toEqual(["state", "session_state", "code"]);
  });
});
