import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { defaultSwitches } from "../../emulators/graph/switches.ts";
import { unwrap } from "../../src/graph/errors.ts";
import type { Graph, GraphFailure } from "../../src/graph/graph.ts";
import { path } from "../../src/graph/path.ts";
import { ToolError } from "../../src/mcp/tool-error.ts";
import { createGraphTransport } from "../../src/platform/graph-transport.ts";
import { type GraphConnection, startGraphConnection } from "../support/graph-connection.ts";
import { startSocketCounter } from "../support/socket-counter.ts";

interface Named {
  readonly displayName: string;
}

const ME = path`/me`;
const USERS = path`/users`;
const NAME = { query: { $select: "displayName" } };
const EVENTUAL = { ConsistencyLevel: "eventual" };

let connection: GraphConnection;
let graph: Graph;
beforeAll(async () => {
  connection = await startGraphConnection();
  graph = connection.connect();
});
afterAll(() => connection.close());
afterEach(() => {
  const { traffic, switches } = connection.emulator;
  traffic.recover();
  traffic.clear();
  Object.assign(switches, defaultSwitches);
});

const requests = () => connection.emulator.traffic.requests.map(({ method, url }) => `${method} ${url}`);

/** The error of a call that must fail, and how long it took. */
async function failureOf(work: Promise<unknown>): Promise<{ error: ToolError; cause: GraphFailure; ms: number }> {
  const started = performance.now();
  const error = await work.then(
    () => new Error("It succeeded."),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ToolError)) throw error;
  return { error, cause: error.cause as GraphFailure, ms: performance.now() - started };
}

const UNAVAILABLE = {
  code: "unavailable",
  message: "Microsoft Graph could not be reached or failed. Try again in a minute.",
};

describe("request", () => {
  test("carries the Graph token, the given headers and an id of its own, and never the caller's token", async () => {
    const me = await graph.get<Named>(ME, { ...NAME, headers: { prefer: "outlook.timezone=UTC" } });
    await graph.get(ME, NAME);

    expect(me).toMatchObject({ displayName: "Adele Vance" });
    expect(requests()).toEqual(["GET /v1.0/me?$select=displayName", "GET /v1.0/me?$select=displayName"]);
    const [first, second] = connection.emulator.traffic.requests.map(({ headers }) => headers);
    expect(first).toMatchObject({
      authorization: expect.stringMatching(/^Bearer ey/),
      prefer: "outlook.timezone=UTC",
      "client-request-id": expect.stringMatching(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/),
    });
    expect(second?.["client-request-id"]).not.toBe(first?.["client-request-id"]);
    expect(JSON.stringify(connection.emulator.traffic.requests)).not.toContain("the caller's own token");
  });

  test("uses one token for all requests of a tool call, with the tool's permissions", async () => {
    const acquired = connection.acquired.length;
    const call = connection.connect({ permissions: ["User.Read"] });
    await Promise.all([call.get(ME), call.get(ME), call.list(USERS, NAME)]);

    expect(connection.acquired.slice(acquired)).toEqual([{ permissions: ["User.Read"], claims: undefined }]);
  });

  test("that ends leaves its connection open for the next one, whatever the answer was", async () => {
    const counter = await startSocketCounter(Number(new URL(connection.emulator.origin).port));
    const transport = createGraphTransport(5_000);
    const endpoint = new URL(`https://localhost:${counter.port}`);
    const call = connection.connect({}, { endpoint, send: transport.send });

    for (let n = 0; n < 20; n++) {
      await call.get(ME, NAME);
      await failureOf(call.get(path`/users/${"nobody@contoso.com"}`));
    }
    expect(requests()).toHaveLength(40);
    // Two and not one: a request may begin before the pool has noticed that the one before it ended.
    expect(counter.connections()).toBeLessThanOrEqual(2);
    await transport.close();
    await counter.close();
  });

  test("whose token cannot be had is not made, and fails as the token did", async () => {
    const refusal = new ToolError("consent_required", "Nobody has allowed it.");
    const call = connection.connect({}, { acquireToken: () => Promise.reject(refusal) });

    await expect(call.get(ME)).rejects.toBe(refusal);
    expect(requests()).toEqual([]);
  });
});

