import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { people } from "../../emulators/contoso/users.ts";
import type { Principal } from "../../src/auth/principal.ts";
import { unwrap } from "../../src/graph/errors.ts";
import type { ConnectGraph, Graph } from "../../src/graph/graph.ts";
import { path } from "../../src/graph/path.ts";
import { createRemembered } from "../../src/graph/remembered.ts";
import { ADELE, callerWith } from "../support/callers.ts";
import { type GraphConnection, PERMISSIONS, startGraphConnection } from "../support/graph-connection.ts";

interface Named {
  readonly displayName: string;
}

const MEGAN: Principal = { ...ADELE, userId: people.needsMfa.id };
const NAME = { path: path`/me`, query: { $select: "displayName" }, remember: true } as const;
const MAIL = { path: path`/me`, query: { $select: "mail" }, remember: true } as const;
const ZONE = { path: path`/me/mailboxSettings`, query: { $select: "timeZone" }, remember: true } as const;
const FIVE_MINUTES_MS = 300_000;

let connection: GraphConnection;
let connectGraph: ConnectGraph;
beforeAll(async () => {
  connection = await startGraphConnection();
});
afterAll(() => connection.close());
beforeEach(() => {
  connectGraph = connection.createClient({
    acquireToken: ({ principal }) => connection.sign({ oid: principal.userId, tid: principal.tenantId }),
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  connection.emulator.traffic.recover();
  connection.emulator.traffic.clear();
});

/** A tool call of its own. */
function callBy(principal: Principal = ADELE): Graph {
  return connectGraph({
    caller: callerWith("the caller's own token", principal),
    permissions: PERMISSIONS,
    signal: new AbortController().signal,
    cursors: { seal: async (text) => text, open: async (text) => text },
  });
}

const read = (graph: Graph, { path: target, ...options }: typeof NAME | typeof MAIL | typeof ZONE = NAME) =>
  graph.get<Named>(target, options);
const requests = () => connection.emulator.traffic.requests.map(({ method, url }) => `${method} ${url}`);
const GET_NAME = "GET /v1.0/me?$select=displayName";

/** Later than it is by so many milliseconds, for whoever measures time. */
function passTime(ms: number): void {
  const now = performance.now.bind(performance);
  vi.spyOn(performance, "now").mockImplementation(() => now() + ms);
}

/** The urls in the batches that were sent. */
async function batchesOf(work: () => Promise<unknown>): Promise<string[][]> {
  const batches: string[][] = [];
  connectGraph = connection.createClient({
    acquireToken: ({ principal }) => connection.sign({ oid: principal.userId }),
    send: async (url, options) => {
      const { requests = [] } = JSON.parse(options.body ?? "{}") as { requests?: { url: string }[] };
      batches.push(requests.map((request) => request.url));
      return connection.transport.send(url, options);
    },
  });
  await work();
  return batches;
}

test("a remembered read costs one request, in this call and in later ones of the same user", async () => {
  const call = callBy();
  const answers = [await read(call), await read(call), await read(callBy())];

  expect(answers.map(({ displayName }) => displayName)).toEqual(["Adele Vance", "Adele Vance", "Adele Vance"]);
  expect(requests()).toEqual([GET_NAME]);
});

test("another user never gets it", async () => {
  await read(callBy());
  expect(await read(callBy(MEGAN))).toMatchObject({ displayName: "Megan Bowen" });
  expect(await read(callBy())).toMatchObject({ displayName: "Adele Vance" });
  expect(requests()).toEqual([GET_NAME, GET_NAME]);
});

test("nobody of another tenant with the same user id, nor names that only look like it, gets it", () => {
  const remembered = createRemembered();
  const url = { url: "https://graph/v1.0/me", headers: undefined };
  remembered.keep(ADELE, url, { displayName: "Adele Vance" });

  expect(remembered.find({ ...ADELE, tenantId: "another" }, url)).toBeUndefined();
  expect(
    remembered.find({ ...ADELE, userId: "", tenantId: `${ADELE.tenantId}","${ADELE.userId}` }, url),
  ).toBeUndefined();
  expect(remembered.find(ADELE, url)).toEqual({ displayName: "Adele Vance" });
});

test("another query, path or header is another answer", async () => {
  const call = callBy();
  await read(call, NAME);
  expect(await read(call, MAIL)).toMatchObject({ mail: "AdeleV@contoso.com" });
  await read(call, ZONE);
  await call.get(NAME.path, { ...NAME, headers: { prefer: "a" } });
  await call.get(NAME.path, { ...NAME, headers: { prefer: "b" } });
  expect(requests()).toHaveLength(5);
});

test("a read that does not ask for it is neither kept nor answered from memory", async () => {
  const { path: target, query } = NAME;
  const call = callBy();
  await call.get(target, { query });
  await read(call);
  await call.get(target, { query });
  expect(requests()).toEqual([GET_NAME, GET_NAME, GET_NAME]);
});

test("it is forgotten after five minutes", async () => {
  await read(callBy());
  passTime(FIVE_MINUTES_MS - 5_000);
  await read(callBy());
  expect(requests()).toHaveLength(1);
  vi.restoreAllMocks();
  passTime(FIVE_MINUTES_MS + 5_000);
  // The memory looks at the clock once in a millisecond.
  await sleep(5);
  await read(callBy());
  expect(requests()).toHaveLength(2);
});

test.each([
  ["a refusal", { kind: "status", status: 403, body: { error: { code: "Authorization_RequestDenied" } } }],
  ["something that there is not", { kind: "status", status: 404, body: { error: { code: "ResourceNotFound" } } }],
  ["an answer that is no JSON", { kind: "garbage" }],
  ["an answer that is empty", { kind: "status", status: 200 }],
] as const)("%s is not remembered", async (_what, fault) => {
  connection.emulator.traffic.fail(fault, { times: 1 });
  await expect(read(callBy())).rejects.toMatchObject({ name: "ToolError" });
  expect(await read(callBy())).toMatchObject({ displayName: "Adele Vance" });
  expect(requests()).toEqual([GET_NAME, GET_NAME]);
});

test("of a batch only what is unknown is sent, alone if it is the only one, and each answer is in its place", async () => {
  const batches = await batchesOf(async () => {
    await read(callBy(), MAIL);
    const some = await callBy().batch<[Named, Named, Named]>([NAME, MAIL, ZONE]);
    const none = await callBy().batch<[Named, Named, Named]>([ZONE, NAME, MAIL]);
    const one = await callBy().batch<[Named, Named]>([NAME, { path: path`/me/people`, query: { $top: 1 } }]);

    expect(some.map((result) => result && unwrap(result))).toMatchObject([
      { displayName: "Adele Vance" },
      { mail: "AdeleV@contoso.com" },
      { timeZone: "Pacific Standard Time" },
    ]);
    expect(none.map((result) => result && unwrap(result))).toMatchObject([
      { timeZone: "Pacific Standard Time" },
      { displayName: "Adele Vance" },
      { mail: "AdeleV@contoso.com" },
    ]);
    expect(one.map((result) => result?.ok)).toEqual([true, true]);
  });

  expect(requests()).toEqual(["GET /v1.0/me?$select=mail", "POST /v1.0/$batch", "GET /v1.0/me/people?$top=1"]);
  expect(batches[1]).toEqual(["/me?$select=displayName", "/me/mailboxSettings?$select=timeZone"]);
});

test("what failed within a batch is not remembered, what went well beside it is", async () => {
  connection.emulator.switches["graph.throttledBatchItems"] = "/me/mailboxSettings";
  const [name, zone] = await callBy().batch<[Named, Named]>([NAME, ZONE]);
  connection.emulator.switches["graph.throttledBatchItems"] = undefined;
  expect([name.ok, zone?.ok]).toEqual([true, false]);

  await read(callBy(), NAME);
  await read(callBy(), ZONE);
  expect(requests()).toEqual(["POST /v1.0/$batch", "GET /v1.0/me/mailboxSettings?$select=timeZone"]);
});

test("what is read again after a claims challenge within a batch is remembered too", async () => {
  const challenge = `Bearer error="insufficient_claims", claims="${Buffer.from("{}").toString("base64")}"`;
  const body = { error: { code: "InvalidAuthenticationToken" } };
  const responses = ["0", "1"].map((id) => ({ id, status: 401, headers: { "WWW-Authenticate": challenge }, body }));
  connection.emulator.traffic.fail({ kind: "status", status: 200, body: { responses } }, { times: 1 });

  const results = await callBy().batch<[Named, Named]>([NAME, ZONE]);
  expect(results.map((result) => result?.ok)).toEqual([true, true]);
  await callBy().batch<[Named, Named]>([NAME, ZONE]);
  expect(requests()).toEqual(["POST /v1.0/$batch", "POST /v1.0/$batch"]);
});
