import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { userToken } from "../support/forged-tokens.ts";
import { type CallResult, connect, type McpClient } from "../support/mcp-clients.ts";
import { ERAS, messageIn, toolCall } from "../support/mcp-messages.ts";
import { type RawAnswer, sendRaw } from "../support/raw-http.ts";
import { type Stack, startStack } from "../support/stack.ts";
import { startWireTap, type WireTap } from "../support/wire-tap.ts";

const ERROR = "azure-graph-mcp/error";
const DETAILS = "$select=id%2CdisplayName%2Cmail%2CuserPrincipalName%2CjobTitle%2Cdepartment%2CofficeLocation";
const SUMMARY = "$select=id%2CdisplayName%2Cmail%2CuserPrincipalName";

let stack: Stack;
let tap: WireTap;
let token: string;
let client: McpClient;
beforeAll(async () => {
  tap = startWireTap();
  stack = await startStack("bearer");
  token = await userToken(stack);
  client = await connect("sdk v2 (2026-07-28)", stack.mcpUrl, { token });
});
afterAll(async () => {
  await client.close();
  await stack.close();
  tap.stop();
});
beforeEach(() => {
  stack.graph.traffic.clear();
  tap.clear();
});
afterEach(() => stack.graph.traffic.recover());

const asked = () => stack.graph.traffic.requests.map(({ method, url }) => `${method} ${url}`);
const code = (result: CallResult) => (result._meta?.[ERROR] as { code?: string } | undefined)?.code;

function send(body: string, headers = toolCall("get_user").headers): Promise<RawAnswer> {
  return sendRaw(stack.serverOrigin, { headers: [["Authorization", `Bearer ${token}`], ...headers], body });
}

describe("get_user", () => {
  test.each(
    [
      { user: "MiriamG@contoso.com", segment: "MiriamG%40contoso.com" },
      { user: "../me", segment: "..%2Fme" },
      { user: "../../beta/me", segment: "..%2F..%2Fbeta%2Fme" },
      { user: "%2e%2e%2fme", segment: "%252e%252e%252fme" },
      { user: "%2e%2e", segment: "%252e%252e" },
      { user: "..%2fme", segment: "..%252fme" },
      { user: "..%5cme", segment: "..%255cme" },
      { user: "..\\me", segment: "..%5Cme" },
      { user: "...", segment: "..." },
      { user: "/me", segment: "%2Fme" },
      { user: "//evil.example/x", segment: "%2F%2Fevil.example%2Fx" },
      { user: "https://evil.example/", segment: "https%3A%2F%2Fevil.example%2F" },
      { user: "a/manager", segment: "a%2Fmanager" },
      { user: "a?$select=*", segment: "a%3F%24select%3D*" },
      { user: "a&$expand=manager", segment: "a%26%24expand%3Dmanager" },
      { user: "a#b", segment: "a%23b" },
      { user: "a;b=c", segment: "a%3Bb%3Dc" },
      { user: "a'b", segment: "a'b" },
      { user: "') or ('1'='1", segment: "')%20or%20('1'%3D'1" },
      { user: '"quoted"', segment: "%22quoted%22" },
      { user: "$count", segment: "%24count" },
      { user: "a\r\nX-Injected: yes", segment: "a%0D%0AX-Injected%3A%20yes" },
      { user: "a\u0000b", segment: "a%00b" },
      { user: "a\u202eb", segment: "a%E2%80%AEb" },
      { user: "Åsa", segment: "%C3%85sa" },
    ].map(({ user, segment }) => ({ user, segment, name: JSON.stringify(user) })),
  )("$name stays one segment of the path", async ({ user, segment }) => {
    await client.call("get_user", { user });

    expect(asked()).toEqual([`GET /v1.0/users/${segment}?${DETAILS}`]);
  });

  test.each([".", "..", " .. ", "\ud800", "a\udfffb"])("%j is refused before anything is sent", async (user) => {
    const result = await client.call("get_user", { user });

    expect(result.isError).toBe(true);
    expect(code(result)).toBe("invalid_arguments");
    expect(result.content[0]?.text).toBe("An id in the arguments is not valid. Use an id from an earlier result.");
    expect(asked()).toEqual([]);
  });

  test("an id stays in its place inside a batch too", async () => {
    await client.call("get_user", { user: "../me?$select=*#", include_reports: true });

    expect(asked()).toEqual(["POST /v1.0/$batch"]);
    const batch = tap.requests.find(({ url }) => url === "/v1.0/$batch");
    expect(JSON.parse(batch?.body() ?? "")).toEqual({
      requests: [
        { id: "0", method: "GET", url: `/users/..%2Fme%3F%24select%3D*%23?${DETAILS}` },
        { id: "1", method: "GET", url: `/users/..%2Fme%3F%24select%3D*%23/directReports?${SUMMARY}&$top=50` },
      ],
    });
  });
});

