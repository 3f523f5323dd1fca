import { randomUUID } from "node:crypto";
import { DateTime } from "luxon";
import type { Invitee, Meeting, MeetingResponse, Recurrence, ShowAs, Weekday } from "../../calendar.ts";
import type { Answer } from "../answer.ts";
import { type CalendarItem, calendarItems, calendarOf, changeItem, ianaOf } from "../calendar.ts";
import { badRequest, GraphFailure } from "../failure.ts";
import { itemNotFound, mailboxOf } from "../mailbox.ts";
import type { Row } from "../odata/schema.ts";
import { type Call, defineRoute, type Route } from "../route.ts";
import { eventAnswer, namedItem, ownItems } from "./calendar.ts";
import { EVENT } from "./event-entity.ts";
import { limited } from "./mail.ts";
import { argumentsOf, selfOf } from "./mail-change.ts";

const WRITE = ["Calendars.ReadWrite", "Calendars.ReadWrite.Shared"];

const refused = (why: string, code = "ErrorInvalidRequest") =>
  new GraphFailure(400, code, `Your request can't be completed. ${why}`);
const notValid = () =>
  new GraphFailure(400, "ErrorPropertyValidationFailure", "At least one property failed validation.");

const record = (value: unknown): Row => (typeof value === "object" && value !== null ? (value as Row) : {});

/** A local time in the zone that it is given in. */
function readTime(value: unknown): { readonly zone: string; readonly time: DateTime<true> } {
  const { dateTime, timeZone } = record(value);
  if (typeof dateTime !== "string" || typeof timeZone !== "string") throw notValid();
  const time = DateTime.fromISO(dateTime, { zone: ianaOf(timeZone) });
  if (!time.isValid || /[Z+]|-\d\d:\d\d$/.test(dateTime.slice(10))) throw notValid();
  return { zone: timeZone, time };
}

type Times = Pick<Meeting, "start" | "end" | "timeZone" | "isAllDay">;

const wall = (time: DateTime) => time.toFormat("yyyy-MM-dd'T'HH:mm:ss");

/** When a meeting is, after what the body says; on the clocks of `zone`, or else of the start. */
function readTimes(body: Row, before?: Times, zone?: string): Times {
  const current = (side: "start" | "end") => before && { dateTime: before[side], timeZone: before.timeZone };
  const [start, end] = [readTime(body["start"] ?? current("start")), readTime(body["end"] ?? current("end"))];
  const isAllDay = Boolean(body["isAllDay"] ?? before?.isAllDay ?? false);
  if (end.time < start.time) throw notValid();
  const midnights = [start, end].every(({ time }) => time.toFormat("HH:mm") === "00:00");
  if (isAllDay && (!midnights || +start.time === +end.time)) {
    throw refused("The duration of an event marked as All day must be at least 24 hours.");
  }
  const timeZone = zone ?? start.zone;
  const [from, to] = [start, end].map(({ time }) => wall(isAllDay ? time : time.setZone(ianaOf(timeZone)))) as [
    string,
    string,
  ];
  return { start: from, end: to, timeZone, isAllDay };
}

/** Who is invited; who was so before has answered as before. */
function readAttendees(value: unknown, { tenant }: Call, before: readonly Invitee[]): Invitee[] {
  if (!Array.isArray(value)) throw badRequest("A collection of attendees was expected.");
  return value.map((item: unknown) => {
    const { type = "required", emailAddress } = record(item);
    const { address, name } = record(emailAddress);
    if (typeof address !== "string" || !address.includes("@")) throw refused("An attendee has no valid address.");
    const isThis = (other: string | null) => other?.toLowerCase() === address.toLowerCase();
    const known = before.find((invitee) => isThis(invitee.address));
    const user = tenant.users.find(({ mail }) => isThis(mail));
    return {
      name: known?.name ?? user?.displayName ?? (typeof name === "string" ? name : address),
      address: known?.address ?? user?.mail ?? address,
      type: type as Invitee["type"],
      response: known?.response ?? "notResponded",
    };
  });
}

const text = (value: unknown): string => (typeof value === "string" ? value : "");

const escapeHtml = (plain: string) => plain.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** Exchange keeps HTML, whatever it is given. */
function readBody(value: unknown): string {
  const { contentType, content } = record(value);
  if (text(contentType).toLowerCase() === "html") return text(content);
  return `<html><body>${escapeHtml(text(content)).replace(/\r?\n/g, "<br>")}</body></html>`;
}