describe("refusal by Graph", () => {
  test.each([
    [400, "Request_BadRequest", "invalid_arguments"],
    [401, "InvalidAuthenticationToken", "unavailable"],
    [403, "Authorization_RequestDenied", "forbidden"],
    [404, "Request_ResourceNotFound", "not_found"],
    [405, "BadRequest", "invalid_arguments"],
    [410, "ErrorItemGone", "not_found"],
    [500, "generalException", "unavailable"],
    [501, "NotImplemented", "invalid_arguments"],
    [507, "insufficientStorage", "unavailable"],
  ])("%i %s becomes %s and keeps status, code and request id", async (status, graphCode, code) => {
    const body = { error: { code: graphCode, message: "Words of Graph's own.", innerError: { date: "2026-11-22" } } };
    connection.emulator.traffic.fail({ kind: "status", status, body });

    const { error, cause } = await failureOf(graph.get(ME));
    expect(error.code).toBe(code);
    expect(error.message).not.toContain("Words of Graph's own.");
    expect(cause).toMatchObject({ name: "GraphFailure", status, code: graphCode, requestId: expect.any(String) });
    expect(error.meta).toEqual({ graphRequestId: cause.requestId });
    expect(requests()).toHaveLength(1);
  });

  test.each(["innerError", "innererror", "absent"] as const)(
    "keeps its request id when the inner error is spelled %s",
    async (spelling) => {
      connection.emulator.switches["graph.innerError"] = spelling;

      const { error, cause } = await failureOf(graph.get(path`/users/${"nobody@contoso.com"}`));
      expect(error).toMatchObject({
        code: "not_found",
        message: "Microsoft Graph found nothing with this id. Search again: the id may be wrong or the item gone.",
      });
      expect(cause).toMatchObject({ status: 404, code: "Request_ResourceNotFound" });
      expect(cause.requestId).toMatch(/^[\da-f]{8}-/);
    },
  );

  test("of a mailbox that does not exist says so", async () => {
    const token = await connection.sign({ oid: "ec63c778-24e1-4240-bea3-d12a167d5232" });
    const guest = connection.connect({}, { acquireToken: async () => token });

    expect((await failureOf(guest.get(path`/me/mailboxSettings`))).error).toMatchObject({
      code: "not_found",
      message: "This account has no Exchange Online mailbox.",
    });
  });
});

