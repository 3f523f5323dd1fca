import { afterAll, beforeAll, expect, test } from "vitest";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { type Stack, startStack } from "../support/stack.ts";

let stack: Stack;
let token: string;
beforeAll(async () => {
  stack = await startStack("bearer", { TOOLSETS: "mail" });
  token = await stack.entra.issueAccessToken({
    user: "AdeleV",
    client: CONTOSO.sampleClientId,
    scope: `${stack.mcpUrl}/${CONTOSO.scope}`,
  });
});
afterAll(() => stack.close());

async function send(method: string, params: object) {
  const response = await fetch(stack.mcpUrl, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
  });
  return (await response.json()) as { result?: Record<string, unknown>; error?: { code: number } };
}

test("a toolset that is off is neither listed nor callable", async () => {
  const { tools } = (await send("tools/list", {})).result as { tools: { name: string }[] };
  expect(tools.map(({ name }) => name)).toEqual(["search_messages", "get_message", "get_message_attachment"]);
  expect((await send("tools/call", { name: "search_people", arguments: { query: "a" } })).error?.code).toBe(-32_602);
});

test("a prompt whose tools are off is not offered, and its completion does not reach them", async () => {
  expect((await send("prompts/list", {})).result).toMatchObject({ prompts: [] });
  const completion = await send("completion/complete", {
    ref: { type: "ref/prompt", name: "brief_me_on" },
    argument: { name: "person", value: "Ad" },
  });
  expect(completion.error?.code).toBe(-32_602);
  expect(stack.graph.traffic.requests).toEqual([]);
});