function readRecurrence(value: unknown, start: string): Recurrence | undefined {
  if (value === undefined || value === null) return undefined;
  const { pattern, range } = record(value);
  const { type, interval, daysOfWeek, firstDayOfWeek, index } = record(pattern);
  const { type: end, startDate, endDate, numberOfOccurrences } = record(range);
  if (startDate !== start.slice(0, 10) || !Number.isInteger(interval)) throw notValid();
  return {
    type: type as Recurrence["type"],
    interval: Number(interval),
    ...(Array.isArray(daysOfWeek) && { daysOfWeek: daysOfWeek as readonly Weekday[] }),
    ...(firstDayOfWeek !== undefined && { firstDayOfWeek: firstDayOfWeek as Weekday }),
    ...(type === "relativeMonthly" && { index: index as NonNullable<Recurrence["index"]> }),
    ...(end === "endDate" && { until: text(endDate) }),
    ...(end === "numbered" && { count: Number(numberOfOccurrences) }),
    changes: {},
  };
}

type Details = Pick<Meeting, "subject" | "location" | "body" | "showAs" | "isPrivate" | "attendees"> &
  Partial<Pick<Meeting, "responseRequested" | "joinUrl">>;

/** What the body says about a meeting besides its time. */
function readDetails(body: Row, call: Call, before: Meeting | undefined): Partial<Details> {
  const unknown = Object.keys(body).find((name) => !EVENT.properties.has(name) && name !== "transactionId");
  if (unknown !== undefined) throw badRequest(`The property '${unknown}' does not exist on type '${EVENT.type}'.`);
  const content = body["body"] === undefined ? undefined : readBody(body["body"]);
  return {
    ...(body["subject"] !== undefined && { subject: text(body["subject"]) }),
    ...(body["location"] !== undefined && { location: text(record(body["location"])["displayName"]) }),
    ...(content !== undefined && { body: content }),
    ...(body["showAs"] !== undefined && { showAs: body["showAs"] as ShowAs }),
    ...(body["sensitivity"] !== undefined && { isPrivate: body["sensitivity"] === "private" }),
    ...(body["responseRequested"] !== undefined && { responseRequested: Boolean(body["responseRequested"]) }),
    ...(body["attendees"] !== undefined && {
      attendees: readAttendees(body["attendees"], call, before?.attendees ?? []),
    }),
  };
}

/** A meeting by its key, as the signed-in user has it. */
function itemOf(
  call: Call,
  { meeting, date }: Pick<CalendarItem, "date"> & { readonly meeting: Pick<Meeting, "key"> },
) {
  const item = ownItems(call).find((candidate) => candidate.meeting.key === meeting.key && candidate.date === date);
  if (item) return item;
  throw itemNotFound();
}

function create(call: Call): Answer {
  mailboxOf(call);
  const body = argumentsOf(call);
  const { meetings } = calendarOf(call);
  const organizer = selfOf(call);
  const { transactionId } = body;
  const request = JSON.stringify(body);
  const earlier = meetings.find(
    (meeting) =>
      transactionId !== undefined &&
      meeting.organizer.address === organizer.address &&
      meeting.creation?.transactionId === transactionId,
  );
  if (earlier && earlier.creation?.content !== request) {
    throw new GraphFailure(
      409,
      "ErrorDuplicateTransactionId",
      "Your request can't be completed. The TransactionId specified in the request has already been used to create a different event.",
    );
  }
  if (earlier) return eventAnswer(call, itemOf(call, { meeting: earlier }), 201);
  const key = randomUUID();
  const times = readTimes(body);
  const recurrence = readRecurrence(body["recurrence"], times.start);
  const joinUrl = `https://teams.example/l/meetup-join/19%3ameeting_${key}`;
  const { body: content = "", ...details } = readDetails(body, call, undefined);
  const online = body["isOnlineMeeting"] === true;
  meetings.push({
    key,
    organizer,
    subject: "",
    attendees: [],
    location: "",
    showAs: times.isAllDay ? "free" : "busy",
    isPrivate: false,
    ...times,
    ...details,
    // The block of an online meeting is part of its text: what a change leaves out of it is gone.
    body: online ? `${content}<p>Join: ${joinUrl}</p>` : content,
    ...(online && { joinUrl }),
    ...(recurrence && { recurrence }),
    ...(typeof transactionId === "string" && { creation: { transactionId, content: request } }),
  });
  return eventAnswer(call, itemOf(call, { meeting: { key } }), 201);
}

