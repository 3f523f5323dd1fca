import { exchangeId } from "../mailbox.ts";
import type { Task, TaskList } from "../todo.ts";
import { people, users } from "./users.ts";

const LIST = "AQMkAGT";

function list(owner: string, name: string, wellKnownName: TaskList["wellKnownName"], tasks: Task[] = []): TaskList {
  return { id: exchangeId(LIST, `${owner} ${name}`), name, wellKnownName, tasks };
}

/** An open task of Adele's, as the apps of To Do make it; what is left out is nothing special. */
function task(title: string, facts: Partial<Task> = {}): Task {
  const written = "2026-11-16T17:20:00Z";
  return {
    id: exchangeId("AAMkALR", `task ${title}`),
    title,
    status: "notStarted",
    importance: "normal",
    note: "",
    created: written,
    modified: written,
    ...facts,
  };
}

/** Adele is in Pacific time: a day begins there at 7:00 UTC in summer and at 8:00 in winter. */
const ofAdele = (owner: string): TaskList[] => [
  list(owner, "Tasks", "defaultList", [
    task("Order shelves for Tacoma", {
      due: "2026-11-27T08:00:00Z",
      importance: "high",
      note: "Twelve of them, oak.\nAsk Northwind for the usual discount.",
    }),
    task("Renew the lease", { due: "2026-07-01T07:00:00Z", status: "inProgress" }),
    task("Call Lynne back"),
    task("File the travel expenses", { status: "completed", completed: "2026-11-13T00:00:00Z", importance: "low" }),
  ]),
  list(owner, "Flagged Emails", "flaggedEmails"),
  list(owner, "Store opening", "none", [
    // Written by a program, or in London: midnight in UTC.
    task("Invite the mayor", { due: "2026-12-01T00:00:00Z" }),
    // Written on a journey to New York.
    task("Book the band", { due: "2026-11-30T05:00:00Z" }),
  ]),
];

/** The task lists of everybody with a mailbox, by the object id of their owner. */
export function createTaskLists(): Map<string, TaskList[]> {
  return new Map(
    users
      .filter(({ mailbox }) => mailbox)
      .map(({ id }) => [id, id === people.normal.id ? ofAdele(id) : [list(id, "Tasks", "defaultList")]]),
  );
}
