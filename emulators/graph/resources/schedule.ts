import { DateTime, Duration } from "luxon";
import type { ShowAs } from "../../calendar.ts";
import type { User } from "../../directory.ts";
import type { Answer } from "../answer.ts";
import { type CalendarItem, calendarItems, calendarOf, ianaOf, ianaOfWindows, itemsWithin } from "../calendar.ts";
import { GraphFailure } from "../failure.ts";
import { mailboxOf } from "../mailbox.ts";
import { type Call, defineRoute, type Route } from "../route.ts";
import { appliedPreferences, zonePreference } from "./calendar.ts";
import { type EventPreferences, toGraphTime } from "./event-entity.ts";
import { limited } from "./mail.ts";
import { me } from "./users.ts";

const MAX_SCHEDULES = 20;
const SUGGESTION_STEP = { minutes: 30 };

/** From what hardly counts to what counts most when events overlap. */
const WEIGHT: readonly ShowAs[] = ["free", "workingElsewhere", "tentative", "busy", "oof"];
const DIGITS: Readonly<Record<ShowAs, string>> = {
  free: "0",
  tentative: "1",
  busy: "2",
  oof: "3",
  workingElsewhere: "4",
};

type Body = Readonly<Record<string, unknown>>;

interface Window {
  readonly from: DateTime;
  readonly to: DateTime;
}

const invalid = (message: string) => new GraphFailure(400, "ErrorInvalidParameter", message);

const isRecord = (value: unknown): value is Body => typeof value === "object" && value !== null;

const record = (value: unknown): Body => (isRecord(value) ? value : {});

const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : [];

function readTime(value: unknown, zoneOf: (name: string) => string): DateTime {
  const { dateTime, timeZone } = record(value);
  const zone = zoneOf(String(timeZone));
  const time = DateTime.fromISO(String(dateTime), { zone });
  if (time.isValid) return time;
  throw invalid("A start or end time is not valid.");
}

function readWindow(start: unknown, end: unknown, zoneOf: (name: string) => string): Window {
  const [from, to] = [readTime(start, zoneOf), readTime(end, zoneOf)];
  if (from < to) return { from, to };
  throw invalid("The end time has to be later than the start time.");
}

const heaviest = (items: readonly CalendarItem[]): ShowAs =>
  items.reduce<ShowAs>((most, { showAs }) => (WEIGHT.indexOf(showAs) > WEIGHT.indexOf(most) ? showAs : most), "free");

function availabilityView(items: readonly CalendarItem[], { from, to }: Window, minutes: number): string {
  const count = Math.ceil(to.diff(from, "minutes").minutes / minutes);
  return Array.from({ length: count }, (_, index) => {
    const start = from.plus({ minutes: index * minutes });
    return DIGITS[heaviest(itemsWithin(items, start, start.plus({ minutes })))];
  }).join("");
}

function scheduleItem(item: CalendarItem, zone: EventPreferences["zone"]) {
  const { meeting, showAs, type, start, end } = item;
  return {
    isPrivate: meeting.isPrivate,
    status: showAs,
    ...(!meeting.isPrivate && { subject: meeting.subject, location: meeting.location }),
    isMeeting: meeting.attendees.length > 0,
    isRecurring: type !== "singleInstance",
    isException: type === "exception",
    isReminderSet: true,
    // Unlike an event, a schedule tells when an all-day event really begins.
    start: toGraphTime(start, zone),
    end: toGraphTime(end, zone),
  };
}

const ownerOf = ({ tenant }: Call, address: string): User | undefined =>
  tenant.users.find(({ mail, userPrincipalName }) =>
    [mail, userPrincipalName].some((name) => name?.toLowerCase() === address.toLowerCase()),
  );

function schedule(call: Call, address: string, window: Window, minutes: number) {
  const calendar = calendarOf(call);
  const user = ownerOf(call, address);
  const room = calendar.rooms.find((candidate) => candidate.address.toLowerCase() === address.toLowerCase());
  if (!user?.mailbox && !room) {
    const error = {
      message: `Unable to resolve e-mail address ${address} to an Active Directory object.`,
      responseCode: "ErrorMailRecipientNotFound",
    };
    return { scheduleId: address, availabilityView: "", scheduleItems: [], error };
  }
  const items = itemsWithin(calendarItems(calendar, user?.mail ?? address), window.from, window.to);
  const zone = zonePreference(call.headers);
  return {
    scheduleId: address,
    availabilityView: availabilityView(items, window, minutes),
    scheduleItems: items.map((item) => scheduleItem(item, zone)),
    ...(user?.mailbox && { workingHours: user.mailbox.workingHours }),
  };
}

