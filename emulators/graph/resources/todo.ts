import { createHash, randomUUID } from "node:crypto";
import { DateTime } from "luxon";
import { exchangeId } from "../../mailbox.ts";
import type { Task, TaskList } from "../../todo.ts";
import type { Answer } from "../answer.ts";
import { ianaOf } from "../calendar.ts";
import { GraphFailure } from "../failure.ts";
import { idMalformed, isWellFormed, itemNotFound, mailboxOf } from "../mailbox.ts";
import { checkFilter, matches } from "../odata/filter.ts";
import { parseFilter } from "../odata/filter-parser.ts";
import type { Row, Schema } from "../odata/schema.ts";
import { contextSelection, parseSelect, project } from "../odata/select.ts";
import { type Call, defineRoute, type Route } from "../route.ts";
import { limited, page } from "./mail.ts";

const STATUSES = new Set<unknown>(["notStarted", "inProgress", "completed", "waitingOnOthers", "deferred"]);
const IMPORTANCES = new Set<unknown>(["low", "normal", "high"]);

const PROPERTIES = [
  "id",
  "title",
  "status",
  "importance",
  "isReminderOn",
  "hasAttachments",
  "categories",
  "createdDateTime",
  "lastModifiedDateTime",
  "body",
  "dueDateTime",
  "completedDateTime",
];

const TASK: Schema = { type: "microsoft.graph.todoTask", properties: new Set(PROPERTIES) };

const invalid = (message: string) => new GraphFailure(400, "invalidRequest", message);

/** The lists of whoever is signed in; without a mailbox there are none. */
function listsOf(call: Call): TaskList[] {
  mailboxOf(call);
  return call.tenant.taskLists.get(call.caller.objectId) ?? [];
}

function byId<Item extends { readonly id: string }>(items: readonly Item[], id: string): Item {
  if (!isWellFormed(id)) throw idMalformed();
  const item = items.find((candidate) => candidate.id === id);
  if (!item) throw itemNotFound();
  return item;
}

const listRow = ({ id, name, wellKnownName }: TaskList): Row => ({
  "@odata.etag": `W/"${createHash("sha256").update(id).digest("base64").slice(0, 24)}"`,
  displayName: name,
  isOwner: true,
  isShared: false,
  wellknownListName: wellKnownName,
  id,
});

/** An instant as To Do writes it, which is always in UTC. */
const inUtc = (instant: string) => ({ dateTime: instant.replace(/Z$/, ".0000000"), timeZone: "UTC" });

/** Dates that a task does not have are absent. */
function taskRow({ id, title, status, importance, note, created, modified, due, completed }: Task): Row {
  return {
    "@odata.etag": `W/"${createHash("sha256").update(`${id} ${modified}`).digest("base64").slice(0, 24)}"`,
    importance,
    isReminderOn: false,
    status,
    title,
    createdDateTime: created,
    lastModifiedDateTime: modified,
    hasAttachments: false,
    categories: [],
    id,
    body: { content: note, contentType: "text" },
    ...(due && { dueDateTime: inUtc(due) }),
    ...(completed && { completedDateTime: inUtc(completed) }),
  };
}

function selected(row: Row, selection: readonly string[] | undefined): Row {
  if (!selection) return row;
  const present = ["id", ...selection].filter((name) => name in row);
  return project(row, present, { "@odata.etag": row["@odata.etag"] });
}

const contextOf = ({ caller }: Call, list: string) =>
  `users('${caller.objectId}')/todo/lists('${encodeURIComponent(list)}')/tasks`;

function listTasks(call: Call<"list">): Answer {
  const { tasks } = byId(listsOf(call), call.parameters.list);
  const selection = parseSelect(call.options, TASK);
  const filterText = call.options.get("$filter");
  const filter = filterText === undefined ? undefined : parseFilter(filterText);
  if (filter) checkFilter(filter, TASK);
  const rows = tasks.map(taskRow).filter((row) => !filter || matches(filter, row));
  const context = `${contextOf(call, call.parameters.list)}${contextSelection(selection)}`;
  return page(call, rows, context, (row) => selected(row, selection));
}

/** Whatever the time of day is, To Do keeps the date: midnight in the zone that is named with it. */
function midnight(value: unknown): string | undefined {
  if (value === null) return undefined;
  const { dateTime, timeZone } = (value ?? {}) as { readonly dateTime?: unknown; readonly timeZone?: unknown };
  if (typeof dateTime !== "string" || typeof timeZone !== "string") throw invalid("Invalid DateTimeTimeZone.");
  const time = DateTime.fromISO(dateTime, { zone: ianaOf(timeZone) });
  if (!time.isValid) throw invalid(`The value '${dateTime.slice(0, 100)}' of parameter 'DateTime' is invalid.`);
  return time.startOf("day").toUTC().toISO({ suppressMilliseconds: true }) ?? "";
}