describe("search_people", () => {
  test.each([
    { query: "alex", people: "%22alex%22" },
    { query: '" OR "displayName:', people: "%22%5C%22%20OR%20%5C%22displayName%3A%22" },
    { query: 'a" AND "mail:b', people: "%22a%5C%22%20AND%20%5C%22mail%3Ab%22" },
    { query: "a\\", people: "%22a%5C%5C%22" },
    { query: 'a\\"', people: "%22a%5C%5C%5C%22%22" },
    { query: "a&$top=999", people: "%22a%26%24top%3D999%22" },
    { query: "a#b?c=d", people: "%22a%23b%3Fc%3Dd%22" },
    { query: "a%22 OR %22b", people: "%22a%2522%20OR%20%2522b%22" },
    { query: "a\nb", people: "%22a%5Cnb%22" },
    { query: "o'connor", people: "%22o%27connor%22" },
  ])("$query stays one phrase of a search among relevant people", async ({ query, people }) => {
    await client.call("search_people", { query });

    expect(asked()[0]).toBe(
      `GET /v1.0/me/people?$top=10&$select=id%2CdisplayName%2CscoredEmailAddresses%2CuserPrincipalName&$search=${people}`,
    );
  });

  test.each([
    { query: "alex", clause: "alex" },
    { query: '" OR "displayName:', clause: "%5C%22%20OR%20%5C%22displayName%3A" },
    { query: 'a" AND "mail:b', clause: "a%5C%22%20AND%20%5C%22mail%3Ab" },
    { query: "a\\", clause: "a%5C%5C" },
    { query: 'a\\"', clause: "a%5C%5C%5C%22" },
    { query: "a&$top=999", clause: "a%26%24top%3D999" },
    { query: "a) or (1 eq 1", clause: "a)%20or%20(1%20eq%201" },
    { query: "a%22", clause: "a%2522" },
  ])("$query stays inside its clauses of a search in the directory", async ({ query, clause }) => {
    await client.call("search_people", { query, scope: "directory", limit: 3 });

    expect(asked()).toEqual([
      `GET /v1.0/users?$count=true&$top=3&${SUMMARY}&$search=%22displayName%3A${clause}%22%20OR%20%22mail%3A${clause}%22`,
    ]);
  });

  test("text that is no Unicode is refused and not a fault of the server", async () => {
    const result = await client.call("search_people", { query: "a\ud800", scope: "directory" });

    expect(result.isError).toBe(true);
    expect(code(result)).toBe("invalid_arguments");
    expect(asked()).toEqual([]);
  });
});

