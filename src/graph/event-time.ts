import type { DateTimeTimeZone, Event, MailboxSettings } from "@microsoft/microsoft-graph-types";
import * as z from "zod";
import { ToolError } from "../mcp/tool-error.ts";
import type { Graph } from "./graph.ts";
import { path } from "./path.ts";
import { comesTwice, findTimeZone, parseTime, type TimeZone, toLocal, UTC, windowsName } from "./time-zone.ts";

/** Asked for in UTC and made local here: local times alone are ambiguous in the hour that comes twice in autumn. */
export const IN_UTC = { timezone: "UTC", immutableIds: true } as const;

/** The read of the zone that a mailbox is set to. */
export const MAILBOX_ZONE = { path: path`/me/mailboxSettings`, query: { $select: "timeZone" }, remember: true };

/** The argument that names a zone. */
export const timezone = z
  .string()
  .refine((name) => findTimeZone(name) !== undefined, "Unknown time zone: use an IANA or a Windows name")
  .optional()
  .describe("IANA or Windows; default: the mailbox's");

/** The zone with this name or else the mailbox's own; undefined where that has no name. */
export async function chooseZone(named: string | undefined, graph: Graph): Promise<TimeZone | undefined> {
  return findTimeZone(named ?? (await graph.get<MailboxSettings>(MAILBOX_ZONE.path, MAILBOX_ZONE)).timeZone);
}

/** When an event takes place. The moments of whole days are dates in UTC, `end` is the midnight after the last one. */
export interface EventTime {
  readonly start: Date;
  readonly end: Date;
  readonly allDay: boolean;
}

/** What a caller says about the time of an event; dates mean whole days, the last one in `end`. */
export interface TimeArguments {
  readonly start?: string | undefined;
  readonly end?: string | undefined;
}

/** A moment as Graph answers it when it is asked {@link IN_UTC}. */
export const fromGraph = (time: DateTimeTimeZone | null | undefined) => new Date(`${time?.dateTime?.slice(0, 19)}Z`);

/** The time of an event that was asked for {@link IN_UTC}: Exchange answers the midnights of whole days unchanged in every zone. */
export const timeOf = ({ start, end, isAllDay }: Event): EventTime => ({
  start: fromGraph(start),
  end: fromGraph(end),
  allDay: isAllDay ?? false,
});

/**
 * Reads the time of an event; where only one end of it is said, the other follows from the `current` time: a new start
 * keeps how long it takes. Throws {@link ToolError} `invalid_arguments`.
 */
export function readTime({ start, end }: TimeArguments, zone: TimeZone, current?: EventTime): EventTime {
  const given = [start, end].filter((text) => text !== undefined);
  const allDay = given.some(isDate);
  if (allDay && !given.every(isDate)) throw invalid("Give two dates for whole days, or two times.");
  const comparable = current?.allDay === allDay ? current : undefined;
  if (given.length < 2 && !comparable) throw invalid("Give start and end.");
  const readIn = allDay ? UTC : zone;
  const from = (start && parseTime(start, readIn)) || comparable?.start;
  const length = (comparable?.end.getTime() ?? 0) - (comparable?.start.getTime() ?? 0);
  const to = (end && parseTime(end, readIn, "end")) || new Date((from?.getTime() ?? 0) + length);
  if (from && to > from) return { start: from, end: to, allDay };
  throw invalid("The end has to be later than the start.");
}

const isDate = (text: string) => !text.includes("T");
const invalid = (message: string) => new ToolError("invalid_arguments", message);

/**
 * The properties of an event that say when it is: on the clocks of its zone, so that a series keeps its hour when they
 * change. A moment that clocks show twice is written in UTC, unless it `repeats`.
 */
export function toGraphTime({ start, end, allDay }: EventTime, zone: TimeZone, repeats: boolean) {
  const ambiguous = !allDay && !repeats && [start, end].some((moment) => comesTwice(moment, zone));
  const timeZone = ambiguous ? UTC.name : windowsName(zone);
  const write = (moment: Date): DateTimeTimeZone => ({
    dateTime: toLocal(moment, allDay || ambiguous ? UTC : zone),
    timeZone,
  });
  return { start: write(start), end: write(end), isAllDay: allDay };
}

/** For example `2026-03-24 10:00 to 11:00 (Pacific Standard Time)`, the same in every zone that differs. */
export function timeInWords({ start, end, allDay }: EventTime, zones: readonly TimeZone[]): string {
  if (allDay) {
    const [first, last] = [start, new Date(end.getTime() - 1)].map((day) => toLocal(day, UTC).slice(0, 10));
    return first === last ? `${first}, all day` : `${first} to ${last}, whole days`;
  }
  const different = zones.filter(({ iana }, index) => zones.findIndex((zone) => zone.iana === iana) === index);
  return different.map((zone) => momentsInWords(start, end, zone)).join(" = ");
}

function momentsInWords(start: Date, end: Date, zone: TimeZone): string {
  const [from = "", to = ""] = [start, end].map((moment) => toLocal(moment, zone).slice(0, 16).replace("T", " "));
  return `${from} to ${from.slice(0, 10) === to.slice(0, 10) ? to.slice(11) : to} (${zone.name})`;
}
