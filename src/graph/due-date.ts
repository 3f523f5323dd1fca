import type { DateTimeTimeZone, MailboxSettings } from "@microsoft/microsoft-graph-types";
import type { Graph } from "./graph.ts";
import { path } from "./path.ts";
import { findTimeZone, parseTime, toLocal, UTC } from "./time-zone.ts";

const HALF_A_DAY_MS = 12 * 3600 * 1000;
const MIDNIGHT = /T00:00:00(?:\.0*)?$/;

type Due = DateTimeTimeZone | null | undefined;

/** The day of a task as Graph takes it. The time is ignored; midnight in UTC is that day in the apps of every zone. */
export function toDue(date: string): DateTimeTimeZone {
  return { dateTime: `${date}T00:00:00`, timeZone: UTC.name };
}

/**
 * Makes the function that reads the day of a task, for example `2026-03-29`; undefined of a task that has none.
 *
 * The apps of To Do store midnight where their user was then, and Graph gives it in UTC, without a word on where that
 * was. So a time other than midnight counts as the midnight that is nearest to it in the mailbox's zone, which is asked
 * for only then and needs the permission MailboxSettings.Read.
 * Source: https://github.com/RogerSelwyn/MS365-ToDo/issues/29
 */
export async function dueReader(dues: readonly Due[], graph: Graph): Promise<(due: Due) => string | undefined> {
  const zone = dues.every(isPlain) ? UTC : await mailboxZone(graph);
  return (due) => {
    if (!due?.dateTime) return undefined;
    if (isPlain(due)) return due.dateTime.slice(0, "2026-03-29".length);
    const instant = parseTime(due.dateTime, findTimeZone(due.timeZone) ?? UTC);
    return instant && toLocal(new Date(instant.getTime() + HALF_A_DAY_MS), zone).slice(0, "2026-03-29".length);
  };
}

const isPlain = (due: Due): boolean => !due?.dateTime || MIDNIGHT.test(due.dateTime);

async function mailboxZone(graph: Graph) {
  const query = { $select: "timeZone" };
  const { timeZone } = await graph.get<MailboxSettings>(path`/me/mailboxSettings`, { query, remember: true });
  return findTimeZone(timeZone) ?? UTC;
}
