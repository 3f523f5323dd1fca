import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { type Listener, listen } from "../../emulators/kernel/listener.ts";
import { userToken } from "../support/forged-tokens.ts";
import { type CallResult, connect, type McpClient } from "../support/mcp-clients.ts";
import { type Stack, startStack } from "../support/stack.ts";

const ERROR = "azure-graph-mcp/error";
const UNAVAILABLE = "Microsoft Graph could not be reached or failed. Try again in a minute.";

let stack: Stack;
let client: McpClient;
let plain: Listener;
let secure: Listener;
const visits: string[] = [];
beforeAll(async () => {
  const visit: Parameters<typeof listen>[1] = (req, res) => {
    visits.push(`${req.method} ${req.url} ${req.headers.authorization}`);
    res.setHeader("content-type", "application/json");
    res.end(JSON.stringify({ value: [], id: "attacker", access_token: "attacker", responses: [] }));
  };
  plain = await listen("the attacker's listener", visit);
  secure = await listen("the attacker's listener", visit, { certificates: inject("certificates") });
  stack = await startStack("bearer");
  client = await connect("sdk v2 (2026-07-28)", stack.mcpUrl, { token: await userToken(stack) });
});
afterAll(async () => {
  await client.close();
  await Promise.all([stack.close(), plain.close(), secure.close()]);
});
beforeEach(() => {
  visits.length = 0;
  stack.graph.traffic.clear();
});
afterEach(() => {
  for (const { traffic } of [stack.graph, stack.entra, stack.managedIdentity, stack.keyVault]) traffic.recover();
});

const code = (result: CallResult) => (result._meta?.[ERROR] as { code?: string } | undefined)?.code;
const search = (more: Record<string, unknown> = {}) =>
  client.call("search_people", { query: "a", scope: "directory", limit: 2, ...more });

describe("a next link of Graph", () => {
  const links: readonly { readonly name: string; readonly link: () => unknown }[] = [
    { name: "to another port", link: () => `${secure.origin}/v1.0/users?$skiptoken=x` },
    { name: "to another scheme", link: () => stack.graph.origin.replace("https:", "http:").concat("/v1.0/users") },
    { name: "to plain http elsewhere", link: () => `${plain.origin}/v1.0/users` },
    { name: "to another host", link: () => "https://graph.microsoft.com.evil.example/v1.0/users" },
    { name: "to a metadata address", link: () => "http://169.254.169.254/metadata/identity/oauth2/token" },
    { name: "with a user name", link: () => stack.graph.origin.replace("//", "//user@").concat("/v1.0/users") },
    {
      name: "with the Graph host as user name",
      link: () => `https://${new URL(stack.graph.origin).host}@${new URL(secure.origin).host}/v1.0/users`,
    },
    {
      name: "with a backslash before another host",
      link: () => `${stack.graph.origin}\\@${new URL(secure.origin).host}/v1.0/users`,
    },
    { name: "without a scheme", link: () => `//${new URL(secure.origin).host}/v1.0/users` },
    { name: "without a host", link: () => "/v1.0/users?$skiptoken=x" },
    { name: "out of the API version", link: () => `${stack.graph.origin}/beta/users` },
    { name: "out of the API version by dots", link: () => `${stack.graph.origin}/v1.0/../beta/users` },
    { name: "out of the API version by encoded dots", link: () => `${stack.graph.origin}/v1.0/%2e%2e/beta/users` },
    { name: "to a file", link: () => "file:///etc/passwd" },
    { name: "to a script", link: () => "javascript:alert(1)" },
    { name: "that is empty", link: () => "" },
    { name: "that is null", link: () => null },
    { name: "that is a number", link: () => 7 },
    { name: "that is an object", link: () => ({ href: secure.origin }) },
  ];

  test.each(links)("$name is neither followed nor sealed", async ({ link }) => {
    const body = { value: [{ id: "1", displayName: "One" }], "@odata.nextLink": link() };
    stack.graph.traffic.fail({ kind: "status", status: 200, body }, { times: 1 });
    const result = await search();

    expect(result.isError).toBe(true);
    expect(code(result)).toBe("unavailable");
    expect(result.content[0]?.text).toBe(UNAVAILABLE);
    expect(visits).toEqual([]);
    expect(stack.graph.traffic.requests).toHaveLength(1);
  });

  test("inside Graph is followed, so that the refusals above are the link's own", async () => {
    const first = await search();
    const next = await search({ cursor: first.structuredContent?.["next"] });

    expect(next.isError).toBeFalsy();
    expect(stack.graph.traffic.requests).toHaveLength(2);
  });
});

