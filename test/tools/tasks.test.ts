import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createTaskLists } from "../../emulators/contoso/tasks.ts";
import { people } from "../../emulators/contoso/users.ts";
import { auditLine } from "../support/audit-lines.ts";
import { failureOf } from "../support/failures.ts";
import type { McpClient } from "../support/mcp-clients.ts";
import { connectAs, watch } from "../support/outside-traffic.ts";
import { type Stack, startStack } from "../support/stack.ts";
import { startWireTap, type WireTap } from "../support/wire-tap.ts";

const FIELDS = "$select=id%2Ctitle%2Cstatus%2Cimportance%2CdueDateTime%2Cbody";
const OPEN = "$filter=status%20ne%20%27completed%27&";
const LISTS = "GET /v1.0/me/todo/lists?$top=100";
const ZONE = "GET /v1.0/me/mailboxSettings?$select=timeZone";
const ids =
  createTaskLists()
    .get(people.normal.id)
    ?.map(({ id }) => id) ?? [];
const [TASKS = "", , OPENING = ""] = ids;
const tasksIn = (list: string) => `/v1.0/me/todo/lists/${encodeURIComponent(list)}/tasks`;

let stack: Stack;
let tap: WireTap;
let adele: McpClient;
beforeAll(async () => {
  stack = await startStack("easy-auth", { ALLOW_WRITES: "true", TOOLSETS: "tasks" });
  tap = startWireTap();
  adele = await connectAs(stack, "AdeleV");
});
afterAll(async () => {
  tap.stop();
  await adele.close();
  await stack.close();
});
beforeEach(() => {
  for (const [owner, lists] of createTaskLists()) stack.tenant.taskLists.set(owner, lists);
});
afterEach(() => stack.graph.traffic.recover());

async function watchCall(name: string, args: Record<string, unknown> = {}, client = adele) {
  tap.clear();
  const { result, traffic } = await watch(stack, () => client.call(name, args));
  const sent = tap.requests
    .filter(({ method, url }) => url.startsWith("/v1.0/me/todo") && method !== "GET")
    .map(({ body }) => JSON.parse(body()) as unknown);
  return { result, graph: traffic.graph, sent };
}

interface Listed {
  readonly tasks: readonly { readonly id: string; readonly title: string; readonly due?: string }[];
  readonly next?: string;
}

const listed = async (args: Record<string, unknown> = {}) =>
  (await adele.call("list_tasks", args)).structuredContent as unknown as Listed;
const duesIn = async (list_id: string) => (await listed({ list_id })).tasks.map(({ title, due }) => [title, due]);

describe("list_tasks", () => {
  test("shows the lists, and what is open in the default one with the days that it is due", async () => {
    const { result, graph } = await watchCall("list_tasks");

    expect(result.structuredContent).toEqual({
      lists: [
        { id: ids[0], name: "Tasks" },
        { id: ids[1], name: "Flagged Emails" },
        { id: ids[2], name: "Store opening" },
      ],
      tasks: [
        {
          id: expect.stringMatching(/^AAMkALR/),
          title: "Order shelves for Tacoma",
          status: "notStarted",
          importance: "high",
          due: "2026-11-27",
          note: "Twelve of them, oak.\nAsk Northwind for the usual discount.",
        },
        {
          id: expect.stringMatching(/^AAMkALR/),
          title: "Renew the lease",
          status: "inProgress",
          importance: "normal",
          due: "2026-07-01",
        },
        {
          id: expect.stringMatching(/^AAMkALR/),
          title: "Call Lynne back",
          status: "notStarted",
          importance: "normal",
        },
      ],
    });
    expect(graph).toEqual([LISTS, `GET ${tasksIn(TASKS)}?${OPEN}$top=10&${FIELDS}`, ZONE]);
    const [, asked] = stack.graph.traffic.requests;
    expect(asked?.headers["prefer"]).toBe('outlook.body-content-type="text"');
  });

  test("takes one request for a list, once the mailbox's zone is known", async () => {
    await adele.call("list_tasks");
    const { result, graph } = await watchCall("list_tasks", { list_id: TASKS, completed: true, limit: 50 });

    expect((result.structuredContent as unknown as Listed).tasks.map(({ title }) => title)).toEqual([
      "Order shelves for Tacoma",
      "Renew the lease",
      "Call Lynne back",
      "File the travel expenses",
    ]);
    expect(graph).toEqual([`GET ${tasksIn(TASKS)}?$top=50&${FIELDS}`]);
  });

  test("pages to the end, of the default list too (G23)", async () => {
    const first = await listed({ limit: 2 });
    const { result, graph } = await watchCall("list_tasks", { limit: 2, cursor: first.next });

    expect(first.tasks).toHaveLength(2);
    expect(result.structuredContent).toMatchObject({ tasks: [{ title: "Call Lynne back" }] });
    expect(result.structuredContent).not.toHaveProperty("next");
    expect(result.structuredContent).not.toHaveProperty("lists");
    expect(graph).toEqual([expect.stringMatching(/^GET \/v1\.0\/me\/todo\/lists\/.*\$skip=2/)]);
  });

  test("gives the day that was meant, whether it was set by a program, in the mailbox's zone or on a journey", async () => {
    expect(await duesIn(OPENING)).toEqual([
      ["Invite the mayor", "2026-12-01"],
      ["Book the band", "2026-11-30"],
    ]);
  });

  test("says what is wrong with a list that there is not, and with an account without a mailbox", async () => {
    const gone = `AQMkAGT${"A".repeat(86)}==`;
    expect((await watchCall("list_tasks", { list_id: gone })).result).toMatchObject(failureOf("not_found"));
    const sam = await connectAs(stack, "sam");
    const { result } = await watchCall("list_tasks", {}, sam);
    await sam.close();
    expect(result).toMatchObject(failureOf("not_found", "This account has no Exchange Online mailbox."));
  });
});

