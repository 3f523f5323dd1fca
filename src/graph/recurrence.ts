import type { DayOfWeek, PatternedRecurrence, RecurrencePattern, WeekIndex } from "@microsoft/microsoft-graph-types";
import * as z from "zod";
import { ToolError } from "../mcp/tool-error.ts";
import { parseTime, UTC } from "./time-zone.ts";

const DAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"] as const;
const BY_DAY = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"];
const WEEKS: Readonly<Record<string, WeekIndex>> = { 1: "first", 2: "second", 3: "third", 4: "fourth", "-1": "last" };

const interval = z.coerce.number().int().min(1).max(99).default(1);
const range = {
  UNTIL: z
    .string()
    .regex(/^\d{8}$/)
    .transform((date) => date.replace(/^(....)(..)(..)$/, "$1-$2-$3"))
    .refine((date) => parseTime(date, UTC) !== undefined)
    .optional(),
  COUNT: z.coerce.number().int().min(1).max(999).optional(),
};

/** What is taken of the recurrence rules of RFC 5545. */
const rule = z
  .discriminatedUnion("FREQ", [
    z.strictObject({ FREQ: z.literal("DAILY"), INTERVAL: interval, ...range }),
    z.strictObject({
      FREQ: z.literal("WEEKLY"),
      INTERVAL: interval,
      BYDAY: z
        .string()
        .regex(/^(?:SU|MO|TU|WE|TH|FR|SA)(?:,(?:SU|MO|TU|WE|TH|FR|SA)){0,6}$/)
        .optional(),
      ...range,
    }),
    z.strictObject({
      FREQ: z.literal("MONTHLY"),
      INTERVAL: interval,
      BYDAY: z
        .string()
        .regex(/^(?:[1-4]|-1)(?:SU|MO|TU|WE|TH|FR|SA)$/)
        .optional(),
      ...range,
    }),
  ])
  .refine(({ UNTIL, COUNT }) => UNTIL === undefined || COUNT === undefined);

type Rule = z.output<typeof rule>;

const membersOf = (text: string): unknown => Object.fromEntries(text.split(";").map((member) => member.split("=")));

/** The argument that says how an event repeats. */
export const recurrence = z
  .string()
  .max(200)
  .refine(
    (text) => rule.safeParse(membersOf(text)).success,
    "Use FREQ=DAILY, WEEKLY (BYDAY=MO,TH) or MONTHLY (BYDAY=2TU, -1FR), INTERVAL, and UNTIL=20260630 or COUNT",
  )
  .optional();

/**
 * Says a rule that {@link recurrence} took as Graph takes it. Throws {@link ToolError} `invalid_arguments` where the rule
 * leaves out the day that the series starts on: Exchange would quietly start on another.
 */
export function toGraphRecurrence(text: string, startDate: string, recurrenceTimeZone: string): PatternedRecurrence {
  const parsed = rule.parse(membersOf(text));
  const { UNTIL: endDate, COUNT: numberOfOccurrences } = parsed;
  const pattern = patternOf(parsed, new Date(startDate));
  if (!pattern || (endDate !== undefined && endDate < startDate)) {
    throw new ToolError("invalid_arguments", "The recurrence does not have the day of start in it.");
  }
  const ends = {
    ...(endDate === undefined ? {} : { type: "endDate" as const, endDate }),
    ...(numberOfOccurrences === undefined ? {} : { type: "numbered" as const, numberOfOccurrences }),
  };
  return { pattern, range: { type: "noEnd", startDate, recurrenceTimeZone, ...ends } };
}

/** Undefined where the rule does not fit the first day. */
function patternOf(parsed: Rule, first: Date): RecurrencePattern | undefined {
  const { INTERVAL: interval } = parsed;
  const [weekday, dayOfMonth] = [DAYS[first.getUTCDay()] as DayOfWeek, first.getUTCDate()];
  if (parsed.FREQ === "DAILY") return { type: "daily", interval };
  if (parsed.FREQ === "WEEKLY") {
    const daysOfWeek = parsed.BYDAY?.split(",").map(dayOf) ?? [weekday];
    // RFC 5545 counts weeks from Monday, Graph from Sunday.
    return daysOfWeek.includes(weekday)
      ? { type: "weekly", interval, daysOfWeek, firstDayOfWeek: "monday" }
      : undefined;
  }
  if (parsed.BYDAY === undefined) return { type: "absoluteMonthly", interval, dayOfMonth };
  const [, week = "", day = ""] = /^(.+)(..)$/.exec(parsed.BYDAY) ?? [];
  const daysInMonth = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0)).getUTCDate();
  const fits = week === "-1" ? dayOfMonth + 7 > daysInMonth : Math.ceil(dayOfMonth / 7) === Number(week);
  if (!fits || dayOf(day) !== weekday) return undefined;
  return { type: "relativeMonthly", interval, daysOfWeek: [weekday], index: WEEKS[week] ?? null };
}

const dayOf = (day: string): DayOfWeek => DAYS[BY_DAY.indexOf(day)] as DayOfWeek;

/** For example `every 2 weeks on monday, thursday from 2026-03-02 until 2026-06-01`. */
export function inWords({ pattern, range }: PatternedRecurrence): string {
  const { interval, daysOfWeek, index, dayOfMonth, month } = pattern ?? {};
  const days = daysOfWeek?.join(", ");
  const [unit, on] = {
    daily: ["day", ""],
    weekly: ["week", ` on ${days}`],
    absoluteMonthly: ["month", ` on day ${dayOfMonth}`],
    relativeMonthly: ["month", ` on the ${index} ${days}`],
    absoluteYearly: ["year", ` on day ${dayOfMonth} of month ${month}`],
    relativeYearly: ["year", ` on the ${index} ${days} of month ${month}`],
  }[pattern?.type ?? "daily"] as [string, string];
  const end = { endDate: ` until ${range?.endDate}`, noEnd: "", numbered: `, ${range?.numberOfOccurrences} times` };
  const every = interval && interval > 1 ? `${interval} ${unit}s` : unit;
  return `every ${every}${on} from ${range?.startDate}${end[range?.type ?? "noEnd"]}`;
}
