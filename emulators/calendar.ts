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
export type OccurrenceChange =
  | "cancelled"
  | { readonly subject?: string; readonly start: string; readonly end: string };

/** Every so many weeks on these days; Graph has other patterns, which the sample data does not need. */
export interface WeeklyRecurrence {
  readonly interval: number;
  readonly daysOfWeek: readonly ("monday" | "tuesday" | "wednesday" | "thursday" | "friday" | "saturday" | "sunday")[];
  /** Last day, ISO date. */
  readonly until: string;
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
  readonly joinUrl?: string;
  readonly recurrence?: WeeklyRecurrence;
}

/** Everything in the calendars of a tenant. */
export interface Calendar {
  readonly meetings: readonly Meeting[];
  /** Mailboxes that nobody signs in to. */
  readonly rooms: readonly { readonly name: string; readonly address: string }[];
}
