import { randomBytes, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { KeyRing, SigningSecret } from "../../src/mcp/key-ring.ts";
import { type Deployment, startDeployment } from "../support/confirming-server.ts";
import { mcpRequest, messageIn } from "../support/mcp-messages.ts";
import { sendRaw } from "../support/raw-http.ts";
import {
  approval,
  callOf,
  type Exchange,
  initialize,
  type Message,
  post,
  postAndRead,
  startSession,
} from "../support/wire-2025.ts";

const GREETING = { to: "MeganB@contoso.com", text: "Well done" };
const NOT_FOUND = {
  jsonrpc: "2.0",
  error: { code: -32001, message: "Session not found. Start a new one with initialize." },
  id: null,
};
const LIST = { jsonrpc: "2.0", id: 1, method: "tools/list" };
const HOUR_MS = 60 * 60 * 1000;

const createSecret = (): SigningSecret => ({ id: randomUUID().replaceAll("-", ""), secret: randomBytes(32) });
let secrets: SigningSecret[];
let sessionTime: number;
let deployment: Deployment;
let adele: string;
let alex: string;
beforeAll(async () => {
  const keyRing: KeyRing = async () => secrets;
  deployment = await startDeployment({ instances: 2, keyRing, now: () => sessionTime });
  [adele, alex] = [await deployment.token(), await deployment.token("AlexW")];
});
afterAll(() => deployment.close());
beforeEach(() => {
  secrets = [createSecret()];
  sessionTime = Date.now();
});

const open: Exchange[] = [];
afterEach(() => {
  for (const { hangUp } of open.splice(0)) hangUp();
  deployment.done.length = 0;
  deployment.audited.length = 0;
});

/** Sends a message to the load balancer. */
const send = (message: unknown, options: Parameters<typeof post>[2]) =>
  postAndRead(deployment.mcpUrl, message, options);

/** Calls a tool that asks first; the call's stream and the question. */
async function ask(token: string, session: string, id = 1) {
  const call = await post(deployment.mcpUrl, callOf("send_greeting", GREETING, id), { token, session });
  open.push(call);
  const question = await call.next();
  expect(question).toMatchObject({ method: "elicitation/create" });
  return { call, question: question ?? {} };
}

/** Whether a stream stays silent for a while. */
const silent = (call: Exchange) =>
  Promise.race([call.next().catch(() => "broken"), sleep(250, "silence")]).then((got) => got === "silence");

const resultOf = (message: Message | undefined) => message?.["result"] as Record<string, unknown> | undefined;
const codeOf = (message: Message | undefined) =>
  (resultOf(message)?.["_meta"] as Record<string, { code?: string }> | undefined)?.["azure-graph-mcp/error"]?.code;

describe("S1: a session is never authentication", () => {
  test.each([
    ["no token", undefined, "Missing Authorization header"],
    ["a token that is not valid", "e30.e30.e30", "The access token is not valid for this server."],
  ])("with %s a valid session is worth nothing: 401 with a challenge", async (_what, token, reason) => {
    const session = await startSession(deployment.mcpUrl, adele);
    const { status, headers, last } = await send(LIST, { session, ...(token !== undefined && { token }) });

    expect(status).toBe(401);
    expect(headers.get("www-authenticate")).toContain("Bearer ");
    expect(last).toEqual({ error: "invalid_token", error_description: reason });
  });

  test.each([
    ["a request", LIST],
    ["a tool call", callOf("look_up", { user: "AlexW@contoso.com" })],
    ["a new start", initialize({})],
    ["a notification", { jsonrpc: "2.0", method: "notifications/initialized" }],
    ["a cancellation", { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } }],
    ["an answer", approval(randomUUID())],
  ])("with another user's token it does not exist, not even for %s: 404", async (_what, message) => {
    const session = await startSession(deployment.mcpUrl, adele);
    const { status, last } = await send(message, { session, token: alex });

    expect([status, last]).toEqual([404, NOT_FOUND]);
    expect(deployment.audited).toEqual([]);
  });

  test("a request without a session is served on its own token, and the session adds no right to it", async () => {
    const { last } = await send(callOf("look_up", { user: "AlexW@contoso.com" }), { token: alex });

    expect(resultOf(last)?.["structuredContent"]).toEqual({ name: "Alex Wilber" });
    expect(deployment.audited).toEqual([
      expect.objectContaining({ tool: "look_up", userId: "6e3b8f19-27cd-4a60-8f5e-b41d9c70e204" }),
    ]);
  });
});

