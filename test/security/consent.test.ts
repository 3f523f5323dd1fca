import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { answerSignIn, Browser } from "../support/browser.ts";
import { userToken } from "../support/forged-tokens.ts";
import { type CallResult, connect } from "../support/mcp-clients.ts";
import { type AuthMode, type Stack, startStack } from "../support/stack.ts";

const ERROR = "azure-graph-mcp/error";
const SERVER_APP = "c4f2c6a1-8d5b-4e0e-a6f7-2f6f5f1f9b10";
const TENANT = "5b7e1e6c-4a52-4f0e-9d0a-6a3c1f6f2d11";
const LEE = "5bde3e51-d13b-4db1-9948-fe4b109d11a7";
const requestId = expect.stringMatching(/^[\da-f-]{36}$/) as string;

async function ask(stack: Stack, token: string, tool: string, args?: Record<string, unknown>): Promise<CallResult> {
  const client = await connect("sdk v2 (2026-07-28)", stack.mcpUrl, { token });
  try {
    return await client.call(tool, args);
  } finally {
    await client.close();
  }
}

const adminLink = ({ entra }: Stack) => `${entra.httpOrigin}/${TENANT}/adminconsent?client_id=${SERVER_APP}`;
const userLink = ({ mcpUrl }: Stack) => `${new URL(mcpUrl).origin}/.auth/login/aad?post_login_redirect_uri=%2F`;
const revokeConsentOf = (stack: Stack, userId: string) => {
  stack.tenant.grants = stack.tenant.grants.filter((grant) => grant.userId !== userId);
};

