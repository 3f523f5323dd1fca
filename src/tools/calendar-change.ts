import type { Event } from "@microsoft/microsoft-graph-types";
import * as z from "zod";
import { chooseZone, type EventTime, IN_UTC, timeInWords } from "../graph/event-time.ts";
import type { Graph } from "../graph/graph.ts";
import { path } from "../graph/path.ts";
import { prefer } from "../graph/prefer.ts";
import { inWords } from "../graph/recurrence.ts";
import { type TimeZone, UTC } from "../graph/time-zone.ts";
import { type Confirmation, ToolError } from "../mcp/tool.ts";

// What the tools that change events share.

/** Permissions of every change. */
export const PERMISSIONS = ["Calendars.ReadWrite", "MailboxSettings.Read", "User.Read"];
const EVENT =
  "id,subject,start,end,isAllDay,location,attendees,organizer,isOrganizer,isOnlineMeeting,onlineMeeting,recurrence,type," +
  "originalStartTimeZone,responseRequested,changeKey,webLink";

/** Names an event. */
export const event_id = z.string().max(1024);

/** Reads what a change needs to know of an event, times in UTC. */
export const readEvent = (id: string, graph: Graph): Promise<Event> =>
  graph.get<Event>(path`/me/events/${id}`, { query: { $select: EVENT }, headers: prefer(IN_UTC) });

/** A time for the person who approves it: in the zone of their mailbox, and in another one that was named. */
export async function inWordsFor(time: EventTime, graph: Graph, named?: TimeZone): Promise<string> {
  const zones = [await chooseZone(undefined, graph), named].filter((zone) => zone !== undefined);
  return timeInWords(time, zones.length > 0 ? zones : [UTC]);
}

/** What of a series a change is about; undefined of an event that is alone. */
export function scopeOf({ type, recurrence }: Event): string | undefined {
  if (type === "seriesMaster") return `The whole series: ${recurrence ? inWords(recurrence) : "all of it"}.`;
  return type === "occurrence" || type === "exception" ? "Only this one of its series." : undefined;
}

/** Asks the person, about the event as it is now. */
export const ask = (lines: readonly (string | false | undefined | null)[], event?: Event): Confirmation => ({
  message: lines.filter(Boolean).join("\n"),
  version: event?.changeKey ?? undefined,
});

/** Refuses arguments that do not fit the event. */
export const invalid = (message: string) => new ToolError("invalid_arguments", message);

/** Refuses what only the organizer may do. */
export const notOrganizer = (action: string) =>
  invalid(`Only its organizer can ${action} this meeting, and the user is not. Use respond_to_event.`);
