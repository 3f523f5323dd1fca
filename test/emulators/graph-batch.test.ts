import { afterAll, beforeAll, expect, test } from "vitest";
import { people } from "../../emulators/contoso/users.ts";
import { EVENTUAL, type GraphFixture, problem, startGraphFixture } from "./graph-fixture.ts";

let fixture: GraphFixture;
beforeAll(async () => {
  fixture = await startGraphFixture();
});
afterAll(() => fixture.close());

const get = (id: string, url: string, more: Readonly<Record<string, unknown>> = {}) => ({
  id,
  method: "GET",
  url,
  ...more,
});

test("G48: every item has its own status, and the order is not that of the request", async () => {
  const { status, body } = await fixture.batch({
    requests: [
      get("me", "/me?$select=displayName"),
      get("manager", "/me/manager"),
      get("nobody", "users/nobody@contoso.com"),
    ],
  });
  expect(status).toBe(200);
  expect(body.responses?.map(({ id, status }) => [id, status])).toEqual([
    ["nobody", 404],
    ["manager", 403],
    ["me", 200],
  ]);
  expect(body.responses?.[2]?.body).toEqual({
    "@odata.context": `${fixture.graph.origin}/v1.0/$metadata#users(displayName)/$entity`,
    displayName: "Adele Vance",
  });
  expect(body.responses?.[1]?.body?.error?.code).toBe("Authorization_RequestDenied");
});

test("G1: every item has ids of its own, in the error and in its headers", async () => {
  const { headers, body } = await fixture.batch({
    requests: [get("1", "/a"), get("2", "/b", { headers: { "client-request-id": "mine" } })],
  });
  const inner = body.responses?.map(({ body }) => body?.error?.["innerError"] as Readonly<Record<string, string>>);
  const ids = inner?.map((ids) => ids["request-id"]);
  expect(new Set([headers.get("request-id"), ...(ids ?? [])]).size).toBe(3);
  expect(body.responses).toMatchObject(ids?.map((id) => ({ headers: { "request-id": id } })) ?? []);
  expect(inner?.[0]?.["client-request-id"]).toBe("mine");
});

test("G25: an item needs its own ConsistencyLevel header", async () => {
  const url = '/users?$count=true&$search="displayName:adele"&$select=id';
  const { body } = await fixture.batch({ requests: [get("1", url), get("2", url, { headers: EVENTUAL })] });
  expect(body.responses?.map(({ id, status }) => [id, status])).toEqual([
    ["2", 200],
    ["1", 400],
  ]);
  expect(body.responses?.[0]?.body?.value).toEqual([{ id: people.normal.id }]);
});

test("G48: a single item can be throttled", async () => {
  fixture.graph.switches["graph.throttledBatchItems"] = "/me/mailboxSettings";
  const { body } = await fixture.batch({ requests: [get("1", "/me"), get("2", "/me/mailboxSettings")] });
  fixture.graph.switches["graph.throttledBatchItems"] = undefined;
  expect(body.responses).toMatchObject([
    { id: "2", status: 429, headers: { "Retry-After": "1" }, body: { error: { code: "TooManyRequests" } } },
    { id: "1", status: 200 },
  ]);
});

test("G50: a batch of many reads of one mailbox is not too much for it", async () => {
  fixture.graph.switches["graph.mailboxBusyMs"] = 20;
  const requests = Array.from({ length: 8 }, (_, index) => get(String(index), "/me/messages?$top=1"));
  const { body } = await fixture.batch({ requests }, { scp: "Mail.Read" });
  fixture.graph.switches["graph.mailboxBusyMs"] = undefined;
  expect(body.responses?.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200));
});

test("G49: an item is 424 when one that it depends on failed, directly or not", async () => {
  const { body } = await fixture.batch({
    requests: [
      get("last", "/me", { dependsOn: ["middle"] }),
      get("middle", "/me", { dependsOn: ["first"] }),
      get("first", "/nope"),
      get("free", "/me", { dependsOn: ["fine"] }),
      get("fine", "/me"),
    ],
  });
  const statuses = Object.fromEntries(body.responses?.map(({ id, status }) => [id, status]) ?? []);
  expect(statuses).toEqual({ first: 400, middle: 424, last: 424, fine: 200, free: 200 });
  expect(body.responses?.find(({ id }) => id === "last")?.body?.error).toMatchObject({
    code: "FailedDependency",
    message: "Failed Dependency",
  });
});

const many = (count: number) => Array.from({ length: count }, (_, index) => get(String(index), "/me?$select=id"));

test("G47: twenty items are allowed, twenty-one are not", async () => {
  expect((await fixture.batch({ requests: many(20) })).body.responses).toHaveLength(20);
  expect(problem(await fixture.batch({ requests: many(21) }))).toEqual([
    400,
    "BadRequest",
    "Number of batch request steps exceeds the maximum value of 20.",
  ]);
});

test.each([
  ["ids twice", [get("1", "/me"), get("1", "/me")], "Request ids have to be unique in a batch."],
  [
    "an absolute url",
    [get("1", "https://graph.microsoft.com/v1.0/me")],
    "Request url of request 1 has to be relative.",
  ],
  ["a url of another host", [get("1", "//example.com/me")], "Request url of request 1 has to be relative."],
  [
    "a body without Content-Type",
    [{ id: "1", method: "POST", url: "/me/messages", body: {} }],
    "Write request id : 1 does not contain Content-Type header or body.",
  ],
  [
    "an unknown dependency",
    [get("1", "/me", { dependsOn: ["2"] })],
    "A batch request depends on a request that is not in the batch.",
  ],
  [
    "a circle",
    [get("1", "/me", { dependsOn: ["2"] }), get("2", "/me", { dependsOn: ["1"] })],
    "The dependencies of the batch requests form a circle.",
  ],
  ["no items", [], "Invalid batch payload format."],
  ["an item that is no object", [null], "Invalid batch payload format."],
  ["an item without an id", [{ method: "GET", url: "/me" }], "Invalid batch payload format."],
  ["an impossible header", [get("1", "/me", { headers: { "a b": "c" } })], "Invalid batch payload format."],
])("G47: a batch with %s is 400 as a whole", async (_, requests, message) => {
  expect(problem(await fixture.batch({ requests }))).toEqual([400, "BadRequest", message]);
});

test("a batch inside a batch does not exist", async () => {
  const item = { id: "1", method: "POST", url: "/$batch", headers: { "Content-Type": "application/json" }, body: {} };
  const { body } = await fixture.batch({ requests: [item] });
  expect(body.responses?.[0]).toMatchObject({
    status: 400,
    body: { error: { message: "Resource not found for the segment '$batch'." } },
  });
});

test("a body that is not JSON is 400", async () => {
  const response = await fetch(`${fixture.graph.origin}/v1.0/$batch`, {
    method: "POST",
    headers: { Authorization: `Bearer ${await fixture.sign()}`, "Content-Type": "application/json" },
    body: "{ not json",
  });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({
    error: {
      code: "BadRequest",
      message:
        "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.",
    },
  });
});

test("a batch counts as one request of the traffic, and needs a token", async () => {
  fixture.graph.traffic.clear();
  await fixture.batch({ requests: many(3) });
  expect(fixture.graph.traffic.count("POST", /^\/v1\.0\/\$batch$/)).toBe(1);
  expect(fixture.graph.traffic.requests).toHaveLength(1);
  const anonymous = await fetch(`${fixture.graph.origin}/v1.0/$batch`, { method: "POST" });
  expect(anonymous.status).toBe(401);
});
