import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Deployment, startDeployment } from "../support/confirming-server.ts";
import { eventually } from "../support/eventually.ts";
import { approval, callOf, type Exchange, post, postAndRead, startSession } from "../support/wire-2025.ts";

const STREAMS = 1_000;
const CALLS = 200;
const MIB = 1024 * 1024;
const GREETING = { to: "MeganB@contoso.com", text: "Well done" };

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

let deployment: Deployment;
beforeAll(async () => {
  deployment = await startDeployment();
});
afterAll(() => deployment.close());

function heap(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed / MIB;
}

/** A call that waits for its user's approval on an open stream. */
async function waitForApproval(token: string, session: string, id: number) {
  const exchange = await post(deployment.mcpUrl, callOf("send_greeting", GREETING, id), { token, session });
  const question = await exchange.next();
  return { exchange, questionId: question?.id };
}

async function openStreams(count: number, token: string, session: string) {
  const streams: { exchange: Exchange; questionId: unknown }[] = [];
  // In portions, so that the backlog of the listening socket is not what is tested.
  for (let first = 0; first < count; first += 100) {
    const portion = Array.from({ length: 100 }, (_none, index) => waitForApproval(token, session, first + index));
    streams.push(...(await Promise.all(portion)));
  }
  return streams;
}

async function callAtOnce(count: number, token: string, session: string): Promise<unknown[]> {
  const calls = Array.from({ length: count }, (_none, id) =>
    postAndRead(deployment.mcpUrl, callOf("look_up", { user: "AlexW@contoso.com" }, `call ${id}`), { token, session }),
  );
  return (await Promise.all(calls)).map(
    ({ last }) => (last?.["result"] as { structuredContent?: { name?: unknown } } | undefined)?.structuredContent?.name,
  );
}

const connections = () => deployment.instances[0]?.connections() ?? Promise.resolve(0);

test("1,000 open streams and 200 calls at once are served by one instance, and their memory is given back", async () => {
  const token = await deployment.token();
  const session = await startSession(deployment.mcpUrl, token);
  // What is loaded and compiled once is no part of the measure.
  for (const { exchange } of await openStreams(100, token, session)) exchange.hangUp();
  await callAtOnce(CALLS, token, session);
  await eventually(async () => (await connections()) < CALLS + 50, "streams are closed");
  const before = heap();

  const streams = await openStreams(STREAMS, token, session);
  expect(new Set(streams.map(({ questionId }) => questionId)).size).toBe(STREAMS);
  const during = heap();
  expect(await callAtOnce(CALLS, token, session)).toEqual(Array.from({ length: CALLS }, () => "Alex Wilber"));

  // Still alive after all that: the last one is approved and runs.
  const last = streams.at(-1);
  await postAndRead(deployment.mcpUrl, approval(last?.questionId), { token, session });
  expect(await last?.exchange.next()).toMatchObject({ result: { structuredContent: { sent_to: "Megan Bowen" } } });

  for (const { exchange } of streams.splice(0)) exchange.hangUp();
  await eventually(async () => (await connections()) < CALLS + 50, "streams are closed");
  // Both ends of every stream are in this process.
  expect((during - before) / STREAMS).toBeLessThan(0.2);
  await eventually(() => heap() - before < 20, "memory is given back");
}, 120_000);