describe("throttling", () => {
  const throttle = (status: number, times: number, retryAfter?: string) =>
    connection.emulator.traffic.fail(
      { kind: "status", status, ...(retryAfter !== undefined && { headers: { "retry-after": retryAfter } }) },
      { times },
    );

  test("by 429 with Retry-After is waited for", async () => {
    throttle(429, 1, "1");

    const started = performance.now();
    expect(await graph.get(ME, NAME)).toMatchObject({ displayName: "Adele Vance" });
    expect(performance.now() - started).toBeGreaterThan(950);
    expect(requests()).toHaveLength(2);
  });

  test.each([
    ["429 without Retry-After", 429],
    ["503 without Retry-After", 503],
    ["504 without Retry-After", 504],
  ])("by %s is met with one more request after a short wait", async (_how, status) => {
    throttle(status, 1);

    const started = performance.now();
    expect(await graph.get(ME, NAME)).toMatchObject({ displayName: "Adele Vance" });
    expect(performance.now() - started).toBeGreaterThan(190);
    expect(requests()).toHaveLength(2);
  });

  test("that goes on ends after three requests, saying when to try again", async () => {
    throttle(429, 10, "0");

    const { error, cause } = await failureOf(graph.get(ME));
    expect(error).toMatchObject({
      code: "throttled",
      message: "Microsoft Graph is limiting requests. Try again in 0 seconds.",
      meta: { retryAfterSeconds: 0 },
    });
    expect(cause).toMatchObject({ status: 429, requestId: expect.any(String) });
    expect(requests()).toHaveLength(3);
  });

  test.each(["11", "86400", new Date(Date.now() + 60_000).toUTCString()])(
    "with Retry-After: %s is not slept through",
    async (retryAfter) => {
      throttle(429, 10, retryAfter);

      const { error, ms } = await failureOf(graph.get(ME));
      expect(error.code).toBe("throttled");
      expect(Number(error.meta["retryAfterSeconds"])).toBeGreaterThan(10);
      expect(ms).toBeLessThan(3_000);
      expect(requests()).toHaveLength(1);
    },
  );

  test("with a date that is over is met with another request at once", async () => {
    throttle(429, 1, "Sun, 22 Nov 2020 00:00:00 GMT");

    expect(await graph.get(ME, NAME)).toMatchObject({ displayName: "Adele Vance" });
  });

  test("without any hint is reported as half a minute", async () => {
    throttle(429, 10, "soon");
    const { error } = await failureOf(graph.get(ME));

    expect(error.message).toBe("Microsoft Graph is limiting requests. Try again in 30 seconds.");
  });

  test("ends with the call when that is aborted during the wait", async () => {
    throttle(429, 10, "5");
    const controller = new AbortController();
    const call = connection.connect({ signal: controller.signal });

    const started = performance.now();
    const pending = call.get(ME);
    setTimeout(() => controller.abort(), 100);
    await expect(pending).rejects.toMatchObject({ name: "AbortError" });
    expect(performance.now() - started).toBeLessThan(3_000);
    expect(requests()).toHaveLength(1);
  });
});

describe("Graph that fails", () => {
  test("by a connection that is cut once is asked again", async () => {
    connection.emulator.traffic.fail({ kind: "reset" }, { times: 1 });

    expect(await graph.get(ME, NAME)).toMatchObject({ displayName: "Adele Vance" });
    expect(requests()).toHaveLength(2);
  });

  test("by connections that are always cut is given up after three requests", async () => {
    connection.emulator.traffic.fail({ kind: "reset" });

    const { error, cause } = await failureOf(graph.get(ME));
    expect(error).toMatchObject(UNAVAILABLE);
    expect(cause).toMatchObject({ status: 0, code: "ConnectionFailed", cause: { code: "UND_ERR_SOCKET" } });
    expect(requests()).toHaveLength(3);
  });

  test("by silence is given up within the time limit, after one request", async () => {
    connection.emulator.traffic.fail({ kind: "hang" });
    const transport = createGraphTransport(400);

    const { error, cause, ms } = await failureOf(connection.connect({}, { send: transport.send }).get(ME));
    await transport.close();
    expect(error).toMatchObject(UNAVAILABLE);
    expect(cause).toMatchObject({ status: 0, code: "TimedOut", cause: { code: "UND_ERR_HEADERS_TIMEOUT" } });
    expect(ms).toBeLessThan(3_000);
    expect(requests()).toHaveLength(1);
  });

  test("by silence ends at once when the call is aborted", async () => {
    connection.emulator.traffic.fail({ kind: "hang" });
    const controller = new AbortController();
    const pending = connection.connect({ signal: controller.signal }).get(ME);
    setTimeout(() => controller.abort(new Error("gone")), 50);

    await expect(pending).rejects.toThrow("gone");
  });

  test("by an answer of more than 8 MiB is not read to its end", async () => {
    const body = { displayName: "A".repeat(8 * 1024 * 1024) };
    connection.emulator.traffic.fail({ kind: "status", status: 200, body });

    const { error, cause } = await failureOf(graph.get(ME));
    expect(error).toMatchObject(UNAVAILABLE);
    expect(cause.code).toBe("TooLarge");
    expect(requests()).toHaveLength(1);
  });

  const HTML = { "content-type": "text/html" };
  test.each([
    ["garbage", { kind: "garbage" }],
    ["an HTML page with 200", { kind: "status", status: 200, headers: HTML, body: "<h1>Sign in to the network</h1>" }],
    ["an HTML page with 502", { kind: "status", status: 502, headers: HTML, body: "<h1>Bad gateway</h1>" }],
    ["plain text", { kind: "status", status: 200, headers: { "content-type": "text/plain" }, body: "OK" }],
    ["an empty answer", { kind: "status", status: 200 }],
    ["no content", { kind: "status", status: 204 }],
    ["a JSON text", { kind: "status", status: 200, headers: { "content-type": "application/json" }, body: '"OK"' }],
    ["a JSON null", { kind: "status", status: 200, headers: { "content-type": "application/json" }, body: "null" }],
    ["an error without inside", { kind: "status", status: 500, body: { error: { code: "x", innerError: null } } }],
    ["an error of another shape", { kind: "status", status: 500, body: { error: "server_error" } }],
    ["a redirect", { kind: "status", status: 302, headers: { location: "https://localhost:1/v1.0/me" } }],
  ] as const)("by %s is reported as unavailable, after one request", async (_what, fault) => {
    connection.emulator.traffic.fail(fault);

    const { error, cause } = await failureOf(graph.get(ME));
    expect(error).toMatchObject(UNAVAILABLE);
    expect(cause).toMatchObject({ name: "GraphFailure" });
    expect(requests()).toHaveLength(1);
  });

  test("is of use again as soon as it recovers", async () => {
    connection.emulator.traffic.fail({ kind: "garbage" });
    await failureOf(graph.get(ME));
    connection.emulator.traffic.recover();

    expect(await graph.get(ME, NAME)).toMatchObject({ displayName: "Adele Vance" });
  });
});

