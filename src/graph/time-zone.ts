import { findIana, findWindows } from "windows-iana";
import * as z from "zod";

/** A time zone under the name that it was asked for by, Windows or IANA. */
export interface TimeZone {
  readonly name: string;
  /** The name that `Intl` computes with. */
  readonly iana: string;
  /** Shows a moment as clocks of the zone do. Kept, because making one takes as long as fifty of its answers. */
  readonly clock: Intl.DateTimeFormat;
}

/** Where a calendar is read when nobody names a zone. */
export const UTC: TimeZone = { name: "UTC", iana: "UTC", clock: clockOf("UTC") };

const DAY_MS = 86_400_000;
const TIME = /^((?:19|20|21)\d\d-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d)?)(?:\.\d{1,7})?(Z|[+-]\d\d:\d\d)?)?$/;

/**
 * Finds a zone by its Windows or IANA name; undefined for anything else, such as the `Customized Time Zone` of some
 * mailboxes.
 */
export function findTimeZone(name: string | null | undefined): TimeZone | undefined {
  if (!name) return undefined;
  const iana = findIana(name)[0] ?? name;
  // Newer versions of Node also compute with offsets: they are no zones, and wrong for half of the year.
  if (!/^[a-z]/i.test(iana)) return undefined;
  try {
    return { name, iana, clock: clockOf(iana) };
  } catch {
    return undefined;
  }
}

/** Throws for a name that is no zone's. */
function clockOf(iana: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat("sv-SE", { timeZone: iana, dateStyle: "short", timeStyle: "medium" });
}

/** The Windows name of a zone, which all of Graph understands; the name that it has where Windows has none for it. */
export function windowsName({ name, iana }: TimeZone): string {
  if (findIana(name).length > 0) return name;
  // Zones get new names, and the table may know only the old one: Europe/Kyiv was Europe/Kiev.
  const known = new Intl.DateTimeFormat("en", { timeZone: iana }).resolvedOptions().timeZone;
  return findWindows(iana)[0] ?? findWindows(known)[0] ?? name;
}

/** Writes an instant as clocks of the zone show it, without an offset: `2026-03-29T09:00:00`. */
export function toLocal(instant: Date, { clock }: TimeZone): string {
  return clock.format(instant).replace(" ", "T");
}

/**
 * Reads a date, a local time or a time with an offset; undefined for anything else. A date stands for its first moment,
 * or as an `end` for its last.
 *
 * A local time that a clock change skips counts as if the clock had not changed yet; of one that comes twice the first
 * is meant.
 */
export function parseTime(text: string, zone: TimeZone, edge: "start" | "end" = "start"): Date | undefined {
  const [, date, time, offset] = TIME.exec(text) ?? [];
  const wall = new Date(`${date}T${time ?? "00:00"}Z`);
  // Dates that no calendar has roll over: 30 February becomes 2 March.
  if (date === undefined || Number.isNaN(wall.getTime()) || !wall.toISOString().startsWith(date)) return undefined;
  if (offset === undefined) return fromWall(time === undefined && edge === "end" ? addDays(wall, 1) : wall, zone);
  const instant = new Date(`${date}T${time}${offset}`);
  return Number.isNaN(instant.getTime()) ? undefined : instant;
}

/** The same time of day some days later, however long the days between are. */
export function daysLater(instant: Date, days: number, zone: TimeZone): Date {
  return fromWall(addDays(wallOf(instant, zone), days), zone);
}

/** Whether clocks show the local time of this moment twice, because they go back: it does not say which one is meant. */
export function comesTwice(instant: Date, zone: TimeZone): boolean {
  const wall = wallOf(instant, zone);
  const [first, second] = readings(wall, zone);
  return first.getTime() !== second.getTime() && shows(wall, first, zone) && shows(wall, second, zone);
}

const addDays = (date: Date, days: number) => new Date(date.getTime() + days * DAY_MS);

/** What clocks of the zone show, as if they showed UTC. */
const wallOf = (instant: Date, zone: TimeZone) => new Date(`${toLocal(instant, zone)}Z`);

const shows = (wall: Date, instant: Date, zone: TimeZone) => wallOf(instant, zone).getTime() === wall.getTime();

/** A local time as it would be before and after a change of clocks nearby. */
function readings(wall: Date, zone: TimeZone): [before: Date, after: Date] {
  // Zones change their clocks by some hours at most, and never twice within two days.
  return [-1, 1].map((days) => {
    const nearby = addDays(wall, days);
    return new Date(wall.getTime() - (wallOf(nearby, zone).getTime() - nearby.getTime()));
  }) as [Date, Date];
}

function fromWall(wall: Date, zone: TimeZone): Date {
  const [first, second] = readings(wall, zone);
  return shows(wall, first, zone) || !shows(wall, second, zone) ? first : second;
}

/** An optional argument that {@link parseTime} understands; says by example what that is. */
export const timeArgument = z
  .string()
  .refine((text) => parseTime(text, UTC) !== undefined, "Use 2026-03-29, 2026-03-29T09:00 or 2026-03-29T09:00+02:00")
  .optional();