describe("S2: session ids are signed and bound", () => {
  test("an id that was changed in any place does not exist", async () => {
    const session = await startSession(deployment.mcpUrl, adele);
    const dot = session.indexOf(".");
    for (const at of [0, 1, Math.floor(dot / 2), dot - 1, dot, dot + 1, session.length - 2, session.length - 1]) {
      const changed = session.slice(0, at) + (session[at] === "A" ? "B" : "A") + session.slice(at + 1);
      const { status, last } = await send(LIST, { session: changed, token: adele });
      expect([status, last], `changed at ${at}`).toEqual([404, NOT_FOUND]);
    }
  });

  test.each([
    ["empty", () => ""],
    ["cut", (session: string) => session.slice(0, -1)],
    ["without signature", (session: string) => session.split(".")[0] ?? ""],
    ["with an empty signature", (session: string) => `${session.split(".")[0]}.`],
    ["given twice", (session: string) => `${session}, ${session}`],
    ["longer", (session: string) => `${session}.more`],
    ["a guess", () => randomUUID()],
    ["a path", () => "../../etc/passwd"],
  ])("an id that is %s does not exist", async (_what, change) => {
    const session = change(await startSession(deployment.mcpUrl, adele));
    const { status, last } = await send(LIST, { session, token: adele });

    expect([status, last]).toEqual([404, NOT_FOUND]);
  });

  test("an id that names another user, under the old signature, does not exist", async () => {
    const session = await startSession(deployment.mcpUrl, adele);
    const [encoded = "", signature = ""] = session.split(".");
    const renamed = Buffer.from(encoded, "base64url")
      .toString("utf8")
      .replace("87d349ed-44d7-43e1-9a83-5f2406dee5bd", "6e3b8f19-27cd-4a60-8f5e-b41d9c70e204");
    const forged = `${Buffer.from(renamed).toString("base64url")}.${signature}`;

    expect((await send(LIST, { session: forged, token: alex })).status).toBe(404);
  });

  test("no session is issued for a version that is none, and the client is served without one", async () => {
    const { status, headers, last } = await send(initialize({ elicitation: {} }, "9".repeat(10_000)), { token: adele });

    expect(status).toBe(200);
    expect(resultOf(last)).toMatchObject({ protocolVersion: "2025-11-25" });
    expect(headers.get("mcp-session-id")).toBeNull();
  });
});

describe("S3: sessions end", () => {
  test("after 24 hours", async () => {
    const session = await startSession(deployment.mcpUrl, adele);
    sessionTime += 24 * HOUR_MS - 1;
    expect((await send(LIST, { session, token: adele })).status).toBe(200);
    sessionTime += 1;

    const { status, last } = await send(LIST, { session, token: adele });
    expect([status, last]).toEqual([404, NOT_FOUND]);
  });

  test("when their key is retired, not when there is a newer one", async () => {
    const session = await startSession(deployment.mcpUrl, adele);
    secrets = [createSecret(), ...secrets];
    expect((await send(LIST, { session, token: adele })).status).toBe(200);
    secrets = secrets.slice(0, 1);

    expect((await send(LIST, { session, token: adele })).status).toBe(404);
    expect((await send(LIST, { session: await startSession(deployment.mcpUrl, adele), token: adele })).status).toBe(
      200,
    );
  });
});

