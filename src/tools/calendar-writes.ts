import type { Attendee, AttendeeType, Event } from "@microsoft/microsoft-graph-types";
import * as z from "zod";
import { line, preview } from "../graph/confirm-text.ts";
import {
  chooseZone,
  type EventTime,
  IN_UTC,
  readTime,
  timeInWords,
  timeOf,
  timezone,
  toGraphTime,
} from "../graph/event-time.ts";
import type { Graph } from "../graph/graph.ts";
import { path } from "../graph/path.ts";
import { prefer } from "../graph/prefer.ts";
import { addressOf, mailAddresses, recipientsNotice } from "../graph/recipients.ts";
import { inWords, recurrence, toGraphRecurrence } from "../graph/recurrence.ts";
import { findTimeZone, type TimeZone, timeArgument, toLocal, UTC, windowsName } from "../graph/time-zone.ts";
import { sentLine, sentText } from "../mcp/sent-text.ts";
import { defineTool, ToolError } from "../mcp/tool.ts";
import { trusted } from "../safety/untrusted.ts";
import {
  ask,
  event_id,
  invalid,
  inWordsFor,
  notOrganizer,
  PERMISSIONS,
  readEvent,
  scopeOf,
} from "./calendar-change.ts";

/** Graph names no limit; this is the length of the identifiers in its own examples. */
const TRANSACTION_ID_LENGTH = 36;

const subject = sentLine(255);
const location = sentLine(255).optional();
const text = sentText(20_000).optional();
const saved = z.object({ id: trusted(), when: trusted(), link: trusted(), join_url: trusted().optional() });

const createInput = z.strictObject({
  subject,
  start: timeArgument.unwrap().describe("Time; a date: all day"),
  end: timeArgument.unwrap().describe("Time, or last day"),
  timezone,
  attendees: mailAddresses,
  optional_attendees: mailAddresses,
  location,
  text,
  online: z.boolean().optional().describe("Teams"),
  recurrence: recurrence.describe("Such as FREQ=WEEKLY;BYDAY=MO;UNTIL=20260630"),
});

const updateInput = z.strictObject({
  event_id,
  subject: subject.optional(),
  start: timeArgument.describe("Alone it moves the event"),
  end: timeArgument,
  timezone,
  location,
  text,
  add_attendees: mailAddresses,
  remove_attendees: mailAddresses,
});

const createEvent = defineTool({
  name: "create_event",
  title: "Create an event",
  description: "Create an event or series; attendees are invited.",
  effect: "write",
  idempotent: true,
  permissions: PERMISSIONS,
  input: createInput,
  output: saved,
  async confirm(input, { graph }) {
    const { time, zone, body } = await planCreation(input, graph);
    if (!body.attendees?.length) return undefined;
    return ask([
      `Send invitations to "${line(input.subject)}"?`,
      `When: ${await inWordsFor(time, graph, zone)}`,
      body.recurrence && `Repeats: ${inWords(body.recurrence)} (${zone.name})`,
      input.location && `Where: ${line(input.location)}`,
      input.online && "Online: Microsoft Teams",
      await recipientsNotice(graph, input.attendees ?? []),
      await recipientsNotice(graph, input.optional_attendees ?? [], "Optional"),
      preview(input.text ?? ""),
    ]);
  },
  async handler(input, { graph, callKey }) {
    const { body, zone } = await planCreation(input, graph);
    const event = await graph.post<Event>(path`/me/events`, {
      headers: prefer(IN_UTC),
      body: { ...body, transactionId: callKey.slice(0, TRANSACTION_ID_LENGTH) },
      repeatable: true,
    });
    return toSaved(event, zone);
  },
});

const updateEvent = defineTool({
  name: "update_event",
  title: "Change an event",
  description: "Change what is named, of one occurrence or, by series_id, of a series. Attendees are told.",
  effect: "destructive",
  idempotent: true,
  permissions: PERMISSIONS,
  input: updateInput,
  output: saved,
  async confirm(input, { graph }) {
    const { event, changes, added, removed, told } = await planUpdate(input, graph);
    if (told.length === 0) return undefined;
    return ask(
      [
        `Change "${line(event.subject ?? "")}"?`,
        scopeOf(event),
        ...changes,
        await recipientsNotice(graph, added, "Invite"),
        await recipientsNotice(graph, removed, "Uninvite"),
        await recipientsNotice(graph, told, "Told of it"),
      ],
      event,
    );
  },
  async handler(input, { graph, approvedVersion }) {
    const { event: current, told, body, zone } = await planUpdate(input, graph);
    if (told.length > 0 && (current.changeKey ?? undefined) !== approvedVersion) {
      throw new ToolError(
        "conflict",
        "The meeting was changed meanwhile, and nothing was done. Read it and try again.",
      );
    }
    const event = await graph.patch<Event>(path`/me/events/${input.event_id}`, {
      headers: prefer(IN_UTC),
      body,
      repeatable: false,
    });
    return toSaved(event, zone);
  },
});

