import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Fault, Traffic } from "../../emulators/kernel/traffic.ts";
import { auditLine, logLine } from "../support/audit-lines.ts";
import { userToken } from "../support/forged-tokens.ts";
import { mcpRequest, messageIn, toolCall } from "../support/mcp-messages.ts";
import { type RawAnswer, sendRaw } from "../support/raw-http.ts";
import { freePort } from "../support/server-process.ts";
import { type Stack, startStack } from "../support/stack.ts";

const TOOL_TIMEOUT_MS = 2_500;
/** On top of a time limit, for a busy machine. */
const SLACK_MS = 1_500;

let stack: Stack;
beforeAll(async () => {
  stack = await startStack("bearer", { TOOL_TIMEOUT_SECONDS: "2.5" });
});
afterAll(() => stack.close());
afterEach(() => {
  for (const { traffic } of [stack.graph, stack.entra, stack.managedIdentity, stack.keyVault]) {
    traffic.recover();
    traffic.clear();
  }
});

type Message = ReturnType<typeof toolCall>;

async function send(message: Message, token?: string): Promise<RawAnswer> {
  return sendRaw(stack.serverOrigin, {
    headers: [["Authorization", `Bearer ${token ?? (await userToken(stack))}`], ...message.headers],
    body: message.body,
  });
}

interface Outcome {
  readonly isError: boolean;
  readonly code: string | undefined;
  readonly text: string | undefined;
  readonly ms: number;
}

/** A call by a user whose token the server sees for the first time. */
async function call(tool = "get_my_profile", args: Record<string, unknown> = {}, token?: string): Promise<Outcome> {
  const started = performance.now();
  const answer = await send(toolCall(tool, args), token);
  const ms = performance.now() - started;
  expect(answer.status).toBe(200);
  const { result } = messageIn(answer) as {
    result: { isError?: boolean; content: { text: string }[]; _meta?: Record<string, { code?: string } | undefined> };
  };
  return {
    isError: result.isError === true,
    code: result._meta?.["azure-graph-mcp/error"]?.code,
    text: result.content[0]?.text,
    ms,
  };
}

async function expectAlive(): Promise<void> {
  const { status } = await sendRaw(stack.serverOrigin, { method: "GET", target: "/healthz" });
  expect(status).toBe(200);
}

async function expectRecovery(traffic: Traffic): Promise<void> {
  await expectAlive();
  traffic.recover();
  expect((await call()).text).toContain("Adele Vance");
}

const HTML = "<!DOCTYPE html><html><body>Service Unavailable</body></html>";
const html = (status: number): Fault => ({
  kind: "status",
  status,
  headers: { "content-type": "text/html" },
  body: HTML,
});
const json = (status: number, body: unknown = {}): Fault => ({ kind: "status", status, body });
const empty = (status: number): Fault => ({ kind: "status", status });

