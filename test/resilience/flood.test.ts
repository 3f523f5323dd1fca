import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createNodeServer } from "../../src/http/node-server.ts";
import { eventually } from "../support/eventually.ts";
import { userToken } from "../support/forged-tokens.ts";
import { toolCall } from "../support/mcp-messages.ts";
import { type RawAnswer, sendRaw } from "../support/raw-http.ts";
import { type Stack, startStack } from "../support/stack.ts";

const CALLS_PER_MINUTE = 600;
const MEASURED_MS = 6_000;
/** What scheduling costs on a machine that also runs the flood, the cloud and other tests. */
const NOISE_MS = 40;

let stack: Stack;
beforeAll(async () => {
  stack = await startStack("bearer", { LOG_LEVEL: "info", CALLS_PER_MINUTE: String(CALLS_PER_MINUTE) });
});
afterAll(() => stack.close());

function call(token: string): Promise<RawAnswer> {
  const { headers, body } = toolCall("get_my_profile", {}, "2025-11-25");
  return sendRaw(stack.serverOrigin, { headers: [["Authorization", `Bearer ${token}`], ...headers], body });
}

/** Calls at a steady pace, and gives the times that the answers took. */
async function callSteadily(token: string, perMinute: number): Promise<{ times: number[]; statuses: number[] }> {
  const pause = 60_000 / perMinute;
  const pending: Promise<readonly [number, number]>[] = [];
  for (const end = Date.now() + MEASURED_MS; Date.now() < end; ) {
    const started = performance.now();
    pending.push(call(token).then(({ status }) => [performance.now() - started, status] as const));
    await sleep(pause);
  }
  const answers = await Promise.all(pending);
  return { times: answers.map(([time]) => time), statuses: answers.map(([, status]) => status) };
}

const p99 = (times: readonly number[]): number =>
  [...times].sort((a, b) => a - b)[Math.ceil(times.length * 0.99) - 1] ?? 0;

test("a user at 20 times the limit does not slow one at a tenth of it", async () => {
  const [flooding, modest] = [await userToken(stack), await userToken(stack, "AlexW")];
  await call(modest);
  const alone = await callSteadily(modest, CALLS_PER_MINUTE / 10);
  const [flood, beside] = await Promise.all([
    callSteadily(flooding, CALLS_PER_MINUTE * 20),
    callSteadily(modest, CALLS_PER_MINUTE / 10),
  ]);

  expect(new Set(beside.statuses)).toEqual(new Set([200]));
  expect(flood.times.length).toBeGreaterThan(600);
  expect(p99(beside.times)).toBeLessThan(2 * p99(alone.times) + NOISE_MS);
}, 60_000);

/** Opens connections that send one byte of a head that never ends every second. */
async function openSlowly(count: number, port: number): Promise<{ sockets: Socket[]; stop(): void }> {
  const sockets = Array.from({ length: count }, () => connect(port, "127.0.0.1").on("error", () => undefined));
  for (const socket of sockets) socket.write("POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
  const dripping = setInterval(() => {
    for (const socket of sockets) if (socket.writable) socket.write("a");
  }, 1_000);
  return {
    sockets,
    stop() {
      clearInterval(dripping);
      for (const socket of sockets) socket.destroy();
    },
  };
}

test("500 clients that send a byte a second are cut, and stop nobody meanwhile", async () => {
  const token = await userToken(stack, "AlexW");
  const slow = await openSlowly(500, stack.server.port);
  await sleep(1_000);
  const started = performance.now();
  expect((await call(token)).status).toBe(200);
  expect(performance.now() - started).toBeLessThan(2_000);

  let cut = 0;
  for (const socket of slow.sockets) socket.once("close", () => (cut += 1)).resume();
  const deadline = Date.now() + 20_000;
  while (cut < slow.sockets.length && Date.now() < deadline) await sleep(200);
  slow.stop();
  expect(cut).toBe(500);
}, 60_000);

test("a body that comes too slowly ends the request, a slow answer does not", async () => {
  const server = createNodeServer(
    (req, res) => {
      req.resume().once("end", () => setTimeout(() => res.end("at last"), 1_200));
    },
    { headersMs: 300, requestMs: 500, checkMs: 100 },
  );
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as { port: number };
  const received: string[] = [];
  const socket = connect(port, "127.0.0.1").setEncoding("utf8");
  socket.on("data", (text: string) => received.push(text)).on("error", () => undefined);
  socket.write("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc");
  const slow = await sendRaw(`http://localhost:${port}`, { body: "{}" });

  expect(slow).toMatchObject({ status: 200, body: "at last" });
  await eventually(() => received.join("").startsWith("HTTP/1.1 408 "), "the answer 408");
  server.close();
  server.closeAllConnections();
});
