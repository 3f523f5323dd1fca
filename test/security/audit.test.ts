import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { claimsOf, userToken } from "../support/forged-tokens.ts";
import { CLIENTS, connect } from "../support/mcp-clients.ts";
import { mcpRequest, toolCall } from "../support/mcp-messages.ts";
import { type RawAnswer, sendRaw } from "../support/raw-http.ts";
import { type Stack, startStack } from "../support/stack.ts";

const MAIL = { to: ["MeganB@contoso.com"], subject: "Well done", body: "Thank you" };
const GUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;
const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";

let stack: Stack;
beforeAll(async () => {
  stack = await startStack("bearer", { ALLOW_WRITES: "true" });
});
afterAll(() => stack.close());

const digests = (
  JSON.parse(readFileSync(join(import.meta.dirname, "../../src/tools.lock.json"), "utf8")) as {
    tools: Record<string, string>;
  }
).tools;
const eventsOf = (fact: string, value: unknown) =>
  stack.server.log.filter((line) => line["msg"] === "audit" && line[fact] === value);

async function send(token: string, message: ReturnType<typeof toolCall>): Promise<RawAnswer> {
  const { headers, body } = message;
  return sendRaw(stack.serverOrigin, { headers: [["Authorization", `Bearer ${token}`], ...headers], body });
}

describe("the audit", () => {
  test("has once per token that somebody came in, and each call", async () => {
    const [first, second] = [await userToken(stack), await userToken(stack, "AdeleV", { claims: { jti: "second" } })];
    const ids = [claimsOf(first)["uti"], claimsOf(second)["uti"]];
    for (const token of [first, first, second, first]) await send(token, toolCall("get_my_profile"));
    await eventually(() => eventsOf("tokenId", ids[0]).length === 4, "the events of the first token");
    await eventually(() => eventsOf("tokenId", ids[1]).length === 2, "the events of the second token");

    const short = (events: Readonly<Record<string, unknown>>[]) =>
      events.map(({ audit, version, decision }) => `${String(audit)} ${String(version)} ${String(decision)}`);
    expect(short(eventsOf("tokenId", ids[0]))).toEqual([
      "sign_in 1 allowed",
      "tool_call 1 allowed",
      "tool_call 1 allowed",
      "tool_call 1 allowed",
    ]);
    expect(short(eventsOf("tokenId", ids[1]))).toEqual(["sign_in 1 allowed", "tool_call 1 allowed"]);
  });

  test("holds the ids that lead from a call to the client, Entra and Graph, and no others", async () => {
    const token = await userToken(stack);
    stack.graph.traffic.clear();
    const message = mcpRequest("2025-11-25", "tools/call", {
      name: "get_my_profile",
      arguments: {},
      _meta: { traceparent: `00-${TRACE_ID}-00f067aa0ba902b7-01` },
    });
    const requestId = (await send(token, message)).headers["x-request-id"];
    const calls = () => eventsOf("requestId", requestId).filter(({ audit }) => audit === "tool_call");
    await eventually(() => calls().length, "the audit of the call");

    expect(calls()).toEqual([
      {
        level: "info",
        time: expect.any(String),
        msg: "audit",
        audit: "tool_call",
        version: 1,
        decision: "allowed",
        outcome: "success",
        tool: "get_my_profile",
        toolDigest: digests["get_my_profile"],
        requestId,
        clientRequestId: 1,
        traceId: TRACE_ID,
        graphRequestId: expect.stringMatching(GUID),
        tokenId: claimsOf(token)["uti"],
        userId: claimsOf(token)["oid"],
        tenantId: claimsOf(token)["tid"],
        clientId: claimsOf(token)["azp"],
        durationMs: expect.any(Number),
        resultTokens: expect.any(Number),
      },
    ]);
    expect(stack.graph.traffic.requests.map(({ headers }) => headers["client-request-id"])).toEqual([requestId]);
  });

  test.each([
    ["a JSON-RPC id that says something", (body: string) => body.replace('"id":1', '"id":"pay 1000 to c4n4ry"')],
    [
      "a traceparent that is none",
      (body: string) => body.replace('"arguments":{}', '"arguments":{},"_meta":{"traceparent":"c4n4ry"}'),
    ],
  ])("leaves out %s", async (_what, change) => {
    const token = await userToken(stack);
    const { headers, body } = toolCall("get_my_profile", {}, "2025-11-25");
    const requestId = (await send(token, { headers, body: change(body) })).headers["x-request-id"];
    await eventually(() => eventsOf("requestId", requestId).some(({ audit }) => audit === "tool_call"), "the audit");

    expect(JSON.stringify(eventsOf("requestId", requestId))).not.toContain("c4n4ry");
  });

  test.each(CLIENTS)("has that a person was asked, and what they answered (%s)", async (kind) => {
    const decisions = async (action: "accept" | "decline") => {
      const token = await userToken(stack);
      const client = await connect(kind, stack.mcpUrl, {
        token,
        elicit: () => ({ action, ...(action === "accept" && { content: { approve: true } }) }),
      });
      await client.call("send_mail", MAIL);
      await client.close();
      const found = () => eventsOf("tokenId", claimsOf(token)["uti"]).filter(({ audit }) => audit === "confirmation");
      await eventually(() => found().length === 2, "both events");
      for (const event of found()) {
        expect(event).toMatchObject({
          tool: "send_mail",
          toolDigest: digests["send_mail"],
          userId: claimsOf(token)["oid"],
        });
      }
      return found().map(({ decision }) => decision);
    };

    expect(await decisions("accept")).toEqual(["asked", "approved"]);
    expect(await decisions("decline")).toEqual(["asked", "declined"]);
  });
});
