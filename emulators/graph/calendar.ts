import { DateTime, IANAZone } from "luxon";
import { findIana } from "windows-iana";
import type { Calendar, Meeting, OccurrenceChange, Recurrence, ShowAs } from "../calendar.ts";
import { exchangeId } from "../mailbox.ts";
import { GraphFailure } from "./failure.ts";
import { itemNotFound } from "./mailbox.ts";
import type { Call } from "./route.ts";

/** One entry of one calendar, as its owner sees it. */
export interface CalendarItem {
  readonly type: "singleInstance" | "seriesMaster" | "occurrence" | "exception";
  /** With the changes of an occurrence. */
  readonly meeting: Meeting;
  /** Of an occurrence the ISO date on which its series has it. */
  readonly date?: string | undefined;
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
const zoneNotSupported = (name: string) =>
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

type Occasion = Pick<CalendarItem, "type" | "meeting" | "date">;

const LONGEST_DAYS = 1_100;
const WEEKS = ["first", "second", "third", "fourth"];

/** Whether a series has an occurrence on a day, as far as its pattern goes. */
function repeatsOn({ type, interval, daysOfWeek = [], index }: Recurrence, first: DateTime, day: DateTime): boolean {
  const weekday = (day.setLocale("en").weekdayLong ?? "").toLowerCase();
  const unit = type === "daily" ? "day" : type === "weekly" ? "week" : "month";
  const passed = Math.floor(day.startOf(unit).diff(first.startOf(unit), `${unit}s`).as(`${unit}s`));
  if (passed % interval !== 0) return false;
  if (type === "daily") return true;
  if (type === "absoluteMonthly") return day.day === first.day;
  if (!daysOfWeek.some((name) => name === weekday)) return false;
  if (type === "weekly") return true;
  return index === "last" ? day.plus({ weeks: 1 }).month !== day.month : WEEKS[Math.ceil(day.day / 7) - 1] === index;
}

/** A series and its occurrences, on the clocks of its own zone. */
function* occasionsOf(meeting: Meeting): Iterable<Occasion> {
  const { recurrence } = meeting;
  if (!recurrence) {
    yield { type: "singleInstance", meeting };
    return;
  }
  yield { type: "seriesMaster", meeting };
  const [start, end] = [meeting.start, meeting.end].map((time) => DateTime.fromISO(time, { zone: "utc" })) as [
    DateTime<true>,
    DateTime<true>,
  ];
  let left = recurrence.count ?? LONGEST_DAYS;
  for (let shift = 0; shift < LONGEST_DAYS && left > 0; shift += 1) {
    const day = start.plus({ days: shift });
    const date = day.toISODate();
    if (recurrence.until !== undefined && date > recurrence.until) return;
    if (!repeatsOn(recurrence, start, day)) continue;
    left -= 1;
    const change: OccurrenceChange | undefined = recurrence.changes[date];
    yield {
      type: change === undefined ? "occurrence" : "exception",
      date,
      meeting: {
        ...meeting,
        start: day.toISO(WALL),
        end: end.plus({ days: shift }).toISO(WALL),
        ...(change === "cancelled" ? { isCancelled: true } : change),
      },
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

function toItem({ type, date, meeting }: Occasion, address: string): CalendarItem[] {
  const view = perspective(meeting, address);
  const { key, isCancelled = false } = meeting;
  // An organizer who cancels removes the event; the others keep it, cancelled, until they do.
  if (!view || (isCancelled && view.isOrganizer)) return [];
  const zone = ianaOf(meeting.timeZone);
  return [
    {
      type,
      date,
      meeting: isCancelled ? { ...meeting, subject: `Canceled: ${meeting.subject}` } : meeting,
      start: DateTime.fromISO(meeting.start, { zone }),
      end: DateTime.fromISO(meeting.end, { zone }),
      isCancelled,
      ...view,
      showAs: isCancelled ? "free" : view.showAs,
      ids: idsOf(address, date === undefined ? key : `${key} ${date}`),
      ...(date !== undefined && { seriesIds: idsOf(address, key) }),
    },
  ];
}

/** All items in the calendar of a person or a room, series masters among them. */
export const calendarItems = ({ meetings }: Calendar, address: string): CalendarItem[] =>
  meetings.flatMap((meeting) => [...occasionsOf(meeting)].flatMap((occasion) => toItem(occasion, address)));

/** What takes place, series expanded, and overlaps a window. */
export const itemsWithin = (items: readonly CalendarItem[], from: DateTime, to: DateTime): CalendarItem[] =>
  items.filter(({ type, start, end }) => type !== "seriesMaster" && start < to && end > from);

/** The sample calendars of a call's tenant, laid out around today or the day that a switch names. */
export function calendarOf({ tenant, switches }: Call): Calendar {
  const today = switches["graph.today"];
  return tenant.calendarAround(today === undefined ? new Date() : new Date(today));
}

/**
 * Changes a meeting, or of a series the one occurrence that an item is.
 */
export function changeItem(
  { meetings }: Calendar,
  { meeting: { key }, date }: CalendarItem,
  change: OccurrenceChange,
): void {
  const index = meetings.findIndex((candidate) => candidate.key === key);
  const meeting = meetings[index];
  if (!meeting) throw itemNotFound();
  const version = (meeting.version ?? 0) + 1;
  const { recurrence } = meeting;
  if (recurrence && date !== undefined) {
    const before = recurrence.changes[date];
    const merged = typeof before === "object" && typeof change === "object" ? { ...before, ...change } : change;
    meetings[index] = {
      ...meeting,
      version,
      recurrence: { ...recurrence, changes: { ...recurrence.changes, [date]: merged } },
    };
  } else {
    meetings[index] = { ...meeting, version, ...(change === "cancelled" ? { isCancelled: true } : change) };
  }
}