describe("S4: an answer counts only from the session and the user that was asked", () => {
  test("it counts from there, and only then the call runs", async () => {
    const session = await startSession(deployment.mcpUrl, adele);
    const { call, question } = await ask(adele, session);
    expect(deployment.done).toEqual([]);
    expect((await send(approval(question.id), { token: adele, session })).status).toBe(202);

    expect(resultOf(await call.next())?.["structuredContent"]).toEqual({ sent_to: "Megan Bowen" });
    expect(deployment.done).toHaveLength(1);
  });

  test.each<[string, number, (mine: string) => Promise<{ token?: string; session?: string }>]>([
    [
      "another session of the same user",
      202,
      async () => ({ token: adele, session: await startSession(deployment.mcpUrl, adele) }),
    ],
    [
      "another user's session",
      202,
      async () => ({ token: alex, session: await startSession(deployment.mcpUrl, alex) }),
    ],
    ["another user with the session's id", 404, async (mine) => ({ token: alex, session: mine })],
    ["the user without a session", 400, async () => ({ token: adele })],
    ["somebody without a token", 401, async (mine) => ({ session: mine })],
    ["the user with something added to the id", 404, async (mine) => ({ token: adele, session: `${mine}A` })],
  ])("from %s it is not heard", async (_who, expected, attacker) => {
    const session = await startSession(deployment.mcpUrl, adele);
    const { call, question } = await ask(adele, session);
    const { status } = await send(approval(question.id), await attacker(session));

    expect(status).toBe(expected);
    expect(await silent(call)).toBe(true);
    expect(deployment.done).toEqual([]);
  });

  test("twice it counts once", async () => {
    const session = await startSession(deployment.mcpUrl, adele);
    const { call, question } = await ask(adele, session);
    const sent = await Promise.all(
      Array.from({ length: 5 }, () => send(approval(question.id), { token: adele, session })),
    );

    expect(sent.map(({ status }) => status)).toEqual([202, 202, 202, 202, 202]);
    expect(resultOf(await call.next())?.["structuredContent"]).toEqual({ sent_to: "Megan Bowen" });
    expect(await call.next()).toBeUndefined();
    expect(deployment.done).toHaveLength(1);
  });

  test("a refusal that came first is not overturned by a second answer", async () => {
    const session = await startSession(deployment.mcpUrl, adele);
    const { call, question } = await ask(adele, session);
    await send({ jsonrpc: "2.0", id: question.id, result: { action: "decline" } }, { token: adele, session });
    await send(approval(question.id), { token: adele, session });

    expect(codeOf(await call.next())).toBe("not_confirmed");
    expect(deployment.done).toEqual([]);
  });

  test("after the call is over it changes nothing, for that call or a later one", async () => {
    const session = await startSession(deployment.mcpUrl, adele);
    const first = await ask(adele, session);
    first.call.hangUp();
    await sleep(100);
    const second = await ask(adele, session);
    expect((await send(approval(first.question.id), { token: adele, session })).status).toBe(202);

    expect(second.question.id).not.toBe(first.question.id);
    expect(await silent(second.call)).toBe(true);
    expect(deployment.done).toEqual([]);
  });

  test("with an id that was not asked under it is not heard", async () => {
    const session = await startSession(deployment.mcpUrl, adele);
    const { call, question } = await ask(adele, session, 7);
    const asked = String(question.id);
    const guesses = [0, 1, 7, "0", "7", randomUUID(), `${asked} `, asked.toUpperCase(), ""];
    const sent = await Promise.all(guesses.map((id) => send(approval(id), { token: adele, session })));
    expect(sent.map(({ status }) => status)).toEqual(guesses.map(() => 202));

    expect(question.id).toMatch(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/);
    expect(await silent(call)).toBe(true);
    expect(deployment.done).toEqual([]);
  });

  test("a question to one session is not shown to another", async () => {
    const [mine, other] = [await startSession(deployment.mcpUrl, adele), await startSession(deployment.mcpUrl, adele)];
    const elsewhere = await ask(adele, other);
    await ask(adele, mine);

    expect(await silent(elsewhere.call)).toBe(true);
  });

  test.each<[string, object, string]>([
    ["an error", { error: { code: -32603, message: "canary-51c7" } }, "failed"],
    ["something else than an answer", { result: { content: { approve: true } } }, "failed"],
    ["a form without the approval", { result: { action: "accept", content: { approve: false } } }, "not approve"],
    ["an approval that is text", { result: { action: "accept", content: { approve: "true" } } }, "not approve"],
    ["an acceptance of nothing", { result: { action: "accept" } }, "not approve"],
    ["an acceptance of something else", { result: { action: "accept", content: { approval: true } } }, "not approve"],
  ])("%s is no approval", async (_what, reply, text) => {
    const session = await startSession(deployment.mcpUrl, adele);
    const { call, question } = await ask(adele, session);
    await send({ jsonrpc: "2.0", id: question.id, ...reply }, { token: adele, session });

    const result = resultOf(await call.next());
    expect(result?.["isError"]).toBe(true);
    expect(JSON.stringify(result?.["content"])).toContain(text);
    expect(deployment.done).toEqual([]);
  });

  const INSIDE = { inputResponses: { approval: { action: "accept", content: { approve: true } } } };

  test("an answer that comes inside the request is nothing: the person is asked", async () => {
    const session = await startSession(deployment.mcpUrl, adele);
    const message = callOf("send_greeting", GREETING, 1, INSIDE);
    const call = await post(deployment.mcpUrl, message, { token: adele, session });
    open.push(call);

    expect(await call.next()).toMatchObject({ method: "elicitation/create" });
    expect(await silent(call)).toBe(true);
    expect(deployment.done).toEqual([]);
  });

  test("an answer that comes inside the request with a state of its own making is refused", async () => {
    const session = await startSession(deployment.mcpUrl, adele);
    const message = callOf("send_greeting", GREETING, 1, { ...INSIDE, requestState: "e30" });
    const { last } = await send(message, { token: adele, session });

    expect(last).toMatchObject({ error: { code: -32602, message: "Invalid or expired requestState" } });
    expect(deployment.done).toEqual([]);
  });
});