describe("claims challenge", () => {
  const challenge = (nbf: number) => JSON.stringify({ access_token: { nbf: { essential: true, value: String(nbf) } } });

  test("is answered with one new token, which the rest of the call uses too", async () => {
    const now = Math.floor(Date.now() / 1000);
    const asked: (string | undefined)[] = [];
    const call = connection.connect(
      {},
      {
        acquireToken(_caller, _permissions, { claims }) {
          asked.push(claims);
          return connection.sign(claims === undefined ? { iat: now - 600 } : {});
        },
      },
    );
    connection.emulator.switches["graph.requireClaims"] = challenge(now - 60);

    expect(await call.get(ME, NAME)).toMatchObject({ displayName: "Adele Vance" });
    await call.get(ME, NAME);
    expect(asked).toEqual([undefined, challenge(now - 60)]);
    expect(requests()).toHaveLength(3);
  });

  test("that no token meets is put to the person after the second request, with the claims", async () => {
    const claims = JSON.stringify({ access_token: { acrs: { essential: true, value: "c1" } } });
    connection.emulator.switches["graph.requireClaims"] = claims;
    const acquired = connection.acquired.length;

    const { error } = await failureOf(graph.get(ME));
    expect(error).toMatchObject({ code: "interaction_required", meta: { claims } });
    expect(error.message).toMatch(/^Your organisation asks for an extra sign-in step/);
    expect(connection.acquired.slice(acquired).map((token) => token.claims)).toEqual([claims]);
    expect(requests()).toHaveLength(2);
  });

  test("that Entra refuses a token for fails as that refusal does", async () => {
    connection.emulator.switches["graph.requireClaims"] = challenge(Number.MAX_SAFE_INTEGER);
    const refusal = new ToolError("interaction_required", "Sign in again.");
    const call = connection.connect(
      {},
      {
        acquireToken: (_caller, _permissions, { claims }) =>
          claims === undefined ? connection.sign() : Promise.reject(refusal),
      },
    );

    await expect(call.get(ME)).rejects.toBe(refusal);
    expect(requests()).toHaveLength(1);
  });

  test("within a batch fails as Entra's refusal does, also when the call ends before the batch is sent again", async () => {
    const header = `Bearer error="insufficient_claims", claims="${Buffer.from("{}").toString("base64")}"`;
    const responses = ["0", "1"].map((id) => ({ id, status: 401, headers: { "WWW-Authenticate": header }, body: {} }));
    connection.emulator.traffic.fail({ kind: "status", status: 200, body: { responses } }, { times: 1 });
    const refusal = new ToolError("interaction_required", "Sign in again.");
    const end = new AbortController();
    const call = connection.connect(
      { signal: end.signal },
      {
        acquireToken(_caller, _permissions, { claims }) {
          if (claims === undefined) return connection.sign();
          end.abort();
          return Promise.reject(refusal);
        },
      },
    );

    await expect(call.batch([{ path: ME }, { path: path`/me/mailboxSettings` }])).rejects.toBe(refusal);
    expect(requests()).toEqual(["POST /v1.0/$batch"]);
  });
});