describe("save_task", () => {
  test("makes a task in the default list, due on the same day in every zone, without what nobody sees", async () => {
    await adele.call("save_task", { title: "First" });
    const { result, graph, sent } = await watchCall("save_task", {
      title: " Print\u200b\nflyers ",
      due: "2026-11-30",
      note: "500, on\u202e green paper",
      importance: "low",
    });

    expect(result.structuredContent).toEqual({
      id: expect.stringMatching(/^AAMkALR/),
      list_id: TASKS,
      title: "Print flyers",
      status: "notStarted",
    });
    expect(graph).toEqual([`POST ${tasksIn(TASKS)}`]);
    expect(sent).toEqual([
      {
        title: "Print flyers",
        dueDateTime: { dateTime: "2026-11-30T00:00:00", timeZone: "UTC" },
        body: { content: "500, on green paper", contentType: "text" },
        importance: "low",
      },
    ]);
    expect((await listed()).tasks[0]).toMatchObject({ title: "Print flyers", due: "2026-11-30" });
  });

  test("changes what is given of a task and nothing else", async () => {
    const [task] = (await listed({ list_id: TASKS })).tasks;
    const { result, graph, sent } = await watchCall("save_task", { task_id: task?.id, list_id: TASKS, due: null });

    expect(result.structuredContent).toMatchObject({ id: task?.id, title: "Order shelves for Tacoma" });
    expect(graph).toEqual([`PATCH ${tasksIn(TASKS)}/${encodeURIComponent(String(task?.id))}`]);
    expect(sent).toEqual([{ dueDateTime: null }]);
    const [after] = (await listed({ list_id: TASKS })).tasks;
    expect(after).toMatchObject({ importance: "high" });
    expect(after).not.toHaveProperty("due");
  });

  test("completes a task, and opens it again", async () => {
    const [task] = (await listed({ list_id: OPENING })).tasks;
    const args = { task_id: task?.id, list_id: OPENING };
    const done = await watchCall("save_task", { ...args, completed: true });
    expect([done.sent, done.result.structuredContent?.["status"]]).toEqual([[{ status: "completed" }], "completed"]);
    expect((await listed({ list_id: OPENING })).tasks.map(({ title }) => title)).toEqual(["Book the band"]);
    const { sent } = await watchCall("save_task", { ...args, completed: false });
    expect(sent).toEqual([{ status: "notStarted" }]);
    expect((await listed({ list_id: OPENING })).tasks).toHaveLength(2);
  });

  test.each<[string, Record<string, unknown>]>([
    ["no title", { note: "x" }],
    ["an empty title", { title: "  " }],
    ["nothing to change", { task_id: "AAMkALRx" }],
    ["a day that no calendar has", { title: "x", due: "2026-02-30" }],
    ["a time", { title: "x", due: "2026-03-29T10:00" }],
    ["words for a day", { title: "x", due: "tomorrow !" }],
    ["a title of 256 characters", { title: "x".repeat(256) }],
    ["a note of 10,001 characters", { title: "x", note: "x".repeat(10_001) }],
    ["dots for a list", { title: "x", list_id: ".." }],
    ["dots for a task", { title: "x", list_id: "a", task_id: "." }],
    ["an argument that it does not have", { title: "x", reminder: "2026-03-29" }],
  ])("refuses %s before Graph is asked", async (_what, args) => {
    const { result, graph } = await watchCall("save_task", args);
    expect(result).toMatchObject(failureOf("invalid_arguments"));
    expect(graph).toEqual([]);
  });

  test("that may have been done although no good answer came is not sent again", async () => {
    stack.graph.traffic.fail({ kind: "status", status: 503 }, { path: /\/tasks/ });
    const made = await watchCall("save_task", { title: "once", list_id: TASKS });
    expect(made.graph).toEqual([`POST ${tasksIn(TASKS)}`]);
    expect(made.result).toMatchObject(failureOf("outcome_unknown"));
    const changed = await watchCall("save_task", { task_id: "AAMk", list_id: TASKS, completed: true });
    expect(changed.graph).toEqual([`PATCH ${tasksIn(TASKS)}/AAMk`]);
    expect(changed.result).toMatchObject(failureOf("outcome_unknown"));
  });

  test("is hidden from a user without the role, refused, and audited", async () => {
    const diego = await connectAs(stack, "DiegoS");
    const tools = await diego.listTools();
    const { result, graph } = await watchCall("save_task", { title: "x" }, diego);
    await diego.close();

    expect(tools.map(({ name }) => name)).toEqual(["list_tasks"]);
    expect(result).toMatchObject(failureOf("forbidden"));
    expect(graph).toEqual([]);
    const facts = result._meta?.["azure-graph-mcp/error"] as { requestId: string } | undefined;
    expect(await auditLine(stack, facts?.requestId)).toMatchObject({ tool: "save_task", decision: "denied" });
  });
});

test.each([
  ["+/=", "%2B%2F%3D"],
  ["../../messages", "..%2F..%2Fmessages"],
  ["x?$top=999#y", "x%3F%24top%3D999%23y"],
  ["50%2F'\"", "50%252F'%22"],
])("the id %s stays in its place", async (id, encoded) => {
  expect((await watchCall("list_tasks", { list_id: id })).graph).toEqual([
    `GET /v1.0/me/todo/lists/${encoded}/tasks?${OPEN}$top=10&${FIELDS}`,
  ]);
  const { graph } = await watchCall("save_task", { list_id: id, task_id: id, title: "x" });
  expect(graph).toEqual([`PATCH /v1.0/me/todo/lists/${encoded}/tasks/${encoded}`]);
});