/** Exchange keeps the occurrences of a series in their order, no two on one day. */
function checkOrder(call: Call, { meeting, date }: CalendarItem, { start }: Times): void {
  const days = calendarItems(calendarOf(call), meeting.organizer.address)
    .filter((other) => other.meeting.key === meeting.key && other.date !== undefined && other.date !== date)
    .map((other) => ({ isBefore: (other.date ?? "") < (date ?? ""), day: other.meeting.start.slice(0, 10) }));
  const day = start.slice(0, 10);
  if (days.every((other) => (other.isBefore ? other.day < day : other.day > day))) return;
  throw new GraphFailure(
    400,
    "ErrorOccurrenceCrossingBoundary",
    "Modified occurrence is crossing or overlapping adjacent occurrence.",
  );
}

function update(call: Call<"id">): Answer {
  const item = namedItem(call);
  const body = argumentsOf(call);
  const { meeting, type, date } = item;
  // Attendees have copies of their own in Exchange; here everybody looks at the organizer's.
  if (!item.isOrganizer) throw refused("The emulator keeps no copies for attendees to change.");
  const { transactionId } = body;
  if (transactionId !== undefined) throw refused("The property transactionId cannot be changed.");
  const moves = ["start", "end", "isAllDay"].some((name) => body[name] !== undefined);
  const times = moves ? readTimes(body, meeting, date === undefined ? undefined : meeting.timeZone) : undefined;
  if (times && date !== undefined) checkOrder(call, item, times);
  if (times && type === "seriesMaster" && times.start.slice(0, 10) !== meeting.start.slice(0, 10)) throw notValid();
  const details = readDetails(body, call, meeting);
  const { timeZone, ...inZone } = times ?? {};
  const offline = meeting.joinUrl !== undefined && details.body?.includes(meeting.joinUrl) === false;
  changeItem(calendarOf(call), item, {
    ...details,
    ...inZone,
    ...(date === undefined && timeZone !== undefined && { timeZone }),
    ...(offline && { joinUrl: undefined }),
  });
  return eventAnswer(call, itemOf(call, item));
}

function respond(call: Call<"id">, response: MeetingResponse): Answer {
  const item = namedItem(call);
  const { sendResponse = true } = argumentsOf(call);
  const { meeting } = item;
  if (item.isOrganizer) throw refused("You can't respond to this meeting because you're the meeting organizer.");
  if (item.isCancelled && response !== "declined") {
    throw refused("The meeting was cancelled.", "ErrorCalendarIsCancelledForAccept");
  }
  if (sendResponse === true && meeting.responseRequested === false) {
    throw refused("The meeting organizer hasn't requested a response.");
  }
  const { address } = selfOf(call);
  const index = meeting.attendees.findIndex((invitee) => invitee.address === address);
  const attendees = meeting.attendees.slice();
  const own = attendees[index];
  if (own) attendees[index] = { ...own, response };
  changeItem(calendarOf(call), item, { attendees });
  return { status: 202 };
}

function cancel(call: Call<"id">): Answer {
  const item = namedItem(call);
  if (!item.isOrganizer) throw refused("You need to be an organizer to cancel a meeting.");
  changeItem(calendarOf(call), item, "cancelled");
  return { status: 202 };
}

const write = { service: "exchange", permissions: WRITE, options: [] } as const;

/** Changes in the calendar of the signed-in user. */
export const calendarWriteRoutes: readonly Route[] = [
  defineRoute({ ...write, method: "POST", path: "/me/events", handle: (call) => limited(call, () => create(call)) }),
  defineRoute({
    ...write,
    method: "PATCH",
    path: "/me/events/{id}",
    handle: (call) => limited(call, () => update(call)),
  }),
  defineRoute({
    ...write,
    method: "POST",
    path: "/me/events/{id}/accept",
    handle: (call) => limited(call, () => respond(call, "accepted")),
  }),
  defineRoute({
    ...write,
    method: "POST",
    path: "/me/events/{id}/tentativelyAccept",
    handle: (call) => limited(call, () => respond(call, "tentativelyAccepted")),
  }),
  defineRoute({
    ...write,
    method: "POST",
    path: "/me/events/{id}/decline",
    handle: (call) => limited(call, () => respond(call, "declined")),
  }),
  defineRoute({
    ...write,
    method: "POST",
    path: "/me/events/{id}/cancel",
    handle: (call) => limited(call, () => cancel(call)),
  }),
];
