import type { DateTime } from "luxon";
import { exchangeId } from "../../mailbox.ts";
import type { CalendarItem } from "../calendar.ts";
import type { Row, Schema } from "../odata/schema.ts";

/** How a caller wants events. */
export interface EventPreferences {
  readonly text: boolean;
  readonly immutableIds: boolean;
  readonly zone: { readonly name: string; readonly iana: string };
}

/** What can be selected of an event; sorted is by the paths that a row has besides. */
export const EVENT_PROPERTIES = [
  "id",
  "createdDateTime",
  "lastModifiedDateTime",
  "changeKey",
  "subject",
  "bodyPreview",
  "body",
  "importance",
  "sensitivity",
  "originalStartTimeZone",
  "originalEndTimeZone",
  "isAllDay",
  "isCancelled",
  "isOrganizer",
  "isOnlineMeeting",
  "onlineMeetingProvider",
  "onlineMeeting",
  "responseRequested",
  "responseStatus",
  "showAs",
  "type",
  "seriesMasterId",
  "webLink",
  "start",
  "end",
  "location",
  "recurrence",
  "attendees",
  "organizer",
];

/** Properties that a calendar view cannot select. */
export const NOT_IN_VIEW = ["createdDateTime", "lastModifiedDateTime"];

/** The schema of an event. */
export const EVENT: Schema = {
  type: "microsoft.graph.event",
  properties: new Set([...EVENT_PROPERTIES, "transactionId", "start/dateTime", "end/dateTime"]),
};

const NEVER = "0001-01-01T00:00:00Z";

/** An instant or, on an all-day event, a date as Graph writes it. */
export const toGraphTime = (time: DateTime, { name, iana }: EventPreferences["zone"], isAllDay = false) => ({
  dateTime: `${(isAllDay ? time : time.setZone(iana)).toFormat("yyyy-MM-dd'T'HH:mm:ss")}.0000000`,
  timeZone: name,
});

/** The text of a small page of HTML, as far as the sample data goes. */
function toText(html: string): string {
  return html
    .replaceAll(/<style>.*?<\/style>/gs, "")
    .replaceAll(/<\/p>|<br>/g, "\r\n")
    .replaceAll(/<[^>]*>/g, "")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&")
    .trim();
}

const toAddress = ({ name, address }: { readonly name: string; readonly address: string }) => ({
  emailAddress: { name, address },
});

function toRecurrence({ recurrence, start, timeZone }: CalendarItem["meeting"]) {
  if (!recurrence) return null;
  const { type, interval, daysOfWeek, firstDayOfWeek = "sunday", index = "first", until, count = 0 } = recurrence;
  return {
    pattern: {
      type,
      interval,
      month: 0,
      dayOfMonth: type === "absoluteMonthly" ? Number(start.slice(8, 10)) : 0,
      ...(daysOfWeek && { daysOfWeek }),
      firstDayOfWeek,
      index,
    },
    range: {
      type: until === undefined ? (count > 0 ? "numbered" : "noEnd") : "endDate",
      startDate: start.slice(0, 10),
      endDate: until ?? "0001-01-01",
      recurrenceTimeZone: timeZone,
      numberOfOccurrences: count,
    },
  };
}

/** An event as Graph returns it, with the instants that it is sorted by. */
export function eventRow(item: CalendarItem, { text, immutableIds, zone }: EventPreferences): Row {
  const { meeting, type, start, end, ids, seriesIds, response } = item;
  const kind = immutableIds ? "immutable" : "mutable";
  const changeKey = exchangeId("", `${meeting.key} ${meeting.version ?? 0}`).slice(0, 24);
  const created = start.minus({ weeks: 6 }).toUTC().toISO();
  return {
    id: ids[kind],
    createdDateTime: created,
    lastModifiedDateTime: created,
    "@odata.etag": `W/"${changeKey}"`,
    changeKey,
    subject: meeting.subject,
    bodyPreview: toText(meeting.body).slice(0, 255),
    body: text
      ? { contentType: "text", content: toText(meeting.body) }
      : { contentType: "html", content: meeting.body },
    importance: "normal",
    sensitivity: meeting.isPrivate ? "private" : "normal",
    originalStartTimeZone: meeting.timeZone,
    originalEndTimeZone: meeting.timeZone,
    isAllDay: meeting.isAllDay,
    isCancelled: item.isCancelled,
    isOrganizer: item.isOrganizer,
    isOnlineMeeting: meeting.joinUrl !== undefined,
    onlineMeetingProvider: meeting.joinUrl === undefined ? "unknown" : "teamsForBusiness",
    onlineMeeting: meeting.joinUrl === undefined ? null : { joinUrl: meeting.joinUrl },
    responseRequested: meeting.responseRequested ?? true,
    responseStatus: { response, time: NEVER },
    showAs: item.showAs,
    type,
    seriesMasterId: seriesIds?.[kind] ?? null,
    webLink: `https://outlook.office365.com/owa/?itemid=${encodeURIComponent(ids[kind])}&exvsurl=1&path=/calendar/item`,
    start: toGraphTime(start, zone, meeting.isAllDay),
    end: toGraphTime(end, zone, meeting.isAllDay),
    location: { displayName: meeting.location, locationType: "default" },
    recurrence: type === "seriesMaster" ? toRecurrence(meeting) : null,
    attendees: meeting.attendees.map((attendee) => ({
      type: attendee.type,
      status: { response: attendee.response, time: NEVER },
      ...toAddress(attendee),
    })),
    organizer: toAddress(meeting.organizer),
    transactionId: meeting.creation?.transactionId ?? null,
    "start/dateTime": start.toUTC().toISO(),
    "end/dateTime": end.toUTC().toISO(),
  };
}
