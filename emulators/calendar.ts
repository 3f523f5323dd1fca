/** The vocabulary of calendars: what the sample data says and the Graph emulator serves. Plain data. */

/** How somebody answered an invitation. */
export type MeetingResponse = "accepted" | "tentativelyAccepted" | "declined" | "notResponded";

/** Somebody, or a room, who was invited. */
export interface Invitee {
  readonly name: string;
  readonly address: string;
  readonly type: "required" | "optional" | "resource";
  readonly response: MeetingResponse;
}

/** How an event counts in a schedule. */
export type ShowAs = "free" | "tentative" | "busy" | "oof" | "workingElsewhere";

/** What one occurrence of a series does otherwise; times are local, like the series' own. */
export type OccurrenceChange = "cancelled" | Partial<Omit<Meeting, "key" | "organizer" | "timeZone" | "recurrence">>;

/** A day as recurrences name it. */
export type Weekday = "monday" | "tuesday" | "wednesday" | "thursday" | "friday" | "saturday" | "sunday";

/** How a series repeats, from its start on. Graph also has years, which nothing here needs. */
export interface Recurrence {
  readonly type: "daily" | "weekly" | "absoluteMonthly" | "relativeMonthly";
  readonly interval: number;
  /** Of weeks all of them, of a relative month the first one. */
  readonly daysOfWeek?: readonly Weekday[];
  readonly firstDayOfWeek?: Weekday;
  /** Which one of those days in a relative month. */
  readonly index?: "first" | "second" | "third" | "fourth" | "last";
  /** Last day, ISO date. */
  readonly until?: string;
  readonly count?: number;
  /** By the ISO date on which the occurrence would be. */
  readonly changes: Readonly<Record<string, OccurrenceChange>>;
}

/** One event or series; it is in the calendars of its organizer and of everybody invited. */
export interface Meeting {
  /** Names it within a calendar; ids follow from it. */
  readonly key: string;
  readonly subject: string;
  readonly organizer: { readonly name: string; readonly address: string };
  readonly attendees: readonly Invitee[];
  /** Windows name of the zone that it was made in, and in which a series repeats. */
  readonly timeZone: string;
  /** Local to `timeZone`, `2026-03-29T09:00`; midnight for an all-day event. */
  readonly start: string;
  /** The same; midnight after the last day of an all-day event. */
  readonly end: string;
  readonly isAllDay: boolean;
  readonly location: string;
  readonly showAs: ShowAs;
  readonly isPrivate: boolean;
  /** HTML. */
  readonly body: string;
  readonly joinUrl?: string | undefined;
  readonly recurrence?: Recurrence;
  /** Its organizer has it no longer, the others as cancelled. */
  readonly isCancelled?: boolean;
  /** False where the organizer wants no answers. */
  readonly responseRequested?: boolean;
  /** How often it was changed. */
  readonly version?: number;
  /** What it was created by, so that it is created once. */
  readonly creation?: { readonly transactionId: string; readonly content: string };
}

/** Everything in the calendars of a tenant. */
export interface Calendar {
  /** Changes with what Graph is asked to do. */
  readonly meetings: Meeting[];
  /** Mailboxes that nobody signs in to. */
  readonly rooms: readonly { readonly name: string; readonly address: string }[];
}
