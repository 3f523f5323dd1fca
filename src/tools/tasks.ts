import type { TodoTask, TodoTaskList } from "@microsoft/microsoft-graph-types";
import * as z from "zod";
import { dueReader, toDue } from "../graph/due-date.ts";
import type { Graph, GraphCollection } from "../graph/graph.ts";
import { path } from "../graph/path.ts";
import { prefer } from "../graph/prefer.ts";
import { parseTime, UTC } from "../graph/time-zone.ts";
import { sentLine, sentText } from "../mcp/sent-text.ts";
import { defineTool, page, pageResult, ToolError } from "../mcp/tool.ts";
import { trusted, untrusted, untrustedText } from "../safety/untrusted.ts";

const FIELDS = "id,title,status,importance,dueDateTime,body";
const MAX_LISTS = 100;
const MAX_NOTE_CHARS = 1_000;
const AS_TEXT = prefer({ text: true });

const id = z.string().max(1024);
const importance = z.enum(["low", "normal", "high"]);

const task = z.object({
  id: trusted(),
  title: untrusted(),
  status: trusted(),
  importance: trusted().optional(),
  due: trusted().optional(),
  note: untrustedText().optional(),
});

const listTasks = defineTool({
  name: "list_tasks",
  title: "List tasks",
  description: "Open To Do tasks of a list. Without list_id: all lists, and tasks of the default one.",
  effect: "read",
  permissions: ["Tasks.Read", "MailboxSettings.Read"],
  input: z.strictObject({
    list_id: id.optional(),
    completed: z.boolean().optional().describe("Done ones too"),
    ...page,
  }),
  output: z.object({
    lists: z.array(z.object({ id: trusted(), name: untrusted() })).optional(),
    tasks: z.array(task),
    ...pageResult,
  }),
  async handler({ list_id, completed, limit, cursor }, { graph }) {
    // A cursor knows its list.
    const lists = list_id === undefined && cursor === undefined ? await readLists(graph) : undefined;
    const list = list_id ?? (lists && defaultOf(lists));
    const { items, next } = await graph.list<TodoTask>(
      list === undefined ? path`/me/todo/lists` : path`/me/todo/lists/${list}/tasks`,
      {
        query: { $filter: completed ? undefined : "status ne 'completed'", $top: limit, $select: FIELDS },
        headers: AS_TEXT,
        cursor,
      },
    );
    const tasks = await toTasks(items, graph);
    return { ...(lists && { lists: lists.map(toList) }), tasks, next };
  },
});

const day = z
  .string()
  .refine((text) => text.length === "2026-03-29".length && parseTime(text, UTC) !== undefined, "Use 2026-03-29");

const saveTask = defineTool({
  name: "save_task",
  title: "Save a task",
  description: "Create a To Do task, or change what is given of one (task_id).",
  effect: "destructive",
  permissions: ["Tasks.ReadWrite"],
  input: z.strictObject({
    task_id: id.optional(),
    list_id: id.optional().describe("Default: the default list"),
    title: sentLine(255).optional(),
    due: day.nullable().optional().describe("2026-03-29; null: none"),
    note: sentText(10_000).optional(),
    importance: importance.optional(),
    completed: z.boolean().optional(),
  }),
  output: task.pick({ id: true, title: true, status: true }).extend({ list_id: trusted() }),
  async handler({ task_id, list_id, ...input }, { graph }) {
    const body = toTodoTask(input);
    if (task_id === undefined && !input.title) {
      throw new ToolError("invalid_arguments", "A new task needs a title. To change one, give its task_id.");
    }
    if (Object.keys(body).length === 0) throw new ToolError("invalid_arguments", "Say what to change of the task.");
    const list = list_id ?? defaultOf(await readLists(graph, { remember: true }));
    // Not repeatable: a second task would be made, and completing a recurring one brings up the next.
    const change = { body, repeatable: false };
    const saved =
      task_id === undefined
        ? await graph.post<TodoTask>(path`/me/todo/lists/${list}/tasks`, change)
        : await graph.patch<TodoTask>(path`/me/todo/lists/${list}/tasks/${task_id}`, change);
    return { id: saved.id ?? "", list_id: list, title: saved.title ?? "", status: saved.status ?? "" };
  },
});

interface Facts {
  readonly title?: string | undefined;
  readonly due?: string | null | undefined;
  readonly note?: string | undefined;
  readonly importance?: z.output<typeof importance> | undefined;
  readonly completed?: boolean | undefined;
}

/** The properties that are given, as Graph names them. */
function toTodoTask({ title, due, note, importance, completed }: Facts): TodoTask {
  return {
    ...(title !== undefined && { title }),
    ...(due !== undefined && { dueDateTime: due === null ? null : toDue(due) }),
    ...(note !== undefined && { body: { content: note, contentType: "text" as const } }),
    ...(importance !== undefined && { importance }),
    ...(completed !== undefined && { status: completed ? ("completed" as const) : ("notStarted" as const) }),
  };
}

async function readLists(graph: Graph, { remember = false } = {}): Promise<readonly TodoTaskList[]> {
  const query = { $top: MAX_LISTS };
  return (await graph.get<GraphCollection<TodoTaskList>>(path`/me/todo/lists`, { query, remember })).value;
}

function defaultOf(lists: readonly TodoTaskList[]): string {
  const id = lists.find(({ wellknownListName }) => wellknownListName === "defaultList")?.id;
  if (id) return id;
  throw new ToolError("not_found", "This account has no default task list. Give list_id.");
}

function toList({ id, displayName }: TodoTaskList) {
  return { id: id ?? "", name: displayName ?? "" };
}

async function toTasks(tasks: readonly TodoTask[], graph: Graph): Promise<z.input<typeof task>[]> {
  const read = await dueReader(
    tasks.map(({ dueDateTime }) => dueDateTime),
    graph,
  );
  return tasks.map(({ id, title, status, importance, dueDateTime, body }) => ({
    id: id ?? "",
    title: title ?? "",
    status: status ?? "",
    importance: importance ?? undefined,
    due: read(dueDateTime),
    note: body?.content?.slice(0, MAX_NOTE_CHARS) || undefined,
  }));
}

export default [listTasks, saveTask];
