import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { people, users } from "../../emulators/contoso/users.ts";
import { auditLine } from "../support/audit-lines.ts";
import { userToken } from "../support/forged-tokens.ts";
import { CLIENTS, connect } from "../support/mcp-clients.ts";
import { ERAS, messageIn, toolCall } from "../support/mcp-messages.ts";
import { sendRaw } from "../support/raw-http.ts";
import { type AuthMode, type Stack, startStack } from "../support/stack.ts";
import { startWireTap, type WireTap } from "../support/wire-tap.ts";

const SPECIAL = new Set<string>(Object.values(people).map(({ id }) => id));
const TEN = users.filter(({ id }) => !SPECIAL.has(id)).slice(0, 10);

describe.each<AuthMode>(["bearer", "easy-auth"])("in AUTH_MODE=%s", (mode) => {
  let stack: Stack;
  let tap: WireTap;
  beforeAll(async () => {
    tap = startWireTap();
    stack = await startStack(mode, { TOOL_TIMEOUT_SECONDS: "20" });
  });
  afterAll(async () => {
    tap.stop();
    await stack.close();
  });
  beforeEach(() => {
    tap.clear();
    for (const { traffic } of [stack.graph, stack.entra]) traffic.clear();
  });
  afterEach(() => stack.graph.traffic.recover());

  test("fifty calls of ten users at once: everyone gets their own profile, for one exchange each", async () => {
    const tokens = await Promise.all(TEN.map(({ id }) => userToken(stack, id)));
    stack.graph.switches["graph.latencyMs"] = 50;
    const calls = Array.from({ length: 50 }, async (_value, index) => {
      const user = TEN[index % TEN.length];
      const { headers, body } = toolCall("get_my_profile", {}, ERAS[index % 2]);
      const answer = await sendRaw(new URL(stack.mcpUrl).origin, {
        headers: [["Authorization", `Bearer ${tokens[index % TEN.length]}`], ...headers],
        body,
      });
      const { result } = messageIn(answer) as { result: { structuredContent: { id: string; name: string } } };
      return { asked: user?.id, got: result.structuredContent.id, requestId: answer.headers["x-request-id"] };
    });
    const answers = await Promise.all(calls);
    stack.graph.switches["graph.latencyMs"] = 0;

    expect(answers.map(({ got }) => got)).toEqual(answers.map(({ asked }) => asked));
    expect(stack.entra.traffic.count("POST", /\/oauth2\/v2\.0\/token/)).toBe(10);
    expect(stack.graph.traffic.requests).toHaveLength(50);
    for (const { asked, requestId } of answers) {
      expect(await auditLine(stack, requestId)).toMatchObject({ userId: asked, outcome: "success" });
    }
  });

  test("cursors of many users at once open for their own user only", async () => {
    const tokens = await Promise.all(TEN.map(({ id }) => userToken(stack, id)));
    const search = async (token: string | undefined, cursor?: string) => {
      const args = { query: "a", scope: "directory", limit: 2, ...(cursor === undefined ? {} : { cursor }) };
      const { headers, body } = toolCall("search_people", args);
      const answer = await sendRaw(new URL(stack.mcpUrl).origin, {
        headers: [["Authorization", `Bearer ${token}`], ...headers],
        body,
      });
      const { result } = messageIn(answer) as {
        result: { isError?: boolean; structuredContent?: { next: string }; _meta?: Record<string, unknown> };
      };
      return result;
    };
    const cursors = (await Promise.all(tokens.map((token) => search(token)))).map(
      ({ structuredContent }) => structuredContent?.next,
    );
    const own = await Promise.all(tokens.map((token, index) => search(token, cursors[index])));
    const others = await Promise.all(tokens.map((token, index) => search(token, cursors[(index + 1) % TEN.length])));

    expect(new Set(cursors).size).toBe(10);
    expect(own.map(({ isError }) => isError ?? false)).toEqual(own.map(() => false));
    for (const { _meta } of others) {
      expect(_meta?.["azure-graph-mcp/error"]).toMatchObject({ code: "invalid_cursor" });
    }
  });

  test.each(CLIENTS)("%s cancels a call: the request to Graph ends too, and the audit says so", async (kind) => {
    const client = await connect(kind, stack.mcpUrl, { token: await userToken(stack) });
    await client.call("get_my_profile");
    tap.clear();
    stack.graph.traffic.fail({ kind: "hang" });
    const cancel = new AbortController();
    const call = client.call("get_my_profile", {}, cancel.signal).then(
      () => "answered",
      () => "cancelled",
    );
    const toGraph = () => tap.requests.filter(({ url }) => url.startsWith("/v1.0/me"));
    while (toGraph().length === 0) await sleep(10);
    cancel.abort();

    expect(await call).toBe("cancelled");
    const deadline = Date.now() + 3_000;
    while (Date.now() < deadline && !toGraph().every((request) => request.abandoned())) await sleep(20);
    expect(toGraph().map((request) => request.abandoned())).toEqual([true]);
    while (Date.now() < deadline && stack.server.log.at(-1)?.["reason"] !== "cancelled") await sleep(20);
    expect(stack.server.log.at(-1)).toMatchObject({ audit: "tool_call", outcome: "error", reason: "cancelled" });

    stack.graph.traffic.recover();
    expect((await client.call("get_my_profile")).isError).toBeFalsy();
    await client.close();
  });

  test.each(ERAS)("a client of %s that hangs up ends the request to Graph", async (era) => {
    const token = await userToken(stack);
    stack.graph.traffic.fail({ kind: "hang" });
    const { headers, body } = toolCall("get_my_profile", {}, era);
    const hangUp = new AbortController();
    const call = fetch(stack.mcpUrl, {
      method: "POST",
      headers: [
        ...headers.map(([name, value]): [string, string] => [name, value]),
        ["Authorization", `Bearer ${token}`],
      ],
      body,
      signal: hangUp.signal,
    }).catch(() => undefined);
    const toGraph = () => tap.requests.filter(({ url }) => url.startsWith("/v1.0/me"));
    while (toGraph().length === 0) await sleep(10);
    hangUp.abort();
    await call;

    const deadline = Date.now() + 3_000;
    while (Date.now() < deadline && !toGraph().every((request) => request.abandoned())) await sleep(20);
    expect(toGraph().map((request) => request.abandoned())).toEqual([true]);
  });

  test("one user's cancelled call does not end the exchange that another call of theirs waits for", async () => {
    const token = await userToken(stack);
    stack.entra.traffic.fail({ kind: "delay", ms: 700 }, { path: /\/oauth2\/v2\.0\/token/, times: 1 });
    const ask = (signal?: AbortSignal) => {
      const { headers, body } = toolCall("get_my_profile");
      return fetch(stack.mcpUrl, {
        method: "POST",
        headers: [
          ...headers.map(([name, value]): [string, string] => [name, value]),
          ["Authorization", `Bearer ${token}`],
        ],
        body,
        ...(signal && { signal }),
      });
    };
    const hangUp = new AbortController();
    const first = ask(hangUp.signal).catch(() => undefined);
    await sleep(200);
    const second = ask();
    await sleep(100);
    hangUp.abort();
    await first;

    expect(await (await second).text()).toContain("Adele Vance");
    expect(stack.entra.traffic.count("POST", /\/oauth2\/v2\.0\/token/)).toBe(1);
  });
});