describe("missing consent behind App Service (AADSTS65001)", () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack("easy-auth");
  });
  afterAll(() => stack.close());
  beforeEach(() => {
    for (const { traffic } of [stack.graph, stack.entra]) traffic.clear();
  });

  test("a tool of one permission names it and both ways to allow it", async () => {
    const result = await ask(stack, await userToken(stack, "LeeG"), "search_people", { query: "alex" });

    expect(result.isError).toBe(true);
    expect(result.content).toEqual([
      {
        type: "text",
        text:
          "Nobody has allowed this server to use People.Read, User.ReadBasic.All of Microsoft Graph for you. " +
          `Allow it yourself: ${userLink(stack)} . An administrator can allow it for everyone: ${adminLink(stack)} . Then try again.`,
      },
    ]);
    expect(result._meta?.[ERROR]).toEqual({
      code: "consent_required",
      requestId,
      aadsts: "AADSTS65001",
      consentUrl: userLink(stack),
      adminConsentUrl: adminLink(stack),
    });
    expect(stack.graph.traffic.requests).toEqual([]);
  });

  test("the user opens the link, consents in the browser, and the same token works without a restart", async () => {
    const token = await userToken(stack, "LeeG");
    const refused = await ask(stack, token, "get_my_profile");
    const consentUrl = String((refused._meta?.[ERROR] as { consentUrl?: string } | undefined)?.consentUrl);

    const browser = new Browser();
    const page = await answerSignIn(browser, await browser.open(consentUrl), { as: "LeeG" });
    expect(page.url.origin).toBe(new URL(stack.mcpUrl).origin);

    const result = await ask(stack, token, "get_my_profile", { include_mailbox: true });
    expect(result.structuredContent).toMatchObject({ id: LEE, name: "Lee Gu" });
    expect((await ask(stack, token, "search_people", { query: "alex" })).isError).toBeFalsy();
    expect((await ask(stack, token, "get_user", { user: "AdeleV@contoso.com" })).isError).toBeFalsy();
    revokeConsentOf(stack, LEE);
  });

  test("an administrator opens the other link, accepts, and the same token works without a restart", async () => {
    const token = await userToken(stack, "LeeG");
    const refused = await ask(stack, token, "get_my_profile");
    const { adminConsentUrl } = (refused._meta?.[ERROR] ?? {}) as { adminConsentUrl?: string };

    const browser = new Browser();
    const { status, forms } = await browser.open(adminConsentUrl ?? "");
    const [form] = forms;
    if (!form) throw new Error(`The administrator's page has no form: ${status}`);
    await browser.submit(form, { button: "accept" });

    expect((await ask(stack, token, "get_my_profile")).structuredContent).toMatchObject({ id: LEE, name: "Lee Gu" });
    revokeConsentOf(stack, "all");
  });

  test("the user opens the link and declines: nothing changes", async () => {
    const token = await userToken(stack, "LeeG");
    const browser = new Browser();
    await answerSignIn(browser, await browser.open(userLink(stack)), { as: "LeeG", consent: false });

    expect((await ask(stack, token, "get_my_profile"))._meta?.[ERROR]).toMatchObject({ code: "consent_required" });
  });

  test("consent to a part of the permissions serves the tools that need no more", async () => {
    stack.tenant.grants.push({
      clientAppId: SERVER_APP,
      resourceAppId: "00000003-0000-0000-c000-000000000000",
      userId: LEE,
      scopes: ["User.Read", "MailboxSettings.Read"],
    });
    const token = await userToken(stack, "LeeG");

    expect((await ask(stack, token, "get_my_profile")).structuredContent).toMatchObject({ name: "Lee Gu" });
    expect((await ask(stack, token, "search_people", { query: "alex" }))._meta?.[ERROR]).toMatchObject({
      code: "consent_required",
    });
    revokeConsentOf(stack, LEE);
  });

  describe("to a permission for writing", () => {
    const reads = ["User.Read", "User.ReadBasic.All", "People.Read", "MailboxSettings.Read", "Mail.Read"];
    const calendarsAndFiles = ["Calendars.Read", "Files.Read.All"];
    beforeAll(() => stack.restart({ ALLOW_WRITES: "true" }));
    afterAll(() => stack.restart());
    beforeEach(() => {
      stack.tenant.grants.push({
        clientAppId: SERVER_APP,
        resourceAppId: "00000003-0000-0000-c000-000000000000",
        userId: LEE,
        scopes: [...reads, ...calendarsAndFiles, "Mail.ReadWrite"],
      });
    });
    afterEach(() => {
      stack.graph.traffic.recover();
      revokeConsentOf(stack, LEE);
    });

    test("gives the link, and only to the tool that needs it: reading and other writing go on", async () => {
      const token = await userToken(stack, "LeeG");
      const event = { subject: "Focus", start: "2026-03-30T13:00", end: "2026-03-30T14:00" };

      const refused = await ask(stack, token, "create_event", event);
      expect(refused).toMatchObject({
        isError: true,
        content: [
          {
            text:
              "Nobody has allowed this server to use Calendars.ReadWrite, MailboxSettings.Read, User.Read of Microsoft Graph for you. " +
              `Allow it yourself: ${userLink(stack)} . An administrator can allow it for everyone: ${adminLink(stack)} . Then try again.`,
          },
        ],
      });
      expect(refused._meta?.[ERROR]).toEqual({
        code: "consent_required",
        requestId,
        aadsts: "AADSTS65001",
        consentUrl: userLink(stack),
        adminConsentUrl: adminLink(stack),
      });
      expect(stack.graph.traffic.requests).toEqual([]);
      expect((await ask(stack, token, "list_events")).isError).toBeFalsy();
      expect((await ask(stack, token, "create_draft", { subject: "Hello" })).isError).toBeFalsy();
    });

    test("that Graph itself refuses is another error, without links", async () => {
      const body = {
        error: { code: "ErrorAccessDenied", message: "Access is denied. Check credentials and try again." },
      };
      stack.graph.traffic.fail({ kind: "status", status: 403, body }, { path: /\/me\/messages$/ });
      const result = await ask(stack, await userToken(stack, "LeeG"), "create_draft", { subject: "Hello" });

      expect(result).toMatchObject({
        isError: true,
        content: [
          {
            text: "Microsoft Graph does not let you do this: your account lacks the right, or an administrator has to allow it.",
          },
        ],
      });
      expect(result._meta?.[ERROR]).toMatchObject({ code: "forbidden" });
      expect(JSON.stringify(result)).not.toMatch(/adminconsent|consentUrl|\.auth\/login/);
      expect(stack.graph.traffic.count("POST", /\/me\/messages$/)).toBe(1);
    });
  });

  test("a loop of calls without consent asks Entra at most twice per call", async () => {
    const token = await userToken(stack, "LeeG");
    for (let calls = 0; calls < 4; calls += 1) await ask(stack, token, "get_my_profile");

    expect(stack.entra.traffic.count("POST", /\/oauth2\/v2\.0\/token/)).toBeLessThanOrEqual(5);
    expect(stack.graph.traffic.requests).toEqual([]);
  });
});