async function planCreation(input: z.output<typeof createInput>, graph: Graph) {
  const zone = await writeZone(input.timezone, graph);
  const time = readTime(input, zone);
  const repeats =
    input.recurrence === undefined
      ? undefined
      : toGraphRecurrence(input.recurrence, firstDay(time, zone), windowsName(zone));
  const { attendees = [], optional_attendees = [], location, text, online } = input;
  const body: Event = {
    subject: input.subject,
    ...toGraphTime(time, zone, repeats !== undefined),
    attendees: [...attendees.map(toAttendee("required")), ...optional_attendees.map(toAttendee("optional"))],
    ...(repeats && { recurrence: repeats }),
    ...(location !== undefined && { location: { displayName: location } }),
    ...(text !== undefined && { body: { contentType: "text", content: text } }),
    ...(online && { isOnlineMeeting: true, onlineMeetingProvider: "teamsForBusiness" }),
  };
  return { body, time, zone };
}

async function planUpdate(input: z.output<typeof updateInput>, graph: Graph) {
  const event = await readEvent(input.event_id, graph);
  if (!event.isOrganizer) throw notOrganizer("change");
  if (input.text !== undefined && event.isOnlineMeeting) {
    // Microsoft Graph, "Update event": without the block of the meeting in its text it is no online meeting any more.
    throw invalid("The text of an online meeting holds the way to join it. Let the person change it in Outlook.");
  }
  const moved = input.start === undefined && input.end === undefined ? undefined : await move(input, event, graph);
  const { attendees, added, removed } = changeAttendees(input, event.attendees ?? []);
  const details: Event = {
    ...(input.subject !== undefined && { subject: input.subject }),
    ...moved?.body,
    ...(input.location !== undefined && { location: { displayName: input.location } }),
    ...(input.text !== undefined && { body: { contentType: "text", content: input.text } }),
  };
  const invited = added.length + removed.length > 0;
  const detailed = Object.keys(details).length > 0;
  if (!detailed && !invited) throw invalid("There is nothing to change: name a field with a new value.");
  const before = await inWordsFor(timeOf(event), graph, moved?.zone);
  return {
    event,
    body: { ...details, ...(invited && { attendees }) },
    zone: moved?.zone ?? (await chooseZone(input.timezone, graph)) ?? UTC,
    changes: [
      input.subject !== undefined && `Subject: ${line(event.subject ?? "")} -> ${line(input.subject)}`,
      `When: ${before}${moved ? ` -> ${await inWordsFor(moved.time, graph, moved.zone)}` : ""}`,
      input.location !== undefined &&
        `Where: ${line(event.location?.displayName ?? "") || "nowhere"} -> ${line(input.location) || "nowhere"}`,
      input.text !== undefined && `New ${preview(input.text)}`,
    ],
    added,
    removed,
    // Microsoft Graph, "Update event": when nothing else changes, only those who were added or removed are told.
    told: [...(detailed ? (event.attendees ?? []).map(addressOf) : removed), ...added],
  };
}

/** The new time, on the clocks of the event's own zone: a series made in Berlin stays one of Berlin. */
async function move(input: z.output<typeof updateInput>, event: Event, graph: Graph) {
  const zone = await writeZone(input.timezone, graph);
  const own = findTimeZone(event.originalStartTimeZone) ?? zone;
  const time = readTime(input, zone, timeOf(event));
  const repeats = event.type === "seriesMaster";
  const first = event.recurrence?.range?.startDate ?? "";
  if (repeats && firstDay(time, own) !== first) {
    throw invalid(`Of a series only the time of day can be changed. Give times on its first day, ${first}.`);
  }
  return { time, zone, body: toGraphTime(time, own, repeats) };
}

function changeAttendees(
  { add_attendees = [], remove_attendees = [] }: z.output<typeof updateInput>,
  current: readonly Attendee[],
) {
  const asked = new Set(remove_attendees.map((address) => address.toLowerCase()));
  const known = new Set(current.map((attendee) => addressOf(attendee).toLowerCase()));
  const leaves = (attendee: Attendee) => asked.has(addressOf(attendee).toLowerCase());
  const added = add_attendees.filter((address) => !known.has(address.toLowerCase()));
  const staying = current
    .filter((attendee) => !leaves(attendee))
    .map(({ type, emailAddress }) => ({ type, emailAddress }));
  return {
    attendees: [...staying, ...added.map(toAttendee("required"))],
    added,
    removed: current.filter(leaves).map(addressOf),
  };
}

/** Throws where the mailbox's zone has no name: at the wrong hour a meeting is worse than none. */
async function writeZone(named: string | undefined, graph: Graph): Promise<TimeZone> {
  const zone = await chooseZone(named, graph);
  if (zone) return zone;
  throw invalid("The time zone of this mailbox has no name. Ask the person for theirs, and pass it as timezone.");
}

const firstDay = ({ start, allDay }: EventTime, zone: TimeZone) => toLocal(start, allDay ? UTC : zone).slice(0, 10);

const toAttendee =
  (type: AttendeeType) =>
  (address: string): Attendee => ({ type, emailAddress: { address } });

function toSaved(event: Event, zone: TimeZone): z.input<typeof saved> {
  return {
    id: event.id ?? "",
    when: timeInWords(timeOf(event), [zone]),
    link: event.webLink ?? "",
    join_url: event.onlineMeeting?.joinUrl ?? undefined,
  };
}

export default [createEvent, updateEvent];
