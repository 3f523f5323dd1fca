import { afterAll, beforeEach, expect, test } from "vitest";
import { people } from "../../emulators/contoso/users.ts";
import { type GraphAnswer, type GraphFixture, problem, startGraphFixture } from "./graph-fixture.ts";

const READ = { claims: { scp: "Tasks.Read" } };

let fixture: GraphFixture | undefined;
beforeEach(async () => {
  await fixture?.close();
  fixture = await startGraphFixture();
});
afterAll(() => fixture?.close());

const running = () => fixture as GraphFixture;
const get = (path: string) => running().get(path, READ);

async function send(method: string, path: string, body: unknown, scp = "Tasks.ReadWrite"): Promise<GraphAnswer> {
  const response = await fetch(`${running().graph.origin}/v1.0${path}`, {
    method,
    headers: { Authorization: `Bearer ${await running().sign({ scp })}`, "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as GraphAnswer["body"] };
}

async function listPath(name: string): Promise<string> {
  const { body } = await get("/me/todo/lists");
  const id = body.value?.find(({ displayName }) => displayName === name)?.["id"];
  return `/me/todo/lists/${encodeURIComponent(String(id))}/tasks`;
}

const titles = ({ body }: GraphAnswer) => body.value?.map(({ title }) => title);

test("lists say which of them are special", async () => {
  const { body } = await get("/me/todo/lists");
  expect(body.value?.map(({ displayName, wellknownListName }) => [displayName, wellknownListName])).toEqual([
    ["Tasks", "defaultList"],
    ["Flagged Emails", "flaggedEmails"],
    ["Store opening", "none"],
  ]);
  expect(body.value?.[0]).toMatchObject({
    isOwner: true,
    isShared: false,
    "@odata.etag": expect.stringMatching(/^W\//),
  });
});

test("tasks come with dates in UTC, midnight where their author was, and without those that they do not have", async () => {
  const { body } = await get(await listPath("Tasks"));
  expect(body.value?.[0]).toEqual({
    "@odata.etag": expect.stringMatching(/^W\//),
    id: expect.stringMatching(/^AAMkALR/),
    title: "Order shelves for Tacoma",
    status: "notStarted",
    importance: "high",
    isReminderOn: false,
    hasAttachments: false,
    categories: [],
    createdDateTime: "2026-11-16T17:20:00Z",
    lastModifiedDateTime: "2026-11-16T17:20:00Z",
    body: { content: "Twelve of them, oak.\nAsk Northwind for the usual discount.", contentType: "text" },
    dueDateTime: { dateTime: "2026-11-27T08:00:00.0000000", timeZone: "UTC" },
  });
});

test("tasks are filtered, selected and come in pages whose links count with $skip (G23)", async () => {
  const path = await listPath("Tasks");
  const first = await get(
    `${path}?$filter=${encodeURIComponent("status ne 'completed'")}&$top=2&$select=title,dueDateTime`,
  );
  expect(titles(first)).toEqual(["Order shelves for Tacoma", "Renew the lease"]);
  expect(Object.keys(first.body.value?.[0] ?? {}).sort()).toEqual(["@odata.etag", "dueDateTime", "id", "title"]);
  expect(first.body["@odata.nextLink"]).toContain("$skip=2");
  const second = await get(String(first.body["@odata.nextLink"]));
  expect(titles(second)).toEqual(["Call Lynne back"]);
  expect(Object.keys(second.body.value?.[0] ?? {})).not.toContain("dueDateTime");
  expect(second.body["@odata.nextLink"]).toBeUndefined();
});

test("a task that is made is listed first; of its date the time is dropped, in the zone that was named", async () => {
  const path = await listPath("Store opening");
  const { status, body } = await send("POST", path, {
    title: "Print flyers",
    dueDateTime: { dateTime: "2026-11-30T16:00:00", timeZone: "Eastern Standard Time" },
    body: { content: "500", contentType: "text" },
  });
  expect(status).toBe(201);
  expect(body).toMatchObject({
    title: "Print flyers",
    status: "notStarted",
    importance: "normal",
    body: { content: "500", contentType: "text" },
    dueDateTime: { dateTime: "2026-11-30T05:00:00.0000000", timeZone: "UTC" },
  });
  expect(titles(await get(path))?.[0]).toBe("Print flyers");
});

test("a change keeps what it does not name; done tasks have the day on which they were, reopened ones none", async () => {
  const path = await listPath("Tasks");
  const task = (await get(path)).body.value?.[0];
  const one = `${path}/${encodeURIComponent(String(task?.["id"]))}`;
  const done = await send("PATCH", one, { status: "completed", dueDateTime: null });
  expect([done.status, done.body["title"], done.body["importance"]]).toEqual([200, "Order shelves for Tacoma", "high"]);
  expect(done.body).toMatchObject({ completedDateTime: { dateTime: expect.stringMatching(/T00:00:00\.0000000$/) } });
  expect(done.body).not.toHaveProperty("dueDateTime");
  expect((await send("PATCH", one, { status: "notStarted" })).body).not.toHaveProperty("completedDateTime");
});

test("what Exchange refuses elsewhere it refuses here: permission, ids, values, zones, accounts without a mailbox", async () => {
  const path = await listPath("Tasks");
  expect(problem(await send("POST", path, { title: "x" }, "Tasks.Read"))).toEqual([
    403,
    "ErrorAccessDenied",
    "Access is denied. Check credentials and try again.",
  ]);
  expect(problem(await get("/me/todo/lists/nonsense/tasks"))).toEqual([
    400,
    "ErrorInvalidIdMalformed",
    "Id is malformed.",
  ]);
  const gone = `AAMkAGI${"A".repeat(86)}==`;
  expect(problem(await send("PATCH", `${path}/${gone}`, { title: "x" }))[1]).toBe("ErrorItemNotFound");
  expect(problem(await send("POST", path, { title: "" }))[0]).toBe(400);
  expect(problem(await send("POST", path, { title: "x", status: "done" }))[0]).toBe(400);
  const dueDateTime = { dateTime: "2026-11-30", timeZone: "Mars Standard Time" };
  expect(problem(await send("POST", path, { title: "x", dueDateTime }))[1]).toBe("TimeZoneNotSupportedException");
  const guest = await running().get("/me/todo/lists", { claims: { scp: "Tasks.Read", oid: people.guest.id } });
  expect(problem(guest)[1]).toBe("MailboxNotEnabledForRESTAPI");
});

test("tasks are kept in the mailbox and count with its requests (G19)", async () => {
  running().graph.switches["graph.mailboxBusyMs"] = 100;
  const answers = await Promise.all(Array.from({ length: 5 }, () => get("/me/todo/lists")));
  expect(answers.filter(({ status }) => status === 429)).toHaveLength(1);
});

test("everybody has a list of their own", async () => {
  const megan = { claims: { scp: "Tasks.Read", oid: people.needsMfa.id } };
  const { body } = await running().get("/me/todo/lists", megan);
  expect(body.value?.map(({ displayName }) => displayName)).toEqual(["Tasks"]);
  expect(problem(await running().get(await listPath("Store opening"), megan))[1]).toBe("ErrorItemNotFound");
});