describe("Microsoft Graph", () => {
  const FAILED = "Microsoft Graph could not be reached or failed. Try again in a minute.";
  const TOO_LONG = "Microsoft Graph took too long. Try again, with a smaller limit if there is one.";

  test.each<{ name: string; fault: Fault; text: string }>([
    { name: "cuts the connection", fault: { kind: "reset" }, text: FAILED },
    { name: "never answers", fault: { kind: "hang" }, text: TOO_LONG },
    { name: "answers after ten seconds", fault: { kind: "delay", ms: 10_000 }, text: TOO_LONG },
    { name: "answers garbage", fault: { kind: "garbage" }, text: FAILED },
    { name: "answers a page of a proxy with 200", fault: html(200), text: FAILED },
    { name: "answers a page with 502", fault: html(502), text: FAILED },
    { name: "answers an empty 200", fault: empty(200), text: FAILED },
    { name: "answers null", fault: json(200, null), text: FAILED },
    { name: "answers text", fault: json(200, "oops"), text: FAILED },
    { name: "answers 204", fault: empty(204), text: FAILED },
    { name: "answers 500", fault: json(500, { error: { code: "generalException", message: "x" } }), text: FAILED },
    { name: "answers 500 without a body", fault: empty(500), text: FAILED },
    { name: "answers an error of no known form", fault: json(500, { error: "x" }), text: FAILED },
    {
      name: "answers an error with an empty inner error",
      fault: json(500, { error: { code: null, innerError: null } }),
      text: FAILED,
    },
    { name: "answers 503", fault: json(503, { error: { code: "serviceNotAvailable" } }), text: FAILED },
    { name: "answers 504", fault: json(504), text: FAILED },
    {
      name: "answers 302",
      fault: { kind: "status", status: 302, headers: { Location: "https://localhost:1/" } },
      text: FAILED,
    },
  ])(
    "$name: one clear error within the time limit, and all is well afterwards",
    async ({ fault, text }) => {
      stack.graph.traffic.fail(fault);
      const outcomes = await Promise.all([
        call("get_my_profile"),
        call("get_my_profile", { include_mailbox: true }),
        call("search_people", { query: "alex" }),
      ]);

      for (const outcome of outcomes) {
        expect(outcome).toMatchObject({ isError: true, code: "unavailable", text });
        expect(outcome.ms).toBeLessThan(TOOL_TIMEOUT_MS + SLACK_MS);
      }
      await expectRecovery(stack.graph.traffic);
    },
    30_000,
  );

  test("a short outage is repeated away, at most three attempts in all", async () => {
    const token = await userToken(stack);
    await call("get_my_profile", {}, token);
    for (const fault of [json(503), json(504), { kind: "reset" } as const]) {
      stack.graph.traffic.clear();
      stack.graph.traffic.fail(fault, { times: 1 });
      expect((await call("get_my_profile", {}, token)).isError).toBe(false);
      expect(stack.graph.traffic.requests).toHaveLength(2);
    }
    stack.graph.traffic.clear();
    stack.graph.traffic.fail(json(503));
    expect((await call("get_my_profile", {}, token)).isError).toBe(true);
    expect(stack.graph.traffic.requests.length).toBeLessThanOrEqual(3);
  });

  test("asks to wait for half a minute: the caller hears of it at once", async () => {
    stack.graph.traffic.fail({ kind: "status", status: 429, headers: { "Retry-After": "30" }, body: {} });
    const outcome = await call();

    expect(outcome).toMatchObject({
      code: "throttled",
      text: "Microsoft Graph is limiting requests. Try again in 30 seconds.",
    });
    expect(outcome.ms).toBeLessThan(SLACK_MS);
    await expectRecovery(stack.graph.traffic);
  });

  test("is slow for one user: the others do not wait", async () => {
    await call();
    stack.graph.traffic.fail({ kind: "hang" }, { times: 20 });
    const slow = Array.from({ length: 20 }, () => call());
    await sleep(500);
    const fast = await call();

    expect(fast.isError).toBe(false);
    expect(fast.ms).toBeLessThan(SLACK_MS);
    expect((await Promise.all(slow)).every(({ code }) => code === "unavailable")).toBe(true);
  });
});

describe("Entra ID's token endpoint", () => {
  const FAILED = "Sign-in to Microsoft Graph failed for now. Try again in a minute.";

  test.each<{ name: string; fault: Fault; text: string | RegExp }>([
    { name: "cuts the connection", fault: { kind: "reset" }, text: FAILED },
    { name: "never answers", fault: { kind: "hang" }, text: /took too long|failed for now/ },
    { name: "answers garbage", fault: { kind: "garbage" }, text: FAILED },
    { name: "answers a page of a proxy with 200", fault: html(200), text: FAILED },
    { name: "answers a page with 502", fault: html(502), text: FAILED },
    { name: "answers an empty object", fault: json(200, {}), text: FAILED },
    { name: "answers no token", fault: json(200, { token_type: "Bearer", expires_in: 3600 }), text: FAILED },
    { name: "answers 500", fault: json(500, { error: "server_error", error_codes: [90000] }), text: FAILED },
    { name: "answers 503 without a body", fault: empty(503), text: FAILED },
  ])(
    "$name: one clear error within the time limit, and all is well afterwards",
    async ({ fault, text }) => {
      for (const path of [/\/oauth2\/v2\.0\/token/, /./]) {
        stack.entra.traffic.fail(fault, { path });
        // Signing keys are known already, so that what fails is the exchange.
        const outcome = await call("get_my_profile", {}, await userToken(stack));

        expect(outcome).toMatchObject({ isError: true, code: "unavailable" });
        expect(outcome.text).toMatch(text);
        expect(outcome.ms).toBeLessThan(TOOL_TIMEOUT_MS + SLACK_MS);
        stack.entra.traffic.recover();
      }
      await expectRecovery(stack.entra.traffic);
      expect(stack.graph.traffic.requests).toHaveLength(1);
    },
    30_000,
  );

  test("is down: who has a Graph token already does not notice", async () => {
    const token = await userToken(stack);
    await call("get_my_profile", {}, token);
    stack.entra.traffic.fail({ kind: "reset" });

    expect((await call("get_my_profile", {}, token)).isError).toBe(false);
    expect((await call("search_people", { query: "alex" }, token)).isError).toBe(false);
  });

  test("nobody listens there: a clear error", async () => {
    await stack.restart({ TOOL_TIMEOUT_SECONDS: "2.5", AZURE_AUTHORITY_HOST: `https://localhost:${await freePort()}` });
    const outcome = await call();
    await stack.restart();

    expect(outcome).toMatchObject({ code: "unavailable", text: FAILED });
  });
});