describe("a redirect", () => {
  test.each([301, 302, 303, 307, 308])("of Graph with status %i is not followed", async (status) => {
    for (const elsewhere of [plain.origin, secure.origin]) {
      stack.graph.traffic.fail({ kind: "status", status, headers: { Location: `${elsewhere}/v1.0/me` } });
      const results = [
        await client.call("get_my_profile"),
        await client.call("get_my_profile", { include_mailbox: true }),
        await search(),
      ];
      stack.graph.traffic.recover();

      expect(results.map(code)).toEqual(["unavailable", "unavailable", "unavailable"]);
    }
    expect(visits).toEqual([]);
  });

  test.each([301, 302, 303, 307, 308])(
    "of Entra's token endpoint with status %i takes no token along",
    async (status) => {
      for (const elsewhere of [plain.origin, secure.origin]) {
        stack.entra.traffic.fail(
          { kind: "status", status, headers: { Location: `${elsewhere}/token` } },
          { path: /\/oauth2\/v2\.0\/token/ },
        );
        // A token that no exchange is known for.
        const other = await connect("sdk v2 (2026-07-28)", stack.mcpUrl, { token: await userToken(stack) });
        const result = await other.call("get_my_profile");
        await other.close();
        stack.entra.traffic.recover();

        expect(code(result)).toBe("unavailable");
      }
      expect(visits).toEqual([]);
    },
  );

  test.each([301, 302, 307, 308])("of Entra's metadata with status %i leads nowhere", async (status) => {
    stack.entra.traffic.fail(
      { kind: "status", status, headers: { Location: `${secure.origin}/metadata` } },
      { path: /openid-configuration/ },
    );
    const other = await connect("sdk v2 (2026-07-28)", stack.mcpUrl, { token: await userToken(stack) });
    const result = await other.call("get_my_profile");
    await other.close();

    expect(result.isError).toBe(true);
    expect(visits).toEqual([]);
  });
});

describe("a cursor", () => {
  let cursor: string;
  beforeAll(async () => {
    const { structuredContent } = await search();
    cursor = String(structuredContent?.["next"]);
  });

  const outcome = (result: CallResult) => ({
    isError: result.isError,
    code: code(result),
    text: result.content[0]?.text,
    toGraph: stack.graph.traffic.requests.length,
  });
  const INVALID = {
    isError: true,
    code: "invalid_cursor",
    text: "This cursor does not belong to this search, or is older than an hour. Repeat the same arguments, or start without a cursor.",
    toGraph: 0,
  };

  test("hides where it leads", () => {
    const bytes = Buffer.from(cursor, "base64url").toString("latin1");
    expect(bytes).not.toMatch(/localhost|users|skiptoken|v1\.0/);
  });

  test("with any bit changed is refused", async () => {
    const bytes = Buffer.from(cursor, "base64url");
    for (let at = 0; at < bytes.length; at += Math.ceil(bytes.length / 40)) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(outcome(await search({ cursor: changed.toString("base64url") }))).toEqual(INVALID);
    }
  });

  test("cut short, doubled or made up is refused", async () => {
    const bytes = Buffer.from(cursor, "base64url");
    const forgeries = [
      ...[0, 1, 7, 8, 9, 20, 36, 37, bytes.length - 1].map((length) => bytes.subarray(0, length).toString("base64url")),
      cursor + cursor,
      Buffer.from(`{"url":"${secure.origin}/v1.0/users"}`).toString("base64url"),
      `${secure.origin}/v1.0/users`,
      "null",
    ].filter((forgery) => forgery !== "");
    for (const forgery of forgeries) expect(outcome(await search({ cursor: forgery }))).toEqual(INVALID);
    expect(visits).toEqual([]);
  });

  test.each([
    { name: "another query", more: { query: "b" } },
    { name: "another scope", more: { scope: "relevant" } },
    { name: "another limit", more: { limit: 3 } },
  ])("does not open for $name", async ({ more }) => {
    expect(outcome(await search({ cursor, ...more }))).toEqual(INVALID);
  });

  test("does not open for another user", async () => {
    const other = await connect("sdk v2 (2026-07-28)", stack.mcpUrl, { token: await userToken(stack, "MiriamG") });
    const result = await other.call("search_people", { query: "a", scope: "directory", limit: 2, cursor });
    await other.close();

    expect(outcome(result)).toEqual(INVALID);
  });

  test("opens for its own search, again and again", async () => {
    const pages = [await search({ cursor }), await search({ cursor })];
    expect(pages[0]?.structuredContent?.["people"]).toHaveLength(2);
    expect(pages[1]?.structuredContent?.["people"]).toEqual(pages[0]?.structuredContent?.["people"]);
  });

  test("of a link of 2,500 characters is short enough to come back", async () => {
    const link = `${stack.graph.origin}/v1.0/users?$skiptoken=${"x".repeat(2_500)}`;
    const body = { value: [{ id: "1", displayName: "One" }], "@odata.nextLink": link };
    stack.graph.traffic.fail({ kind: "status", status: 200, body });
    const { structuredContent } = await search();
    const result = await search({ cursor: structuredContent?.["next"] });

    expect(result.isError).toBeFalsy();
    expect(stack.graph.traffic.requests.map(({ url }) => url).at(-1)).toBe(
      `/v1.0/users?$skiptoken=${"x".repeat(2_500)}`,
    );
  });
});
