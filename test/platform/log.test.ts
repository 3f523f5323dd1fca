import { type ChildProcess, spawn } from "node:child_process";
import { connect } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { userToken } from "../support/forged-tokens.ts";
import { toolCall } from "../support/mcp-messages.ts";
import { type RawAnswer, sendRaw } from "../support/raw-http.ts";
import { freePort } from "../support/server-process.ts";
import { type Stack, startStack } from "../support/stack.ts";

const LOG_MODULE = join(import.meta.dirname, "../../dist/platform/log.js");

/** Runs code with `log`, `createLog` and `print` (to standard error) in a process whose standard output is a pipe. */
function run(code: string): ChildProcess {
  const prologue = `import { createLog } from ${JSON.stringify(LOG_MODULE)}; const print = (text) => process.stderr.write(text);`;
  return spawn(process.execPath, ["--input-type=module", "-e", `${prologue}\n${code}`], {
    stdio: ["ignore", "pipe", "pipe"],
  });
}

const EVENT = '{ event: "sign_in", decision: "denied", reason: "missing_token", requestId: "1" }';

let child: ChildProcess | undefined;
afterEach(() => {
  child?.kill("SIGKILL");
});

async function outputOf(process: ChildProcess): Promise<{ out: string; err: string }> {
  const read = { out: "", err: "" };
  process.stdout?.on("data", (chunk) => (read.out += chunk));
  process.stderr?.on("data", (chunk) => (read.err += chunk));
  await new Promise((resolve) => process.once("close", resolve));
  return read;
}

test("an audit event says the version of its schema, and is written whatever the level", async () => {
  child = run(`const log = createLog("silent"); log.error("Nothing of this"); log.audit(${EVENT}); await log.flush();`);
  const { out } = await outputOf(child);

  expect(
    out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual([
    {
      level: "info",
      time: expect.any(String),
      audit: "sign_in",
      version: 1,
      decision: "denied",
      reason: "missing_token",
      requestId: "1",
      msg: "audit",
    },
  ]);
});

test("lines are whole and in order, and those that wait are written before the process ends by itself", async () => {
  child = run(`const log = createLog("info"); for (let n = 0; n < 20_000; n++) log.info("Line", { n });`);
  const { out } = await outputOf(child);

  const numbers = out
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as { n: number }).n);
  expect(numbers).toEqual(Array.from({ length: 20_000 }, (_none, n) => n));
});

test("a reader that takes nothing stops nobody: what does not fit the queue is dropped, counted, and shown for a while", async () => {
  child = run(`
    const log = createLog("info", { maxQueuedBytes: 100_000 });
    const started = performance.now();
    for (let n = 0; n < 20_000; n++) log.audit(${EVENT});
    const ms = performance.now() - started;
    const failing = await log.checkAudit().then(() => false, () => true);
    print(JSON.stringify({ ms, lost: log.auditLost(), failing }));
    process.stderr.write("\\n");
    setTimeout(() => {}, 60_000);
  `);
  let err = "";
  child.stderr?.on("data", (chunk) => (err += chunk));
  const { ms, lost, failing } = (await eventually(
    () => (err.includes("\n") ? (JSON.parse(err) as Report) : undefined),
    "the report",
  )) as Report;

  expect(ms).toBeLessThan(3_000);
  expect(lost).toBeGreaterThan(15_000);
  expect(failing).toBe(true);
});

interface Report {
  readonly ms: number;
  readonly lost: number;
  readonly failing: boolean;
}

test("dropped lines of the log are no lost audit events", async () => {
  child = run(`
    const log = createLog("info", { maxQueuedBytes: 10_000 });
    for (let n = 0; n < 20_000; n++) log.info("Line", { n });
    const failing = await log.checkAudit().then(() => false, () => true);
    print(JSON.stringify({ lost: log.auditLost(), failing }) + "\\n");
    setTimeout(() => {}, 60_000);
  `);
  let err = "";
  child.stderr?.on("data", (chunk) => (err += chunk));
  const report = await eventually(() => (err.includes("\n") ? (JSON.parse(err) as unknown) : undefined), "the report");

  expect(report).toEqual({ lost: 0, failing: false });
});

let stack: Stack;
beforeAll(async () => {
  stack = await startStack("bearer");
});
afterAll(() => stack.close());

test("a server whose log nobody reads answers, and says in /readyz that audit events were lost", async () => {
  const port = String(await freePort());
  child = spawn(process.execPath, [join(import.meta.dirname, "../../dist/main.js")], {
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      ...stack.environment(),
      NODE_EXTRA_CA_CERTS: process.env["NODE_EXTRA_CA_CERTS"],
      HOST: "127.0.0.1",
      PORT: port,
      CALLS_PER_MINUTE: "1",
      REQUESTS_PER_MINUTE: "1000000",
    },
  });
  const origin = `http://localhost:${port}`;
  const ready = () => sendRaw(origin, { method: "GET", target: "/readyz" }).catch(() => undefined);
  await eventually(async () => (await ready())?.status === 200, "the server listens");
  const token = await userToken(stack);
  // Refused by the limit, each of them audited: fast, and nothing but the log is in the way.
  const { headers, body } = toolCall("get_my_profile", {}, "2025-11-25");
  const call = () => sendRaw(origin, { headers: [["Authorization", `Bearer ${token}`], ...headers], body });
  expect((await call()).status).toBe(200);
  expect(await counters(await ready())).toEqual({ auditEventsLost: 0 });

  await floodUnauthenticated(Number(port), 30_000);
  const answer = await ready();

  expect((await counters(answer))["auditEventsLost"]).toBeGreaterThan(0);
  expect(answer?.status).toBe(200);
  expect(JSON.parse(answer?.body ?? "")).toMatchObject({
    status: "degraded",
    checks: { audit: "failing", keys: "ok" },
  });
  expect((await call()).status).toBe(200);
}, 90_000);

/** Requests that wait on one connection: with too many of them the server takes their sender for a slow one. */
const PORTION = 50;

/** Sends requests without a token over a few connections, each audited as denied, and waits until all are answered. */
async function floodUnauthenticated(port: number, count: number): Promise<void> {
  const connections = 20;
  const request = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
  await Promise.all(
    Array.from({ length: connections }, async () => {
      const socket = connect(port, "127.0.0.1").setEncoding("latin1");
      let [asked, answered] = [0, 0];
      await new Promise<void>((resolve, reject) => {
        const ask = () => {
          socket.write(request.repeat(PORTION));
          asked += PORTION;
        };
        socket.once("error", reject).on("data", (text: string) => {
          answered += text.split("HTTP/1.1 401 ").length - 1;
          if (asked >= count / connections) resolve();
          // An answer may begin at the end of what came: nearly all will do.
          else if (answered >= asked * 0.95) ask();
        });
        ask();
      });
      socket.destroy();
    }),
  );
}

async function counters(answer: RawAnswer | undefined): Promise<Readonly<Record<string, number>>> {
  return (JSON.parse(answer?.body ?? "{}") as { counters: Record<string, number> }).counters;
}
