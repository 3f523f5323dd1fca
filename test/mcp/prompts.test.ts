import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type AuditLine, isDecision, logLine } from "../support/audit-lines.ts";
import { eventually } from "../support/eventually.ts";
import { userToken } from "../support/forged-tokens.ts";
import { CLIENTS, connect, type McpClient } from "../support/mcp-clients.ts";
import { type Stack, startStack } from "../support/stack.ts";

let stack: Stack;
beforeAll(async () => {
  stack = await startStack("bearer");
});
afterAll(() => stack.close());

let client: McpClient;
let seen: number;
beforeEach(() => {
  stack.graph.traffic.clear();
  seen = stack.server.log.length;
});
afterEach(() => {
  stack.graph.traffic.recover();
});

const graphRequests = () =>
  stack.graph.traffic.requests.map(({ method, url }) => `${method} ${decodeURIComponent(url)}`);
const audited = (): AuditLine[] => stack.server.log.slice(seen).filter(isDecision);

/** What a request that must fail failed with. */
const failureOf = (request: Promise<unknown>) =>
  request.then(
    (result) => Promise.reject(new Error(`It succeeded: ${JSON.stringify(result)}`)),
    ({ code, message }: { code: number; message: string }) => ({ code, message }),
  );

describe.each(CLIENTS)("prompts through %s", (kind) => {
  beforeAll(async () => {
    client = await connect(kind, stack.mcpUrl, { token: await userToken(stack) });
  });
  afterAll(() => client.close());

  test("are listed with their arguments", async () => {
    const prompts = await client.listPrompts();

    expect(prompts).toContainEqual({
      name: "brief_me_on",
      title: "Brief me on a colleague",
      description: "Who somebody is and where they stand in the organisation",
      arguments: [
        { name: "person", description: "Name or address", required: true },
        { name: "detail", description: "How much to say", required: false },
      ],
    });
    expect(prompts).toContainEqual({
      name: "my_team",
      title: "My team",
      description: "The people around you: manager, peers, reports",
      arguments: [{ name: "detail", description: "How much to say", required: false }],
    });
  });

  test.each<[string, Record<string, string>, string[]]>([
    ["brief_me_on", { person: "Adele" }, ["search_people", "get_user"]],
    ["my_team", {}, ["get_my_profile", "get_user"]],
  ])("name tools that there are: %s", async (name, args, named) => {
    const text = JSON.stringify(await client.getPrompt(name, args));
    expect(new Set(text.match(/\b(?:get|search|list)_[a-z_]+/g))).toEqual(new Set(named));

    const tools = (await client.listTools()).map((tool) => tool.name);
    expect(tools).toEqual(expect.arrayContaining(named));
  });

  test("are filled with their arguments, and with defaults for what is left out", async () => {
    expect(await client.getPrompt("brief_me_on", { person: 'Adele "Ada" Vance' })).toMatchObject({
      description: "Who somebody is and where they stand in the organisation",
      messages: [
        {
          role: "user",
          content: {
            type: "text",
            text: expect.stringMatching(
              /^Tell me who "Adele \\"Ada\\" Vance" is, in three sentences\. Find them with search_people; /,
            ) as string,
          },
        },
      ],
    });
    expect(await client.getPrompt("my_team", { detail: "full" })).toMatchObject({
      messages: [
        {
          content: {
            text: expect.stringMatching(/^Describe my team, with every fact that you found\. /) as string,
          },
        },
      ],
    });
    expect(graphRequests()).toEqual([]);
  });

  test.each([
    ["without one that it needs", "brief_me_on", {}, "person: "],
    [
      "with an option that is none",
      "my_team",
      { detail: "canary-7d01" },
      'detail: Invalid option: expected one of "brief"|"full"',
    ],
  ])("are refused %s, in words that say what is wrong", async (_what, name, args, reason) => {
    const { code, message } = await failureOf(client.getPrompt(name, args));

    expect(code).toBe(-32602);
    expect(message).toContain(`The arguments are not valid. ${reason}`);
    expect(message).not.toContain("canary-7d01");
  });

  test.each(["brief_me", "constructor", "__proto__", ""])("are unknown under the name %j", async (name) => {
    const refusal = {
      code: -32602,
      message: expect.stringContaining("Unknown prompt; prompts/list has the names.") as string,
    };
    expect(await failureOf(client.getPrompt(name))).toEqual(refusal);
    expect(await failureOf(client.complete(name, "detail", "b"))).toEqual(refusal);
  });

  test.each([
    ["", ["brief", "full"]],
    ["f", ["full"]],
    ["x", []],
  ])("complete an argument with options after %j was typed", async (typed, values) => {
    expect(await client.complete("brief_me_on", "detail", typed)).toEqual(values);
    expect(graphRequests()).toEqual([]);
  });

  test("complete people through Graph as the signed-in user, and that is audited", async () => {
    expect(await client.complete("brief_me_on", "person", " adele ")).toEqual(["Adèle Dubois"]);

    expect(graphRequests()).toEqual([
      'GET /v1.0/me/people?$top=10&$select=id,displayName,scoredEmailAddresses,userPrincipalName&$search="adele"',
    ]);
    await eventually(() => audited().length, "the audit");
    expect(audited()).toEqual([
      expect.objectContaining({
        audit: "tool_call",
        decision: "allowed",
        outcome: "success",
        tool: "search_people",
        userId: "87d349ed-44d7-43e1-9a83-5f2406dee5bd",
        tenantId: "5b7e1e6c-4a52-4f0e-9d0a-6a3c1f6f2d11",
        clientId: "7d3a7f0e-9b64-4c1d-8f6e-0c5b1d2e3f40",
      }),
    ]);
  });

  test.each(["", " ", "\t\n"])("ask Graph for nobody after %j was typed", async (typed) => {
    expect(await client.complete("brief_me_on", "person", typed)).toEqual([]);
    expect(graphRequests()).toEqual([]);
    expect(audited()).toEqual([]);
  });

  test("ask Graph for at most a hundred characters", async () => {
    expect(await client.complete("brief_me_on", "person", "z".repeat(1_000))).toEqual([]);
    expect(graphRequests()[0]).toContain(`$search="${"z".repeat(100)}"`);
    await eventually(() => audited().length, "the audit, which the next test must not find");
  });

  test.each(["constructor", "__proto__", "toString", "hasOwnProperty", "nonsense", ""])(
    "have no suggestions for an argument named %j",
    async (argument) => {
      expect(await client.complete("brief_me_on", argument, "adele")).toEqual([]);
      expect(graphRequests()).toEqual([]);
      expect(audited()).toEqual([]);
    },
  );

  test("have no suggestions when Graph refuses or fails, and the failure is audited", async () => {
    stack.graph.traffic.fail({ kind: "status", status: 403, body: { error: { code: "Forbidden", message: "no" } } });

    expect(await client.complete("brief_me_on", "person", "adele")).toEqual([]);
    await eventually(() => audited().length, "the audit");
    expect(audited()).toEqual([
      expect.objectContaining({ tool: "search_people", outcome: "error", reason: "forbidden" }),
    ]);
  });
});

test("what people type is not in the log", async () => {
  const adele = await connect("sdk v2 (2026-07-28)", stack.mcpUrl, { token: await userToken(stack) });
  await adele.complete("brief_me_on", "person", "canary-2f6b");
  await adele.getPrompt("brief_me_on", { person: "canary-2f6b" });
  await adele.close();

  await logLine(stack, "audit");
  expect(stack.server.output()).not.toContain("canary-2f6b");
});