test("missing consent without App Service: only the administrator's link is offered", async () => {
  const mode: AuthMode = "bearer";
  const stack = await startStack(mode);
  const result = await ask(stack, await userToken(stack, "LeeG"), "get_my_profile");
  await stack.close();

  expect(result.content[0]?.text).toBe(
    "Nobody has allowed this server to use User.Read, MailboxSettings.Read of Microsoft Graph for you. " +
      `An administrator can allow it for everyone: ${adminLink(stack)} . Then try again.`,
  );
  expect(result._meta?.[ERROR]).toEqual({
    code: "consent_required",
    requestId,
    aadsts: "AADSTS65001",
    adminConsentUrl: adminLink(stack),
  });
});

describe("other refusals of the exchange are told apart from missing consent", () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack("easy-auth");
  });
  afterAll(() => stack.close());
  afterEach(() => stack.entra.traffic.recover());

  const refusal = (error: string, number: number, more: Readonly<Record<string, unknown>> = {}) => ({
    error,
    error_description: `AADSTS${number}: canary-description consent_required adminconsent`,
    error_codes: [number],
    ...more,
  });

  test.each([
    {
      name: "a token that Entra does not accept as assertion",
      status: 400,
      body: refusal("invalid_grant", 50013),
      code: "interaction_required",
      text: "Entra ID does not accept your sign-in for Microsoft Graph any more (AADSTS50013). Sign in again.",
    },
    {
      name: "an expired assertion",
      status: 400,
      body: refusal("invalid_grant", 500133),
      code: "interaction_required",
      text: "Entra ID does not accept your sign-in for Microsoft Graph any more (AADSTS500133). Sign in again.",
    },
    {
      name: "a user who is not assigned",
      status: 400,
      body: refusal("invalid_grant", 50105),
      code: "interaction_required",
      text: "Entra ID does not accept your sign-in for Microsoft Graph any more (AADSTS50105). Sign in again.",
    },
    {
      name: "a blocked user",
      status: 400,
      body: refusal("invalid_grant", 53003, { suberror: "message_only" }),
      code: "interaction_required",
      text: "Entra ID does not accept your sign-in for Microsoft Graph any more (AADSTS53003). Sign in again.",
    },
    {
      name: "a federated credential for another identity",
      status: 401,
      body: refusal("invalid_client", 700213),
      code: "misconfigured",
      text: "This server is not set up to use Microsoft Graph (AADSTS700213). Tell its administrator.",
    },
    {
      name: "an app that may not do this",
      status: 400,
      body: refusal("unauthorized_client", 700016),
      code: "misconfigured",
      text: "This server is not set up to use Microsoft Graph (AADSTS700016). Tell its administrator.",
    },
    {
      name: "a scope that does not exist",
      status: 400,
      body: refusal("invalid_scope", 70011),
      code: "misconfigured",
      text: "This server is not set up to use Microsoft Graph (AADSTS70011). Tell its administrator.",
    },
    {
      name: "an outage",
      status: 503,
      body: refusal("temporarily_unavailable", 90033),
      code: "unavailable",
      text: "Sign-in to Microsoft Graph failed for now. Try again in a minute.",
    },
    {
      name: "throttling",
      status: 429,
      body: refusal("temporarily_unavailable", 90055),
      code: "unavailable",
      text: "Sign-in to Microsoft Graph failed for now. Try again in a minute.",
    },
  ])("$name is $code, without consent links", async ({ status, body, code, text }) => {
    stack.entra.traffic.fail({ kind: "status", status, body }, { path: /\/oauth2\/v2\.0\/token/ });
    const result = await ask(stack, await userToken(stack, "AdeleV"), "get_my_profile");

    expect(result.isError).toBe(true);
    expect(result.content[0]?.text).toBe(text);
    expect(result._meta?.[ERROR]).toMatchObject({ code });
    expect(JSON.stringify(result)).not.toMatch(/adminconsent|consentUrl|\.auth\/login|canary-description/);
    expect(stack.server.output()).not.toContain("canary-description");
  });
});
