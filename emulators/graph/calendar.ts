import { DateTime, IANAZone } from "luxon";
import { findIana } from "windows-iana";
import type { Calendar, Meeting, OccurrenceChange, ShowAs } from "../calendar.ts";
import { exchangeId } from "../mailbox.ts";
import { GraphFailure } from "./failure.ts";
import type { Call } from "./route.ts";

/** One entry of one calendar, as its owner sees it. */
export interface CalendarItem {
  readonly type: "singleInstance" | "seriesMaster" | "occurrence" | "exception";
  readonly meeting: Meeting;
  readonly start: DateTime;
  readonly end: DateTime;
  readonly isCancelled: boolean;
  readonly isOrganizer: boolean;
  readonly response: "organizer" | Meeting["attendees"][number]["response"];
  readonly showAs: ShowAs;
  readonly ids: ItemIds;
  /** Ids of the series that an occurrence belongs to. */
  readonly seriesIds?: ItemIds;
}

/** The two ids of an item; the mutable one is sent where the caller did not ask for the other. */
export interface ItemIds {
  readonly mutable: string;
  readonly immutable: string;
}

/** Exchange's refusal of a zone that it does not know. */
export const zoneNotSupported = (name: string) =>
  new GraphFailure(
    400,
    "TimeZoneNotSupportedException",
    `A valid TimeZone value must be specified. The following TimeZone value is not supported: '${name.slice(0, 100)}'.`,
  );

/** The IANA name of a Windows zone. Throws where there is no such zone. */
export function ianaOfWindows(name: string): string {
  const iana = findIana(name)[0];
  if (iana === undefined) throw zoneNotSupported(name);
  return iana;
}

/** The IANA name of a zone that goes by either name. Throws where there is no such zone. */
export const ianaOf = (name: string): string => (IANAZone.isValidZone(name) ? name : ianaOfWindows(name));

const sameAddress = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();

interface Occasion {
  readonly key: string;
  readonly type: CalendarItem["type"];
  readonly start: string;
  readonly end: string;
  readonly subject: string;
  readonly isCancelled: boolean;
}

const occasion = ({ key, subject, start, end }: Meeting, type: CalendarItem["type"]): Occasion => ({
  key,
  type,
  start,
  end,
  subject,
  isCancelled: false,
});

/** A series and its occurrences, on the clocks of its own zone. */
function* occasionsOf(meeting: Meeting): Iterable<Occasion> {
  const { recurrence, key, subject } = meeting;
  if (!recurrence) {
    yield occasion(meeting, "singleInstance");
    return;
  }
  yield occasion(meeting, "seriesMaster");
  const [start, end] = [meeting.start, meeting.end].map((time) => DateTime.fromISO(time, { zone: "utc" })) as [
    DateTime<true>,
    DateTime<true>,
  ];
  const until = DateTime.fromISO(recurrence.until, { zone: "utc" }).endOf("day");
  const days: readonly string[] = recurrence.daysOfWeek;
  for (let shift = 0; start.plus({ days: shift }) <= until; shift += 1) {
    const day = start.plus({ days: shift });
    const week = Math.floor(day.startOf("week").diff(start.startOf("week"), "weeks").weeks);
    if (week % recurrence.interval !== 0 || !days.includes(day.setLocale("en").weekdayLong.toLowerCase())) continue;
    const change: OccurrenceChange | undefined = recurrence.changes[day.toISODate()];
    const planned = { subject, start: day.toISO(WALL), end: end.plus({ days: shift }).toISO(WALL) };
    yield {
      key: `${key} ${day.toISODate()}`,
      type: change === undefined ? "occurrence" : "exception",
      ...planned,
      ...(change === "cancelled" ? { subject: `Canceled: ${subject}` } : change),
      isCancelled: change === "cancelled",
    };
  }
}

const WALL = { includeOffset: false } as const;

function perspective({ organizer, attendees, showAs }: Meeting, address: string) {
  if (sameAddress(organizer.address, address)) return { isOrganizer: true, response: "organizer", showAs } as const;
  const response = attendees.find((attendee) => sameAddress(attendee.address, address))?.response;
  // What was declined is no longer in the calendar.
  if (response === undefined || response === "declined") return undefined;
  return { isOrganizer: false, response, showAs: response === "accepted" ? showAs : "tentative" } as const;
}

const idsOf = (address: string, key: string): ItemIds => ({
  mutable: exchangeId("AAMkAGE", `${address} ${key}`),
  immutable: exchangeId("AAkALgAA", `${address} ${key}`),
});

function toItem(meeting: Meeting, address: string, { key, type, subject, start, end, isCancelled }: Occasion) {
  const view = perspective(meeting, address);
  // An organizer who cancels removes the event; the others keep it, cancelled, until they do.
  if (!view || (isCancelled && view.isOrganizer)) return [];
  const zone = ianaOf(meeting.timeZone);
  const item: CalendarItem = {
    type,
    meeting: { ...meeting, subject },
    start: DateTime.fromISO(start, { zone }),
    end: DateTime.fromISO(end, { zone }),
    isCancelled,
    ...view,
    showAs: isCancelled ? "free" : view.showAs,
    ids: idsOf(address, key),
    ...(key !== meeting.key && { seriesIds: idsOf(address, meeting.key) }),
  };
  return [item];
}

/** All items in the calendar of a person or a room, series masters among them. */
export const calendarItems = ({ meetings }: Calendar, address: string): CalendarItem[] =>
  meetings.flatMap((meeting) => [...occasionsOf(meeting)].flatMap((occasion) => toItem(meeting, address, occasion)));

/** What takes place, series expanded, and overlaps a window. */
export const itemsWithin = (items: readonly CalendarItem[], from: DateTime, to: DateTime): CalendarItem[] =>
  items.filter(({ type, start, end }) => type !== "seriesMaster" && start < to && end > from);

/** The sample calendars of a call's tenant, laid out around today or the day that a switch names. */
export function calendarOf({ tenant, switches }: Call): Calendar {
  const today = switches["graph.today"];
  return tenant.calendarAround(today === undefined ? new Date() : new Date(today));
}