/** What a request says of a task; what it does not name stays as it is. */
function changesIn(body: unknown): Partial<Task> {
  if (typeof body !== "object" || body === null || Array.isArray(body)) throw invalid("Invalid request body.");
  const { title, status, importance, body: note, dueDateTime, ...others } = body as Readonly<Record<string, unknown>>;
  const unknown = Object.keys(others).find((name) => !TASK.properties.has(name));
  if (unknown !== undefined)
    throw invalid(`The property '${unknown.slice(0, 100)}' does not exist on type '${TASK.type}'.`);
  if (title !== undefined && (typeof title !== "string" || title === "")) throw invalid("Invalid title.");
  if (status !== undefined && !STATUSES.has(status)) throw invalid("Invalid status.");
  if (importance !== undefined && !IMPORTANCES.has(importance)) throw invalid("Invalid importance.");
  const { content } = (note ?? {}) as { readonly content?: unknown };
  if (note !== undefined && typeof content !== "string") throw invalid("Invalid body.");
  return {
    ...(title !== undefined && { title }),
    ...(status !== undefined && { status: status as Task["status"] }),
    ...(importance !== undefined && { importance: importance as Task["importance"] }),
    ...(typeof content === "string" && { note: content }),
    ...(dueDateTime !== undefined && { due: midnight(dueDateTime) }),
  };
}

/** A task that is done has the day on which it was, in UTC whatever the zone of its owner; one that is not has none. */
function written(task: Task): Task {
  const now = new Date().toISOString();
  const completed = task.status === "completed" ? (task.completed ?? `${now.slice(0, 10)}T00:00:00Z`) : undefined;
  return { ...task, modified: now, completed };
}

function answerTask(call: Call<"list">, status: 200 | 201, task: Task): Answer {
  const context = `${call.origin}/v1.0/$metadata#${contextOf(call, call.parameters.list)}/$entity`;
  return { status, body: { "@odata.context": context, ...taskRow(task) } };
}

function createTask(call: Call<"list">): Answer {
  const { tasks } = byId(listsOf(call), call.parameters.list);
  const changes = changesIn(call.body);
  if (changes.title === undefined) throw invalid("The property 'title' is required.");
  const created = new Date().toISOString();
  const id = exchangeId("AAMkALR", randomUUID());
  const task = written({
    id,
    title: changes.title,
    status: "notStarted",
    importance: "normal",
    note: "",
    created,
    modified: created,
    ...changes,
  });
  tasks.unshift(task);
  return answerTask(call, 201, task);
}

function updateTask(call: Call<"list" | "task">): Answer {
  const { tasks } = byId(listsOf(call), call.parameters.list);
  const task = byId(tasks, call.parameters.task);
  const changed = written({ ...task, ...changesIn(call.body) });
  tasks.splice(tasks.indexOf(task), 1, changed);
  return answerTask(call, 200, changed);
}

const READ = ["Tasks.Read", "Tasks.ReadWrite"];
const WRITE = ["Tasks.ReadWrite"];

/** Lists are kept in the mailbox, and count with what else is asked of it. */
const todoRoute = <const Path extends string>(route: Omit<Route<Path>, "service">): Route =>
  defineRoute({
    ...route,
    service: "exchange",
    handle: (call: Call) => limited(call, () => route.handle(call as never)),
  });

/** Task lists and tasks of the signed-in user. */
export const todoRoutes: readonly Route[] = [
  todoRoute({
    method: "GET",
    path: "/me/todo/lists",
    permissions: READ,
    options: ["$top", "$skip"],
    handle: (call) => page(call, listsOf(call), `users('${call.caller.objectId}')/todo/lists`, listRow),
  }),
  todoRoute({
    method: "GET",
    path: "/me/todo/lists/{list}/tasks",
    permissions: READ,
    options: ["$select", "$filter", "$top", "$skip"],
    handle: listTasks,
  }),
  todoRoute({
    method: "POST",
    path: "/me/todo/lists/{list}/tasks",
    permissions: WRITE,
    options: [],
    handle: createTask,
  }),
  todoRoute({
    method: "PATCH",
    path: "/me/todo/lists/{list}/tasks/{task}",
    permissions: WRITE,
    options: [],
    handle: updateTask,
  }),
];
