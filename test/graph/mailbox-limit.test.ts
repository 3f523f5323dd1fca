import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { people } from "../../emulators/contoso/users.ts";
import { defaultSwitches } from "../../emulators/graph/switches.ts";
import { type Principal, userKey } from "../../src/auth/principal.ts";
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
/** How often a token was asked for. */
let acquired: number;
/** Requests under way, with the most that there were at once. */
let under: { now: number; most: number };
beforeAll(async () => {
  connection = await startGraphConnection();
});
afterAll(() => connection.close());
beforeEach(() => {
  acquired = 0;
  under = { now: 0, most: 0 };
  connection.emulator.switches["graph.mailboxBusyMs"] = BUSY_MS;
  connectGraph = connection.createClient({
    acquireToken: ({ principal }) => {
      acquired += 1;
      return connection.sign({ oid: principal.userId, scp: PERMISSIONS });
    },
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

describe("requests to a mailbox", () => {
  test("of 20 calls of one user are never more than four at once, and none is refused (G19)", async () => {
    await Promise.all(Array.from({ length: 20 }, () => read()));

    expect(under.most).toBe(4);
    // One that is refused is sent again: these are all.
    expect(count("GET", /\/me\/messages/)).toBe(20);
  });

  test("of another user do not wait for them", async () => {
    const others = Promise.all(Array.from({ length: 20 }, () => read()));
    await read(MEGAN);

    // It overtakes most of them.
    expect(count("GET", /\/me\/messages/)).toBeLessThan(21);
    await others;
  });

  test("to other services, and sign-ins that fail, take no place in it", async () => {
    const waiting = Promise.all(Array.from({ length: 12 }, () => read()));
    await callBy().get(path`/me/drive`);
    expect(count("GET", /\/me\/messages/)).toBeLessThan(12);
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
    connection.emulator.traffic.fail({ kind: "delay", ms: 1_000 }, { times: 4 });
    const busy = Promise.all(Array.from({ length: 4 }, () => read()));
    const controller = new AbortController();
    const waiting = read(ADELE, controller.signal);
    const behind = read();
    await eventually(() => count("GET", /messages/) === 4, "four reads");
    controller.abort(new Error("the person went away"));

    await expect(waiting).rejects.toThrow("the person went away");
    expect(under.now).toBe(4);
    await Promise.all([busy, behind]);
    expect(acquired).toBe(5);
    expect(count("GET", /\/me\/messages/)).toBe(5);
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
    connection.emulator.traffic.fail({ kind: "delay", ms: 1_000 }, { times: 2 });
    const together = callBy().batch<[object, object, object, object]>([
      MESSAGES,
      FOLDERS,
      MESSAGES,
      { path: path`/me` },
    ]);
    await eventually(() => count("POST", /batch/) === 1, "the batch");
    const singles = [read(), read()];
    await eventually(() => count("GET", /messages/) === 1, "the read beside it");
    await sleep(BUSY_MS);
    expect(count("GET", /messages/)).toBe(1);

    expect((await together).map((result) => result?.ok)).toEqual([true, true, true, true]);
    await Promise.all(singles);
    expect(under.most).toBe(2);
    expect(count("GET", /messages/)).toBe(2);
  });

  test("of more reads than fit has the mailbox for itself, and waits until it is free", async () => {
    connection.emulator.traffic.fail({ kind: "delay", ms: 500 }, { times: 1 });
    const single = read();
    await eventually(() => count("GET", /messages/) === 1, "the single read");
    const together = callBy().batch<[object, object, object, object, object, object]>([
      MESSAGES,
      FOLDERS,
      MESSAGES,
      FOLDERS,
      MESSAGES,
      FOLDERS,
    ]);
    await sleep(BUSY_MS);
    expect(count("POST", /batch/)).toBe(0);

    await single;
    expect((await together).map((result) => result?.ok)).toEqual([true, true, true, true, true, true]);
    expect(under.most).toBe(1);
  });

  test("without reads of the mailbox does not wait for it", async () => {
    const waiting = Promise.all(Array.from({ length: 12 }, () => read()));
    const other: GraphRead = { path: path`/me/drive` };
    await callBy().batch([{ path: path`/me` }, other]);
    expect(count("GET", /\/me\/messages/)).toBeLessThan(12);
    await waiting;
  });
});

test("a mailbox is forgotten when nobody uses it, however its requests ended", async () => {
  const set = vi.spyOn(Map.prototype, "set");
  connection.emulator.traffic.fail({ kind: "status", status: 404 }, { times: 2 });
  const controller = new AbortController();
  const waiting = [read(), read(), read(), read(), read(ADELE, controller.signal)];
  const work = Promise.allSettled([...waiting, read(MEGAN), read(ADELE, AbortSignal.abort())]);
  const index = set.mock.calls.findIndex(([key]) => key === userKey(ADELE));
  const mailboxes = set.mock.contexts[index] as Map<string, unknown>;
  expect(mailboxes.size).toBe(2);
  controller.abort();

  const outcomes = await work;
  expect(outcomes.filter(({ status }) => status === "rejected")).toHaveLength(4);
  await eventually(() => mailboxes.size === 0, "all mailboxes are forgotten");
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