describe("the managed identity endpoint", () => {
  const exchange = { path: /AzureADTokenExchange/ };
  beforeEach(() => stack.restart());

  test.each<{ name: string; fault: Fault }>([
    { name: "cuts the connection", fault: { kind: "reset" } },
    { name: "never answers", fault: { kind: "hang" } },
    { name: "answers garbage", fault: { kind: "garbage" } },
    { name: "answers a page with 200", fault: html(200) },
    { name: "answers an empty object", fault: json(200, {}) },
    { name: "answers 400", fault: json(400, { statusCode: 400, message: "No managed identity" }) },
    { name: "answers 429", fault: json(429, {}) },
    { name: "answers 500", fault: json(500, { statusCode: 500, message: "x" }) },
  ])(
    "$name: one clear error within the time limit, and all is well afterwards",
    async ({ fault }) => {
      stack.managedIdentity.traffic.fail(fault, exchange);
      const outcome = await call();

      expect(outcome).toMatchObject({ isError: true, code: "unavailable" });
      expect(outcome.text).toMatch(/^(Sign-in to Microsoft Graph failed for now|Microsoft Graph took too long)/);
      expect(outcome.ms).toBeLessThan(TOOL_TIMEOUT_MS + SLACK_MS);
      expect(stack.graph.traffic.requests).toEqual([]);
      await expectRecovery(stack.managedIdentity.traffic);
    },
    30_000,
  );

  test("nobody listens there: a clear error", async () => {
    const endpoint = `http://localhost:${await freePort()}/msi/token`;
    await stack.restart({ TOOL_TIMEOUT_SECONDS: "2.5", IDENTITY_ENDPOINT: endpoint });
    const outcome = await call();

    expect(outcome).toMatchObject({ code: "unavailable" });
    await expectAlive();
  });
});

describe("Entra ID's signing keys at the start", () => {
  test.each<{ name: string; fault: Fault; path: RegExp }>([
    { name: "discovery cuts the connection", fault: { kind: "reset" }, path: /openid-configuration/ },
    { name: "discovery never answers", fault: { kind: "hang" }, path: /openid-configuration/ },
    { name: "discovery answers garbage", fault: { kind: "garbage" }, path: /openid-configuration/ },
    { name: "discovery answers a page", fault: html(200), path: /openid-configuration/ },
    { name: "discovery answers 500", fault: json(500), path: /openid-configuration/ },
    {
      name: "discovery names keys elsewhere",
      fault: json(200, { issuer: "https://evil.example", jwks_uri: "https://evil.example/keys" }),
      path: /openid-configuration/,
    },
    { name: "the key set cuts the connection", fault: { kind: "reset" }, path: /discovery\/v2\.0\/keys/ },
    { name: "the key set is garbage", fault: { kind: "garbage" }, path: /discovery\/v2\.0\/keys/ },
    { name: "the key set is empty", fault: json(200, {}), path: /discovery\/v2\.0\/keys/ },
    { name: "the key set answers 503", fault: json(503), path: /discovery\/v2\.0\/keys/ },
  ])(
    "$name: 503 with Retry-After, and the next request after the outage succeeds",
    async ({ fault, path }) => {
      stack.entra.traffic.fail(fault, { path });
      await stack.restart();
      const started = performance.now();
      const answer = await send(toolCall("get_my_profile"));

      expect(answer.status).toBe(503);
      expect(answer.headers["retry-after"]).toBe("10");
      expect(answer.headers["content-type"]).toBe("application/problem+json; charset=utf-8");
      expect(JSON.parse(answer.body)).toEqual({
        title: "Service unavailable",
        status: 503,
        detail: "Sign-in cannot be checked right now. Try again in a minute.",
        requestId: answer.headers["x-request-id"],
      });
      expect(performance.now() - started).toBeLessThan(5_000 + SLACK_MS);
      expect(await auditLine(stack, answer.headers["x-request-id"])).toEqual({
        audit: "sign_in",
        decision: "denied",
        reason: "keys_unavailable",
      });
      await expectRecovery(stack.entra.traffic);
    },
    20_000,
  );

  test("once known, keys outlive an outage", async () => {
    const token = await userToken(stack);
    await call("get_my_profile", {}, token);
    stack.entra.traffic.fail({ kind: "reset" });

    expect((await send(toolCall("get_my_profile"), token)).status).toBe(200);
    expect((await send(toolCall("get_my_profile"), await userToken(stack))).status).toBe(200);
  });
});

