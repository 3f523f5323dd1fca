import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { userToken } from "../support/forged-tokens.ts";
import { CLIENTS, connect, type McpClient } from "../support/mcp-clients.ts";
import { type Stack, startStack } from "../support/stack.ts";

const ERROR = "azure-graph-mcp/error";
const MFA_CLAIMS = '{"access_token":{"capolids":{"essential":true,"values":["b1c7a0de-52c4-4d35-9d6a-7f0e2c8a9b13"]}}}';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack("easy-auth");
});
afterAll(() => stack.close());
beforeEach(() => {
  for (const { traffic } of [stack.graph, stack.entra]) traffic.clear();
});
afterEach(() => {
  stack.entra.traffic.recover();
  stack.graph.switches["graph.requireClaims"] = undefined;
});

const exchanges = () => stack.entra.traffic.count("POST", /\/oauth2\/v2\.0\/token/);
const graphRequests = () => stack.graph.traffic.requests.length;
const signInUrl = () => `${new URL(stack.mcpUrl).origin}/.auth/login/aad?post_login_redirect_uri=%2F`;
const requestId = expect.stringMatching(/^[\da-f-]{36}$/) as string;

async function withClient<T>(token: string, use: (client: McpClient) => Promise<T>): Promise<T> {
  const client = await connect("sdk v2 (2026-07-28)", stack.mcpUrl, { token });
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

describe("a user who needs multi-factor authentication (AADSTS50076)", () => {
  test("is told which step is asked for and where, and the client gets the challenge", async () => {
    const result = await withClient(await userToken(stack, "MeganB"), (client) => client.call("get_my_profile"));

    expect(result.isError).toBe(true);
    expect(result.structuredContent).toBeUndefined();
    expect(result.content).toEqual([
      {
        type: "text",
        text:
          "Your organisation asks for an extra sign-in step, such as multi-factor authentication, before Microsoft Graph " +
          `may be used. Open ${signInUrl()} to complete it, then sign out of this MCP server in your client and sign in again.`,
      },
    ]);
    expect(result._meta?.[ERROR]).toEqual({
      code: "interaction_required",
      requestId,
      claims: MFA_CLAIMS,
      signInUrl: signInUrl(),
    });
    expect(graphRequests()).toBe(0);
  });

  test("costs one exchange per call and none in between: no loop", async () => {
    await withClient(await userToken(stack, "MeganB"), async (client) => {
      for (const tool of ["get_my_profile", "get_my_profile", "get_my_profile"]) {
        expect((await client.call(tool)).isError).toBe(true);
      }
    });
    await sleep(300);

    expect(exchanges()).toBe(3);
    expect(graphRequests()).toBe(0);
  });

  test.each(CLIENTS)("%s works after a sign-in with the second factor", async (kind) => {
    const client = await connect(kind, stack.mcpUrl, { signIn: { as: "MeganB", mfa: true } });
    const result = await client.call("get_my_profile");
    await client.close();

    expect(result.structuredContent).toMatchObject({ name: "Megan Bowen", upn: "MeganB@contoso.com" });
  });

  test("works at once with the stronger token, while the weaker one stays refused", async () => {
    const strong = await userToken(stack, "MeganB", { mfa: true });
    const weak = await userToken(stack, "MeganB");
    const ask = (token: string) => withClient(token, (client) => client.call("get_my_profile"));

    expect((await ask(weak)).isError).toBe(true);
    expect((await ask(strong)).structuredContent).toMatchObject({ name: "Megan Bowen" });
    expect((await ask(weak)).isError).toBe(true);
  });
});

describe("continuous access evaluation at Graph", () => {
  test("a challenge that a new token meets costs one more exchange, and the call succeeds", async () => {
    await withClient(await userToken(stack), async (client) => {
      await client.call("get_my_profile");
      await sleep(1_100);
      const now = String(Math.floor(Date.now() / 1000));
      stack.graph.switches["graph.requireClaims"] = `{"access_token":{"nbf":{"essential":true,"value":"${now}"}}}`;
      stack.entra.traffic.clear();
      stack.graph.traffic.clear();

      expect((await client.call("get_my_profile")).structuredContent).toMatchObject({ name: "Adele Vance" });
      expect([graphRequests(), exchanges()]).toEqual([2, 1]);

      expect((await client.call("get_my_profile")).isError).toBeFalsy();
      expect([graphRequests(), exchanges()]).toEqual([3, 1]);
    });
  });

  test.each([
    { tool: "get_my_profile", args: {} },
    { tool: "get_my_profile", args: { include_mailbox: true } },
    { tool: "search_people", args: { query: "alex" } },
    { tool: "get_user", args: { user: "MiriamG@contoso.com", include_reports: true } },
  ])("a challenge that nothing meets ends $tool $args after one more exchange", async ({ tool, args }) => {
    const challenge = '{"access_token":{"nbf":{"essential":true,"value":"99999999999"}}}';
    await withClient(await userToken(stack), async (client) => {
      await client.call("get_my_profile");
      stack.graph.switches["graph.requireClaims"] = challenge;
      stack.entra.traffic.clear();
      stack.graph.traffic.clear();
      const result = await client.call(tool, args);
      await sleep(300);

      expect(result.isError).toBe(true);
      expect(result.content[0]?.text).toMatch(/^Your organisation asks for an extra sign-in step/);
      expect(result._meta?.[ERROR]).toMatchObject({ code: "interaction_required", claims: challenge });
      expect([graphRequests(), exchanges()]).toEqual([2, 1]);
    });
  });

  test("a challenge that Entra refuses to meet becomes Entra's challenge", async () => {
    await withClient(await userToken(stack), async (client) => {
      await client.call("get_my_profile");
      stack.graph.switches["graph.requireClaims"] = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}';
      stack.entra.traffic.clear();
      stack.graph.traffic.clear();
      const result = await client.call("get_my_profile");

      expect(result._meta?.[ERROR]).toMatchObject({
        code: "interaction_required",
        claims: MFA_CLAIMS,
        signInUrl: signInUrl(),
      });
      expect([graphRequests(), exchanges()]).toEqual([1, 1]);
    });
  });
});

describe("a sign-in that was revoked", () => {
  test("is a sentence that says to sign in again, after one exchange", async () => {
    stack.entra.traffic.fail(
      {
        kind: "status",
        status: 400,
        body: {
          error: "invalid_grant",
          error_description: "AADSTS50173: The provided grant has expired due to it being revoked. canary-revoked",
          error_codes: [50173],
          correlation_id: "1c6a1f0e-0000-4000-8000-000000000000",
        },
      },
      { path: /\/oauth2\/v2\.0\/token/ },
    );
    const result = await withClient(await userToken(stack), (client) => client.call("get_my_profile"));

    expect(result.isError).toBe(true);
    expect(result.content[0]?.text).toBe(
      "Entra ID does not accept your sign-in for Microsoft Graph any more (AADSTS50173). Sign in again.",
    );
    expect(result._meta?.[ERROR]).toEqual({ code: "interaction_required", requestId, aadsts: "AADSTS50173" });
    expect([graphRequests(), exchanges()]).toEqual([0, 1]);
    expect(stack.server.output()).not.toContain("canary-revoked");
  });

  test("does not stick: the next call after a new sign-in works", async () => {
    const result = await withClient(await userToken(stack), (client) => client.call("get_my_profile"));
    expect(result.structuredContent).toMatchObject({ name: "Adele Vance" });
  });
});