describe("collection", () => {
  const search = {
    query: { $search: '"displayName:a"', $count: true as const, $top: 3, $select: "displayName" },
    headers: EVENTUAL,
  };
  const namesOf = (items: readonly Named[]) => items.map(({ displayName }) => displayName);

  test("is read page by page through cursors, with the headers of the first page each time", async () => {
    const first = await graph.list<Named>(USERS, search);
    const second = await graph.list<Named>(USERS, { cursor: first.next });

    expect(namesOf(first.items)).toEqual(["Alex Wilber", "Alex Darrow", "Adele Vance"]);
    expect(namesOf(second.items)).toEqual(["Adèle Dubois", "Grady Archie", "Allan Deyoung"]);
    expect(connection.emulator.traffic.requests.map(({ headers }) => headers["consistencylevel"])).toEqual([
      "eventual",
      "eventual",
    ]);
    expect(requests()[0]).toBe("GET /v1.0/users?$count=true&$top=3&$select=displayName&$search=%22displayName%3Aa%22");
    expect(requests()[1]).toContain("$skiptoken=");
  });

  test("has no cursor on its last page", async () => {
    const { items, next } = await graph.list(USERS, { query: { $top: 999, $select: "id" } });

    expect(items).toHaveLength(37);
    expect(next).toBeUndefined();
  });

  test("has a cursor on an empty page that is not the last", async () => {
    connection.emulator.switches["graph.emptyPage"] = true;
    const first = await graph.list<Named>(USERS, search);

    expect(first.items).toEqual([]);
    expect(namesOf((await graph.list<Named>(USERS, { cursor: first.next })).items)).toContain("Adele Vance");
  });

  test.each([
    ["another host", "https://evil.example/v1.0/users?$skiptoken=a"],
    ["instance metadata", "http://169.254.169.254/v1.0/token"],
    ["another version", "/beta/users"],
  ])("whose next link leads to %s is not handed out", async (_where, link) => {
    const target = link.startsWith("/") ? `${connection.emulator.origin}${link}` : link;
    const body = { value: [{ displayName: "Adele Vance" }], "@odata.nextLink": target };
    connection.emulator.traffic.fail({ kind: "status", status: 200, body });

    const { error, cause } = await failureOf(graph.list(USERS, {}));
    expect(error).toMatchObject(UNAVAILABLE);
    expect(cause.code).toBe("ForeignNextLink");
  });

  test("is not read from another host even when a cursor leads there, and no token is asked for", async () => {
    const acquired = connection.acquired.length;
    const call = connection.connect({
      cursors: {
        seal: async (content) => content,
        open: async () => JSON.stringify({ url: "https://evil.example/v1.0/users" }),
      },
    });

    const { cause } = await failureOf(call.list(USERS, { cursor: "a" }));
    expect(cause.code).toBe("ForeignNextLink");
    expect(connection.acquired.length).toBe(acquired);
  });

  test("whose answer has no items is empty", async () => {
    connection.emulator.traffic.fail({ kind: "status", status: 200, body: { value: "none" } });

    expect(await graph.list(USERS, {})).toEqual({ items: [] });
  });
});

