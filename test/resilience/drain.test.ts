import { connect as connectSocket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { userToken } from "../support/forged-tokens.ts";
import { ERAS, mcpRequest, toolCall } from "../support/mcp-messages.ts";
import { type RawAnswer, sendRaw } from "../support/raw-http.ts";
import { type Stack, startStack } from "../support/stack.ts";

const DRAIN_SECONDS = 2;

let stack: Stack;
let token: string;
beforeAll(async () => {
  stack = await startStack("bearer", { DRAIN_TIMEOUT_SECONDS: String(DRAIN_SECONDS), TOOL_TIMEOUT_SECONDS: "20" });
  token = await userToken(stack);
});
afterAll(() => stack.close());
beforeEach(async () => {
  await stack.restart();
  await call();
});
afterEach(() => {
  for (const { traffic } of [stack.graph, stack.entra, stack.managedIdentity, stack.keyVault]) traffic.recover();
});

function call(message = toolCall("get_my_profile"), as = token): Promise<RawAnswer> {
  return sendRaw(stack.serverOrigin, {
    headers: [["Authorization", `Bearer ${as}`], ...message.headers],
    body: message.body,
  });
}

/** Seconds from the signal to the end of the process, and its exit code. */
async function end(signal: NodeJS.Signals): Promise<{ code: number | null; seconds: number }> {
  const started = performance.now();
  stack.server.signal(signal);
  const code = await Promise.race([stack.server.exit, sleep(15_000, -1)]);
  return { code, seconds: (performance.now() - started) / 1000 };
}

describe.each(["SIGTERM", "SIGINT"] as const)("%s", (signal) => {
  test("without running calls ends the process at once", async () => {
    const { code, seconds } = await end(signal);

    expect(code).toBe(0);
    expect(seconds).toBeLessThan(1.5);
    expect(stack.server.log.map(({ msg }) => msg).filter((msg) => msg !== "audit")).toEqual([
      "Listening",
      "Stopping",
      "Stopped",
    ]);
  });

  test.each(ERAS)("lets a running call of %s finish, and takes no new ones", async (era) => {
    stack.graph.traffic.fail({ kind: "delay", ms: 1_000 });
    const running = call(toolCall("get_my_profile", {}, era));
    await sleep(300);
    const ended = end(signal);
    await sleep(200);
    const late = await call().then(
      ({ status }) => status,
      (error: NodeJS.ErrnoException) => error.code,
    );
    const answer = await running;
    const { code, seconds } = await ended;

    expect([503, "ECONNREFUSED"]).toContain(late);
    expect(answer.status).toBe(200);
    expect(answer.body).toContain("Adele Vance");
    expect(code).toBe(0);
    expect(seconds).toBeGreaterThan(0.5);
    expect(seconds).toBeLessThan(DRAIN_SECONDS + 1.5);
  });

  test("cuts a call that takes longer than DRAIN_TIMEOUT_SECONDS, and still ends the process", async () => {
    stack.graph.traffic.fail({ kind: "hang" });
    const running = call().then(
      ({ status }) => status,
      () => "cut",
    );
    await sleep(300);
    const { code, seconds } = await end(signal);

    expect(code).toBe(0);
    expect(seconds).toBeGreaterThan(DRAIN_SECONDS - 0.2);
    expect(seconds).toBeLessThan(DRAIN_SECONDS + 1.5);
    expect(await running).toBe("cut");
  });
});

test("a new request on a connection that is still busy is answered with 503 and Retry-After", async () => {
  stack.graph.traffic.fail({ kind: "delay", ms: 1_000 });
  const { headers, body } = toolCall("get_my_profile");
  const lines = [
    ...headers,
    ["Authorization", `Bearer ${token}`] as const,
    ["Host", new URL(stack.serverOrigin).host] as const,
    ["Content-Length", String(Buffer.byteLength(body))] as const,
  ].map(([name, value]) => `${name}: ${value}\r\n`);
  const request = `POST /mcp HTTP/1.1\r\n${lines.join("")}\r\n${body}`;
  let received = "";
  const socket = connectSocket({ host: "127.0.0.1", port: stack.server.port }, () => socket.write(request));
  socket.on("data", (chunk) => {
    received += chunk.toString();
  });
  const closed = new Promise((resolve) => {
    socket.on("close", resolve);
  });
  await sleep(300);
  const ended = end("SIGTERM");
  await sleep(200);
  socket.write(request);
  await closed;

  const [first = "", second = ""] = received.split(/(?=HTTP\/1\.1 )/);
  expect(first).toMatch(/^HTTP\/1\.1 200 /);
  expect(second).toMatch(/^HTTP\/1\.1 503 /);
  expect(second.toLowerCase()).toContain("retry-after: 5\r\n");
  expect(second.toLowerCase()).toContain("connection: close\r\n");
  expect((await ended).code).toBe(0);
});

test("an open stream (subscriptions/listen) does not keep the process beyond the time for draining", async () => {
  const listening = call(mcpRequest("2026-07-28", "subscriptions/listen", { filter: {} })).catch(() => undefined);
  await sleep(300);
  const { code, seconds } = await end("SIGTERM");
  await listening;

  expect(code).toBe(0);
  expect(seconds).toBeLessThan(DRAIN_SECONDS + 1.5);
});

test("a keep-alive connection that idles does not keep the process", async () => {
  const socket = connectSocket({ host: "127.0.0.1", port: stack.server.port });
  socket.on("error", () => undefined);
  socket.write(`GET /healthz HTTP/1.1\r\nHost: ${new URL(stack.serverOrigin).host}\r\n\r\n`);
  await sleep(200);
  const { code, seconds } = await end("SIGTERM");

  expect(code).toBe(0);
  expect(seconds).toBeLessThan(1.5);
});

test("a client that sends half a request does not keep the process beyond the time for draining", async () => {
  const socket = connectSocket({ host: "127.0.0.1", port: stack.server.port });
  socket.on("error", () => undefined);
  socket.write("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Le");
  await sleep(200);
  const { code, seconds } = await end("SIGTERM");

  expect(code).toBe(0);
  expect(seconds).toBeLessThan(DRAIN_SECONDS + 1.5);
});

test.each([
  { part: "Entra ID", traffic: () => stack.entra.traffic, fresh: false },
  { part: "the managed identity endpoint", traffic: () => stack.managedIdentity.traffic, fresh: true },
  { part: "Key Vault", traffic: () => stack.keyVault.traffic, fresh: true },
])(
  "a request to $part that never ends does not keep the process beyond the time for draining",
  async ({ traffic, fresh }) => {
    traffic().fail({ kind: "hang" });
    if (fresh) await stack.restart();
    const running = call(toolCall("get_my_profile"), await userToken(stack)).catch(() => undefined);
    await sleep(500);
    const { code, seconds } = await end("SIGTERM");
    await running;

    expect(code).toBe(0);
    expect(seconds).toBeLessThan(DRAIN_SECONDS + 1.5);
  },
);