function getSchedule(call: Call): Answer {
  mailboxOf(call);
  const { schedules, startTime, endTime, availabilityViewInterval = 30 } = record(call.body);
  const addresses = texts(schedules);
  if (addresses.length === 0 || addresses.length > MAX_SCHEDULES)
    throw invalid("The number of schedules is not valid.");
  const window = readWindow(startTime, endTime, ianaOf);
  const minutes = Number(availabilityViewInterval);
  if (!Number.isInteger(minutes) || minutes < 5 || minutes > 1440) {
    throw invalid("The availability view interval has to be between 5 and 1440 minutes.");
  }
  return {
    status: 200,
    headers: appliedPreferences(call.headers),
    body: {
      "@odata.context": `${call.origin}/v1.0/$metadata#Collection(microsoft.graph.scheduleInformation)`,
      value: addresses.map((address) => schedule(call, address, window, minutes)),
    },
  };
}

/** Whether a time is inside somebody's working hours; a zone without a name counts as UTC. */
function isWorkingTime({ mailbox }: User, start: DateTime, end: DateTime): boolean {
  if (!mailbox) return true;
  const { timeZone, workingHours } = mailbox;
  const zone = timeZone === "Customized Time Zone" ? "UTC" : ianaOf(timeZone);
  const [from, to] = [start.setZone(zone), end.setZone(zone)];
  const clock = (time: DateTime) => time.toFormat("HH:mm:ss");
  return (
    from.hasSame(to, "day") &&
    workingHours.daysOfWeek.includes(from.setLocale("en").toFormat("cccc").toLowerCase()) &&
    clock(from) >= workingHours.startTime.slice(0, 8) &&
    clock(to) <= workingHours.endTime.slice(0, 8)
  );
}

/** Times at which nobody has anything else to do. */
function* freeTimes(call: Call, addresses: readonly string[], windows: readonly Window[], duration: Duration) {
  const calendar = calendarOf(call);
  const items = addresses.flatMap((address) => calendarItems(calendar, address));
  for (const { from, to } of windows) {
    for (let start = from; start.plus(duration) <= to; start = start.plus(SUGGESTION_STEP)) {
      const end = start.plus(duration);
      const free = heaviest(itemsWithin(items, start, end)) === "free";
      if (free && isWorkingTime(me(call), start, end)) yield { from: start, to: end };
    }
  }
}

/** The operation that takes no IANA names, in its header as in its body. */
function findMeetingTimes(call: Call): Answer {
  mailboxOf(call);
  const zone = zonePreference(call.headers);
  ianaOfWindows(zone.name);
  const { attendees, timeConstraint, meetingDuration, maxCandidates = 20 } = record(call.body);
  const slots = record(timeConstraint)["timeSlots"];
  const windows = (Array.isArray(slots) ? slots : []).map((slot: unknown) =>
    readWindow(record(slot)["start"], record(slot)["end"], ianaOfWindows),
  );
  const duration = Duration.fromISO(typeof meetingDuration === "string" ? meetingDuration : "PT30M");
  if (!duration.isValid) throw invalid("The meeting duration is not valid.");
  const others = (Array.isArray(attendees) ? attendees : []).map((attendee: unknown) =>
    String(record(record(attendee)["emailAddress"])["address"]),
  );
  const found = [...freeTimes(call, [me(call).mail ?? "", ...others], windows, duration)].slice(
    0,
    Number(maxCandidates),
  );
  return {
    status: 200,
    headers: appliedPreferences(call.headers),
    body: {
      "@odata.context": `${call.origin}/v1.0/$metadata#microsoft.graph.meetingTimeSuggestionsResult`,
      emptySuggestionsReason: found.length === 0 ? "AttendeesUnavailable" : "",
      meetingTimeSuggestions: found.map(({ from, to }) => ({
        confidence: 100,
        organizerAvailability: "free",
        meetingTimeSlot: { start: toGraphTime(from, zone), end: toGraphTime(to, zone) },
        attendeeAvailability: others.map((address) => ({
          availability: "free",
          attendee: { emailAddress: { address } },
        })),
        locations: [],
      })),
    },
  };
}

const post = { method: "POST", service: "exchange", options: [] } as const;

/** Free and busy times of people and rooms. */
export const scheduleRoutes: readonly Route[] = [
  defineRoute({
    ...post,
    path: "/me/calendar/getSchedule",
    permissions: ["Calendars.Read", "Calendars.ReadWrite", "Calendars.Read.Shared", "Calendars.ReadWrite.Shared"],
    handle: (call) => limited(call, () => getSchedule(call)),
  }),
  defineRoute({
    ...post,
    path: "/me/findMeetingTimes",
    permissions: ["Calendars.Read.Shared", "Calendars.ReadWrite.Shared"],
    handle: (call) => limited(call, () => findMeetingTimes(call)),
  }),
];
