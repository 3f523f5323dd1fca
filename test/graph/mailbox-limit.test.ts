import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { people } from "../../emulators/contoso/users.ts";
import { defaultSwitches } from "../../emulators/graph/switches.ts";
import type { Principal } from "../../src/auth/principal.ts";
import type { ConnectGraph, GraphRead, GraphTransport } from "../../src/graph/graph.ts";
import { mailboxLoad } from "../../src/graph/mailbox-limit.ts";
import { path } from "../../src/graph/path.ts";
import { ADELE, callerWith } from "../support/callers.ts";
import { eventually } from "../support/eventually.ts";
import { type GraphConnection, startGraphConnection } from "../support/graph-connection.ts";

const MEGAN: Principal = { ...ADELE, userId: people.needsMfa.id };
const PERMISSIONS = "User.Read Mail.Read Files.Read MailboxSettings.Read Tasks.Read";
const MESSAGES: GraphRead = { path: path`/me/messages`, query: { $top: 1, $select: "id" } };
const FOLDERS: GraphRead = { path: path`/me/mailFolders`, query: { $top: 1 } };
const BUSY_MS = 100;

let connection: GraphConnection;
let connectGraph: ConnectGraph;
/** Requests under way, with the most that there were at once. */
let under: { now: number; most: number };
beforeAll(async () => {
  connection = await startGraphConnection();
});
afterAll(() => connection.close());
beforeEach(() => {
  under = { now: 0, most: 0 };
  connection.emulator.switches["graph.mailboxBusyMs"] = BUSY_MS;
  connectGraph = connection.createClient({
    acquireToken: ({ principal }) => connection.sign({ oid: principal.userId, scp: PERMISSIONS }),
    send: counted(connection.transport.send),
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  connection.emulator.traffic.recover();
  connection.emulator.traffic.clear();
  Object.assign(connection.emulator.switches, defaultSwitches);
});

function counted(send: GraphTransport): GraphTransport {
  return async (url, options) => {
    under.now += 1;
    under.most = Math.max(under.most, under.now);
    try {
      return await send(url, options);
    } finally {
      under.now -= 1;
    }
  };
}

/** A tool call of its own. */
const callBy = (principal: Principal = ADELE, signal = new AbortController().signal) =>
  connectGraph({
    caller: callerWith("the caller's own token", principal),
    permissions: [],
    signal,
    cursors: { seal: async (text) => text, open: async (text) => text },
  });

const read = (principal?: Principal, signal?: AbortSignal) => callBy(principal, signal).get(MESSAGES.path, MESSAGES);
const count = (method: string, url: RegExp) => connection.emulator.traffic.count(method, url);

async function timed<T>(work: Promise<T>): Promise<number> {
  const started = performance.now();
  await work;
  return performance.now() - started;
}

describe("requests to a mailbox", () => {
  test("of 20 calls of one user are never more than four at once, and none is refused (G19)", async () => {
    await Promise.all(Array.from({ length: 20 }, () => read()));

    expect(under.most).toBe(4);
    // One that is refused is sent again: these are all.
    expect(count("GET", /\/me\/messages/)).toBe(20);
  });

  test("of another user do not wait for them", async () => {
    const others = Promise.all(Array.from({ length: 20 }, () => read()));
    const ms = await timed(read(MEGAN));

    expect(ms).toBeLessThan(4 * BUSY_MS);
    expect(under.now).toBeGreaterThan(0);
    await others;
  });

  test("to other services, and sign-ins that fail, take no place in it", async () => {
    const waiting = Promise.all(Array.from({ length: 12 }, () => read()));
    expect(await timed(callBy().get(path`/me/drive`))).toBeLessThan(2 * BUSY_MS);
    await waiting;
    const refusing = connection.createClient({ acquireToken: () => Promise.reject(new Error("no token")) });
    const call = () =>
      refusing({
        caller: callerWith("the caller's own token"),
        permissions: [],
        signal: new AbortController().signal,
        cursors: { seal: async (text) => text, open: async (text) => text },
      }).get(MESSAGES.path);
    const failures = await Promise.allSettled(Array.from({ length: 9 }, call));
    expect(failures.map(({ status }) => status)).toEqual(Array.from({ length: 9 }, () => "rejected"));
  });

  test("come in the order of the calls", async () => {
    const done: number[] = [];
    await Promise.all(Array.from({ length: 9 }, (_, index) => read().then(() => done.push(index))));
    expect(done.slice(4).every((index) => index >= 4)).toBe(true);
    expect(done.at(-1)).toBe(8);
  });

  test("that wait end with their call, are not sent, and let the next one pass", async () => {
    const busy = Array.from({ length: 4 }, () => read());
    const controller = new AbortController();
    const waiting = read(ADELE, controller.signal);
    const behind = read();
    await sleep(BUSY_MS / 4);
    const aborted = timed(waiting.catch((error: unknown) => expect(error).toBe(controller.signal.reason)));
    controller.abort(new Error("the person went away"));

    expect(await aborted).toBeLessThan(BUSY_MS / 2);
    await Promise.all([...busy, behind]);
    expect(count("GET", /\/me\/messages/)).toBe(5);
    await expect(waiting).rejects.toThrow("the person went away");
  });

  test("that fail leave their place", async () => {
    connection.emulator.traffic.fail({ kind: "status", status: 404 }, { times: 4 });
    await Promise.allSettled(Array.from({ length: 4 }, () => read()));
    await Promise.all(Array.from({ length: 4 }, () => read()));
    expect(under.now).toBe(0);
  });
});

describe("a batch", () => {
  test("counts with its reads of the mailbox: what does not fit beside it waits", async () => {
    const together = callBy().batch([MESSAGES, FOLDERS, MESSAGES, { path: path`/me` }]);
    await eventually(() => count("POST", /batch/) === 1, "the batch");
    const singles = [read(), read()];
    await eventually(() => count("GET", /messages/) === 1, "the read beside it");
    // The batch takes as long as three reads.
    await sleep(BUSY_MS / 2);
    expect(count("GET", /messages/)).toBe(1);

    expect((await together).map((result) => result?.ok)).toEqual([true, true, true, true]);
    await Promise.all(singles);
    expect(under.most).toBe(2);
    expect(count("GET", /messages/)).toBe(2);
  });

  test("of more reads than fit has the mailbox for itself, and waits until it is free", async () => {
    const single = read();
    const together = callBy().batch([MESSAGES, FOLDERS, MESSAGES, FOLDERS, MESSAGES, FOLDERS]);
    await sleep(BUSY_MS / 2);
    expect(count("POST", /batch/)).toBe(0);

    await single;
    expect((await together).map((result) => result?.ok)).toEqual([true, true, true, true, true, true]);
    expect(under.most).toBe(1);
  });

  test("without reads of the mailbox does not wait for it", async () => {
    const waiting = Promise.all(Array.from({ length: 12 }, () => read()));
    const other: GraphRead = { path: path`/me/drive` };
    expect(await timed(callBy().batch([{ path: path`/me` }, other]))).toBeLessThan(2 * BUSY_MS);
    await waiting;
  });
});

test("a mailbox is forgotten when nobody uses it, however its requests ended", async () => {
  const known = new Set<string>();
  const isMailbox = (key: unknown): key is string => typeof key === "string" && key.includes(ADELE.tenantId);
  const [set, remove] = [Map.prototype.set, Map.prototype.delete];
  vi.spyOn(Map.prototype, "set").mockImplementation(function (
    this: Map<unknown, unknown>,
    key: unknown,
    value: unknown,
  ) {
    if (isMailbox(key) && /^[^"]*$/.test(key)) known.add(key);
    return set.call(this, key, value);
  });
  vi.spyOn(Map.prototype, "delete").mockImplementation(function (this: Map<unknown, unknown>, key: unknown) {
    if (isMailbox(key)) known.delete(key);
    return remove.call(this, key);
  });
  connection.emulator.traffic.fail({ kind: "status", status: 404 }, { times: 2 });
  const controller = new AbortController();
  const work = [
    read(),
    read(MEGAN),
    read(),
    read(),
    read(),
    read(ADELE, controller.signal),
    read(ADELE, AbortSignal.abort()),
  ];
  const adele = `${ADELE.tenantId}/${ADELE.userId}`;
  expect(known.has(adele)).toBe(true);
  controller.abort();

  const outcomes = await Promise.allSettled(work);
  expect(outcomes.filter(({ status }) => status === "rejected")).toHaveLength(4);
  await sleep(BUSY_MS);
  expect([...known]).toEqual([]);
});

test.each([
  ["/me/messages", 1],
  ["/me/messages/x/attachments/y/$value", 1],
  ["/me/messages?$search=%22a%22", 1],
  ["/me/mailFolders/inbox/messages", 1],
  ["/me/sendMail", 1],
  ["/me/mailboxSettings", 1],
  ["/me/calendarView", 1],
  ["/me/calendar/getSchedule", 1],
  ["/me/events/x/accept", 1],
  ["/me/findMeetingTimes", 1],
  ["/me/todo/lists", 1],
  ["/me", 0],
  ["/me/people", 0],
  ["/me/drive/items/messages/children", 0],
  ["/users/messages", 0],
  ["/search/query", 0],
  ["/me/chats", 0],
])("a request for %s is %i to the mailbox", (target, load) => {
  expect(mailboxLoad(`/v1.0${target}`)).toBe(load);
});