describe("arguments of the wrong size or type", () => {
  test.each([
    { tool: "get_user", args: {}, text: "user: Invalid input: expected string, received undefined" },
    { tool: "get_user", args: { user: 7 }, text: "user: Invalid input: expected string, received number" },
    { tool: "get_user", args: { user: ["a"] }, text: "user: Invalid input: expected string, received array" },
    { tool: "get_user", args: { user: "  " }, text: "user: Too small: expected string to have >=1 characters" },
    {
      tool: "get_user",
      args: { user: "a".repeat(257) },
      text: "user: Too big: expected string to have <=256 characters",
    },
    {
      tool: "get_user",
      args: { user: "a", include_reports: "true" },
      text: "include_reports: Invalid input: expected boolean, received string",
    },
    { tool: "get_user", args: { user: "a", select: "*" }, text: 'arguments: Unrecognized key: "select"' },
    { tool: "search_people", args: { query: "a", limit: 0 }, text: "limit: Too small: expected number to be >=1" },
    { tool: "search_people", args: { query: "a", limit: 51 }, text: "limit: Too big: expected number to be <=50" },
    {
      tool: "search_people",
      args: { query: "a", limit: 1.5 },
      text: "limit: Invalid input: expected int, received number",
    },
    {
      tool: "search_people",
      args: { query: "a".repeat(101) },
      text: "query: Too big: expected string to have <=100 characters",
    },
    {
      tool: "search_people",
      args: { query: "a", scope: "everything" },
      text: 'scope: Invalid option: expected one of "relevant"|"directory"',
    },
    {
      tool: "search_people",
      args: { query: "a", cursor: "a".repeat(8193) },
      text: "cursor: Too big: expected string to have <=8192 characters",
    },
    {
      tool: "get_my_profile",
      args: { user: "MiriamG@contoso.com" },
      text: 'arguments: Unrecognized key: "user"',
    },
  ])("$tool refuses $text", async ({ tool, args, text }) => {
    const result = await client.call(tool, args);

    expect(result.isError).toBe(true);
    expect(code(result)).toBe("invalid_arguments");
    expect(result.content[0]?.text).toBe(`The arguments of ${tool} are not valid. ${text}`);
    expect(asked()).toEqual([]);
  });

  const withArgument = (name: string) => {
    const { headers, body } = toolCall("get_my_profile");
    return send(body.replace('"arguments":{}', `"arguments":{"${name}":{"include_mailbox":true}}`), headers);
  };

  test.each(["constructor", "toString", "prototype"])("an argument named %s is refused", async (name) => {
    expect(messageIn(await withArgument(name))).toMatchObject({
      result: {
        isError: true,
        content: [{ text: `The arguments of get_my_profile are not valid. arguments: Unrecognized key: "${name}"` }],
      },
    });
  });

  test("an argument named __proto__ sets nothing, in this call or later ones", async () => {
    const polluting = messageIn(await withArgument("__proto__")) as { result: { structuredContent: object } };

    expect(polluting.result.structuredContent).toMatchObject({ name: "Adele Vance" });
    expect(polluting.result.structuredContent).not.toHaveProperty("mailbox");
    expect((await client.call("get_my_profile")).structuredContent).not.toHaveProperty("mailbox");
  });

  test("an argument of a megabyte is refused, and not repeated in the answer", async () => {
    const result = await client.call("get_user", { user: "x".repeat(1_000_000) });

    expect(code(result)).toBe("invalid_arguments");
    expect(JSON.stringify(result).length).toBeLessThan(1_000);
  });

  test("a hundred thousand unknown arguments are refused in a short answer", async () => {
    const args = Object.fromEntries(Array.from({ length: 100_000 }, (_value, index) => [`argument${index}`, 1]));
    const result = await client.call("get_my_profile", args);

    expect(code(result)).toBe("invalid_arguments");
    expect(JSON.stringify(result).length).toBeLessThan(3_000);
  });

  test("an array of a million entries is refused", async () => {
    const { body } = toolCall("get_user", { user: "@" });
    const answer = await send(body.replace('"@"', `[${"1,".repeat(1_000_000)}1]`));

    expect(messageIn(answer)).toMatchObject({
      result: {
        isError: true,
        content: [
          {
            text: "The arguments of get_user are not valid. user: Invalid input: expected string, received array; user: Too big: expected array to have <=256 items",
          },
        ],
      },
    });
  });

  test("an argument of ten megabytes is cut off with 413", async () => {
    const answer = await send(toolCall("get_user", { user: "x".repeat(10_000_000) }).body);

    expect(answer.status).toBe(413);
    expect(messageIn(answer)).toMatchObject({ jsonrpc: "2.0", error: { code: -32000 }, id: null });
    expect((await client.call("get_my_profile")).isError).toBeFalsy();
  });

  test.each(ERAS)("a hundred thousand levels of nesting do not bring the server down (%s)", async (era) => {
    const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
    const objects = `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`;
    for (const value of [deep, objects]) {
      const { headers, body } = toolCall("get_user", { user: "@" }, era);
      const answer = await send(body.replace('"@"', value), headers);
      expect(messageIn(answer)).toMatchObject({ result: { isError: true } });
      const alone = await send(value, headers);
      expect(alone.status).toBe(400);
    }
    const inMeta = toolCall("get_my_profile", {}, era);
    const nested = await send(inMeta.body.replace('"arguments":{}', `"arguments":{},"extra":${deep}`), inMeta.headers);
    expect(nested.status).toBeLessThan(500);

    expect((await client.call("get_my_profile")).structuredContent).toMatchObject({ name: "Adele Vance" });
  });
});

describe("results of the wrong size", () => {
  const person = (length: number) => ({ id: "1", displayName: "x".repeat(length), userPrincipalName: "x" });

  test("a result of more than 200 KB is an error that says how to get less", async () => {
    stack.graph.traffic.fail({ kind: "status", status: 200, body: { value: [person(250_000)] } });
    const result = await client.call("search_people", { query: "x" });

    expect(result.isError).toBe(true);
    expect(result.structuredContent).toBeUndefined();
    expect(result.content[0]?.text).toBe("The result is too large. Ask for fewer items or less text.");
    expect(JSON.stringify(result).length).toBeLessThan(1_000);
  });

  test("an answer of Graph of more than 8 MB is not read to its end", async () => {
    stack.graph.traffic.fail({ kind: "status", status: 200, body: { value: [person(12_000_000)] } });
    const result = await client.call("search_people", { query: "x" });

    expect(code(result)).toBe("unavailable");
    expect(asked()).toHaveLength(1);
  });

  test("values of the wrong type from Graph are an error and not a half-true result", async () => {
    stack.graph.traffic.fail({ kind: "status", status: 200, body: { id: { nested: true }, displayName: 5 } });
    const result = await client.call("get_user", { user: "x" });

    expect(result.isError).toBe(true);
    expect(result.structuredContent).toBeUndefined();
  });
});