describe("S5: an approval holds for one user, one tool and one set of arguments, for ten minutes", () => {
  const META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": { elicitation: { form: {} } },
  };
  const YES = { approval: { action: "accept", content: { approve: true } } };

  /** A tool call of 2026-07-28 by a client that can show forms. */
  async function call(token: string, name: string, args: object, more: Readonly<Record<string, unknown>> = {}) {
    const { headers } = mcpRequest("2026-07-28", "tools/call", { name });
    const params = { name, arguments: args, _meta: META, ...more };
    const answer = await sendRaw(new URL(deployment.mcpUrl).origin, {
      headers: [...headers, ["Authorization", `Bearer ${token}`]],
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params }),
    });
    return messageIn(answer) as Message;
  }

  /** Makes the first leg; the state to come back with. */
  async function stateOf(token = adele, name = "send_greeting", args: object = GREETING): Promise<string> {
    const result = resultOf(await call(token, name, args));
    expect(result).toMatchObject({ resultType: "input_required" });
    return String(result?.["requestState"]);
  }

  /** What a second leg leads to that approves nothing: the question again. */
  const ASKED_AGAIN = { result: { resultType: "input_required" } };
  const REFUSED = { error: { code: -32602, message: "Invalid or expired requestState" } };

  test("with the state and the answer that belong to it the call runs", async () => {
    const requestState = await stateOf();
    const result = await call(adele, "send_greeting", GREETING, { inputResponses: YES, requestState });

    expect(resultOf(result)?.["structuredContent"]).toEqual({ sent_to: "Megan Bowen" });
    expect(deployment.done).toEqual([{ tool: "send_greeting", ...GREETING }]);
  });

  test("the order of the arguments makes no difference", async () => {
    const requestState = await stateOf();
    const turned = { text: GREETING.text, to: GREETING.to };
    await call(adele, "send_greeting", turned, { inputResponses: YES, requestState });

    expect(deployment.done).toHaveLength(1);
  });

  test.each<[string, object]>([
    ["another recipient", { ...GREETING, to: "AlexW@contoso.com" }],
    ["another text", { ...GREETING, text: "Well done!" }],
    ["a text that looks alike", { ...GREETING, text: "Well done\u200b" }],
  ])("for %s the approval counts for nothing: the person is asked again", async (_what, args) => {
    const requestState = await stateOf();
    const result = await call(adele, "send_greeting", args, { inputResponses: YES, requestState });

    expect(result).toMatchObject(ASKED_AGAIN);
    expect(deployment.done).toEqual([]);
  });

  test("for another tool with the same arguments it counts for nothing", async () => {
    const requestState = await stateOf(adele, "send_greeting");
    const result = await call(adele, "recall_greeting", GREETING, { inputResponses: YES, requestState });

    expect(result).toMatchObject(ASKED_AGAIN);
    expect(deployment.done).toEqual([]);
  });

  test("another user's state is refused", async () => {
    const requestState = await stateOf(adele);
    const result = await call(alex, "send_greeting", GREETING, { inputResponses: YES, requestState });

    expect(result).toMatchObject(REFUSED);
    expect(deployment.done).toEqual([]);
  });

  test("an answer without the state counts for nothing: the person is asked", async () => {
    const result = await call(adele, "send_greeting", GREETING, { inputResponses: YES });

    expect(result).toMatchObject(ASKED_AGAIN);
    expect(deployment.done).toEqual([]);
  });

  test("a state without an answer counts for nothing: the person is asked again", async () => {
    const result = await call(adele, "send_greeting", GREETING, { requestState: await stateOf() });

    expect(result).toMatchObject(ASKED_AGAIN);
    expect(deployment.done).toEqual([]);
  });

  test.each<[string, (state: string) => unknown]>([
    ["changed at its start", (state) => (state.startsWith("A") ? "B" : "A") + state.slice(1)],
    ["changed at its end", (state) => state.slice(0, -2) + (state.at(-2) === "A" ? "B" : "A") + state.slice(-1)],
    ["cut", (state) => state.slice(0, -5)],
    ["empty", () => ""],
    ["made up", () => Buffer.from(JSON.stringify({ digest: "x" })).toString("base64url")],
    ["no text", () => ({ digest: "x" })],
  ])("a state that is %s is refused", async (_what, change) => {
    const requestState = change(await stateOf());
    const result = await call(adele, "send_greeting", GREETING, { inputResponses: YES, requestState });

    expect(result).toMatchObject({ error: { code: -32602 } });
    expect(deployment.done).toEqual([]);
  });

  test("a state is good for ten minutes", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      const requestState = await stateOf();
      vi.setSystemTime(Date.now() + 10 * 60_000 - 2_000);
      await call(adele, "send_greeting", GREETING, { inputResponses: YES, requestState });
      expect(deployment.done).toHaveLength(1);
      vi.setSystemTime(Date.now() + 4_000);

      expect(await call(adele, "send_greeting", GREETING, { inputResponses: YES, requestState })).toMatchObject(
        REFUSED,
      );
      expect(deployment.done).toHaveLength(1);
    } finally {
      vi.useRealTimers();
    }
  });

  test("a state outlives a new key, and ends with its own", async () => {
    const requestState = await stateOf();
    secrets = [createSecret(), ...secrets];
    await call(adele, "send_greeting", GREETING, { inputResponses: YES, requestState });
    expect(deployment.done).toHaveLength(1);
    secrets = secrets.slice(0, 1);

    expect(await call(adele, "send_greeting", GREETING, { inputResponses: YES, requestState })).toMatchObject(REFUSED);
    expect(deployment.done).toHaveLength(1);
  });

  test("a session id is no state, and a state no session id, although the same secret signs both", async () => {
    const [session, requestState] = [await startSession(deployment.mcpUrl, adele), await stateOf()];

    expect(await call(adele, "send_greeting", GREETING, { inputResponses: YES, requestState: session })).toMatchObject(
      REFUSED,
    );
    expect((await send(LIST, { session: requestState, token: adele })).status).toBe(404);
  });

  test.each([
    ["that the tool has", "plan_greeting", "input_required"],
    ["that the tool does not have", "send_greeting", "invalid_arguments"],
  ])("a model that fills in an argument `approve` %s approves nothing", async (_what, tool, outcome) => {
    const result = await call(adele, tool, { ...GREETING, approve: true });

    expect(resultOf(result)?.["resultType"] === "input_required" ? "input_required" : codeOf(result)).toBe(outcome);
    expect(deployment.done).toEqual([]);
    const session = await startSession(deployment.mcpUrl, adele);
    const legacy = await post(deployment.mcpUrl, callOf(tool, { ...GREETING, approve: true }), {
      token: adele,
      session,
    });
    open.push(legacy);
    const first = await legacy.next();
    expect(first?.["method"] === "elicitation/create" ? "input_required" : codeOf(first)).toBe(outcome);
    expect(deployment.done).toEqual([]);
  });

  test("who may not call the tool is not even asked", async () => {
    const diego = await deployment.token("DiegoS");
    const result = await call(diego, "send_greeting", GREETING, { inputResponses: YES });

    expect(codeOf(result)).toBe("forbidden");
    expect(deployment.audited).toEqual([expect.objectContaining({ decision: "denied", reason: "forbidden" })]);
    expect(deployment.done).toEqual([]);
  });
});