describe("batch", () => {
  const nobody = path`/users/${"nobody@contoso.com"}`;
  const settings = { path: path`/me/mailboxSettings`, query: { $select: "timeZone" } };

  test("sends its reads as one request and sorts the answers by place", async () => {
    const [me, mailbox, users] = await graph.batch<[Named, { timeZone: string }, { value: Named[] }]>([
      { path: ME, ...NAME },
      settings,
      { path: USERS, query: { $search: '"displayName:vance"', $select: "displayName" }, headers: EVENTUAL },
    ]);

    expect(unwrap(me).displayName).toBe("Adele Vance");
    expect(mailbox && unwrap(mailbox).timeZone).toBe("Pacific Standard Time");
    expect(users && unwrap(users).value).toEqual([{ displayName: "Adele Vance" }]);
    expect(requests()).toEqual(["POST /v1.0/$batch"]);
  });

  test("leaves places empty that were not asked for", async () => {
    const results = await graph.batch<[Named, Named, Named]>([{ path: ME }, undefined, settings]);

    expect(results.map((result) => result?.ok)).toEqual([true, undefined, true]);
    expect(requests()).toEqual(["POST /v1.0/$batch"]);
  });

  test("of one read is sent as that read", async () => {
    const [me, nothing] = await graph.batch<[Named, Named]>([{ path: ME, ...NAME }, undefined]);

    expect(unwrap(me).displayName).toBe("Adele Vance");
    expect(nothing).toBeUndefined();
    expect(requests()).toEqual(["GET /v1.0/me?$select=displayName"]);
  });

  test("of one read that fails reports it like one among many", async () => {
    const [alone] = await graph.batch<[Named]>([{ path: nobody }]);
    const [together] = await graph.batch<[Named, Named]>([{ path: nobody }, { path: ME }]);

    for (const result of [alone, together]) {
      expect(result).toMatchObject({
        ok: false,
        failure: { status: 404, code: "Request_ResourceNotFound", requestId: expect.any(String) },
      });
    }
  });

  test("tells a read that failed from one that went well", async () => {
    connection.emulator.switches["graph.throttledBatchItems"] = "/me/mailboxSettings";
    const [me, mailbox] = await graph.batch<[Named, Named]>([{ path: ME, ...NAME }, settings]);

    expect(unwrap(me).displayName).toBe("Adele Vance");
    expect(mailbox).toMatchObject({ ok: false, failure: { status: 429, retryAfterMs: 1000 } });
    expect(() => mailbox && unwrap(mailbox)).toThrow("Microsoft Graph is limiting requests. Try again in 1 seconds.");
  });

  test("as a whole is repeated after a 503, and reported when that goes on", async () => {
    const unwell = { kind: "status", status: 503, headers: { "retry-after": "0" } } as const;
    connection.emulator.traffic.fail(unwell, { times: 1 });
    const [me] = await graph.batch<[Named, Named]>([{ path: ME }, settings]);
    expect(me.ok).toBe(true);
    expect(requests()).toHaveLength(2);

    connection.emulator.traffic.fail(unwell);
    expect((await failureOf(graph.batch([{ path: ME }, settings]))).error).toMatchObject(UNAVAILABLE);
    expect(requests()).toHaveLength(5);
  });

  test.each([
    ["no answers", {}],
    ["answers that are no list", { responses: { "0": { status: 200 } } }],
    ["answers to other reads", { responses: [{ id: "7", status: 200, body: {} }] }],
    ["answers without content", { responses: [{ id: "0", status: 200 }, { id: "1" }] }],
  ])("with %s has none that went well", async (_what, body) => {
    connection.emulator.traffic.fail({ kind: "status", status: 200, body });

    const results = await graph.batch<[Named, Named]>([{ path: ME }, settings]);
    expect(results.map((result) => result?.ok)).toEqual([false, false]);
  });
});