describe("Key Vault", () => {
  const readyz = async () => {
    const { status, body } = await sendRaw(stack.serverOrigin, { method: "GET", target: "/readyz" });
    return { status, body: JSON.parse(body) as unknown };
  };
  const counters = { auditEventsLost: 0 };
  const failing = { status: 503, body: { status: "failing", checks: { keys: "failing", audit: "ok" }, counters } };
  const ok = { status: 200, body: { status: "ok", checks: { keys: "ok", audit: "ok" }, counters } };
  const paged = { query: "a", scope: "directory", limit: 1 };
  const initialize = mcpRequest("2025-11-25", "initialize", {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "test", version: "1" },
  });

  test("is down at the start: not ready, a clear line, tools without pages work, and it recovers", async () => {
    stack.keyVault.traffic.fail({ kind: "reset" });
    await stack.restart();

    expect(await logLine(stack, "Key Vault could not be read", 10_000)).toMatchObject({
      level: "error",
      secret: "state-signing-key",
      keysKnown: false,
      error: expect.any(String) as string,
    });
    expect(await readyz()).toEqual(failing);
    await expectAlive();
    expect((await call()).text).toContain("Adele Vance");
    expect((await call("get_user", { user: "MiriamG@contoso.com" })).isError).toBe(false);
    expect(await call("search_people", { ...paged, cursor: "x" })).toMatchObject({
      code: "unavailable",
      text: "Paging is not available right now. Try again in a minute.",
    });

    stack.keyVault.traffic.recover();
    const deadline = Date.now() + 12_000;
    while (Date.now() < deadline && (await readyz()).status !== 200) await sleep(200);
    expect(await readyz()).toEqual(ok);
    expect((await call("search_people", paged)).text).toContain('"next":');
  }, 40_000);

  test("is down at the start: clients of 2025-11-25 work, without and with a session from before", async () => {
    await stack.restart();
    const session = (await send(initialize)).headers["mcp-session-id"] ?? "";
    expect(session).not.toBe("");
    stack.keyVault.traffic.fail({ kind: "reset" });
    await stack.restart();

    const first = await send(initialize);
    expect(first.status).toBe(200);
    expect(first.headers["mcp-session-id"]).toBeUndefined();
    const legacy = toolCall("get_my_profile", {}, "2025-11-25");
    expect((await send(legacy)).body).toContain("Adele Vance");
    const resumed = await send({ ...legacy, headers: [["Mcp-Session-Id", session], ...legacy.headers] });
    expect(resumed.status).toBe(200);
    expect(resumed.body).toContain("Adele Vance");
    const forged = await send({ ...legacy, headers: [["Mcp-Session-Id", "forged"], ...legacy.headers] });
    expect(forged.status).toBe(404);
  }, 30_000);

  test("never answers at the start: /readyz does not hang, calls do not wait", async () => {
    stack.keyVault.traffic.fail({ kind: "hang" });
    await stack.restart();
    const outcome = await call();
    expect(outcome.text).toContain("Adele Vance");
    expect(outcome.ms).toBeLessThan(TOOL_TIMEOUT_MS);

    const started = performance.now();
    expect(await readyz()).toEqual(failing);
    expect(performance.now() - started).toBeLessThan(8_000 + SLACK_MS);
  }, 30_000);

  test.each<{ name: string; fault: Fault }>([
    { name: "garbage", fault: { kind: "garbage" } },
    { name: "a page", fault: html(200) },
    { name: "an empty object", fault: json(200, {}) },
    { name: "403", fault: json(403, { error: { code: "Forbidden", message: "x" } }) },
    { name: "404", fault: json(404, { error: { code: "SecretNotFound", message: "x" } }) },
  ])(
    "answers $name at the start: not ready, and the process lives",
    async ({ fault }) => {
      stack.keyVault.traffic.fail(fault);
      await stack.restart();

      await logLine(stack, "Key Vault could not be read", 10_000);
      expect(await readyz()).toEqual(failing);
      expect((await call()).text).toContain("Adele Vance");
    },
    30_000,
  );

  test("goes down later: pages go on with the last good secret", async () => {
    await stack.restart();
    expect(await readyz()).toEqual(ok);
    const first = await call("search_people", paged);
    const { next } = JSON.parse(first.text ?? "") as { next: string };
    for (const fault of [{ kind: "reset" }, { kind: "hang" }, { kind: "garbage" }] as const) {
      stack.keyVault.traffic.recover();
      stack.keyVault.traffic.fail(fault);

      expect((await call("search_people", { ...paged, cursor: next })).isError).toBe(false);
      expect((await call("search_people", paged)).text).toContain('"next":');
      expect(await readyz()).toEqual(ok);
    }
  });

  test("holds a secret that is too short: not ready, and the log does not repeat it", async () => {
    const { version } = stack.keyVault.setSecret("state-signing-key", "canary-too-short");
    await stack.restart();

    await logLine(stack, "Key Vault could not be read", 10_000);
    expect(await readyz()).toEqual(failing);
    expect(stack.server.output()).not.toContain("canary-too-short");
    stack.keyVault.updateSecret("state-signing-key", version, { enabled: false });
    await stack.restart();
    expect(await readyz()).toEqual(ok);
  }, 30_000);
});
