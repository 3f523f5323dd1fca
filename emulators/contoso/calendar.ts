import { DateTime } from "luxon";
import type { Calendar, Invitee, Meeting, MeetingResponse } from "../calendar.ts";
import { users } from "./users.ts";

const ADAMS = { name: "Conf Room Adams", address: "adams@contoso.com" };
const WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday"] as const;
const PACIFIC = "Pacific Standard Time";
const W_EUROPE = "W. Europe Standard Time";

function person(alias: string): { name: string; address: string } {
  const user = users.find(({ userPrincipalName }) => userPrincipalName.split(/[@_]/)[0] === alias);
  if (!user?.mail) throw new Error(`No sample user has the alias ${alias}.`);
  return { name: user.displayName, address: user.mail };
}

const invite = (alias: string, response: MeetingResponse = "accepted"): Invitee => ({
  ...person(alias),
  type: "required",
  response,
});

/** An event with everything that is usual about events. */
const meeting = (
  facts: Pick<Meeting, "key" | "subject" | "organizer" | "start" | "end"> & Partial<Meeting>,
): Meeting => ({
  attendees: [],
  timeZone: PACIFIC,
  isAllDay: false,
  location: "",
  showAs: "busy",
  isPrivate: false,
  body: "",
  ...facts,
});

/** The calendars of Contoso around a day, which keep what is changed in them: one for each week. */
export function createCalendars(): (today: Date) => Calendar {
  const weeks = new Map<number, Calendar>();
  return (today) => {
    const monday = DateTime.fromJSDate(today, { zone: "utc" }).startOf("week");
    const calendar = weeks.get(monday.toMillis()) ?? createCalendar(monday);
    weeks.set(monday.toMillis(), calendar);
    return calendar;
  };
}

/** Mostly one week, with series that began before and go on. */
function createCalendar(monday: DateTime): Calendar {
  const day = (offset: number): string => monday.plus({ days: offset }).toISODate() ?? "";
  return {
    rooms: [ADAMS],
    meetings: [
      meeting({
        key: "store-review",
        subject: "Store review",
        organizer: person("AdeleV"),
        attendees: [
          invite("AlexW"),
          invite("MeganB", "tentativelyAccepted"),
          { ...invite("sam", "notResponded"), type: "optional" },
          { ...ADAMS, type: "resource", response: "accepted" },
        ],
        start: `${day(1)}T10:00`,
        end: `${day(1)}T11:00`,
        location: ADAMS.name,
        body:
          "<html><head><style>p {margin: 0}</style></head><body><p>Bring the figures of the <b>last quarter</b> &amp; your plans.</p>" +
          "<p>Dial in: passcode 4711</p></body></html>",
        joinUrl: "https://teams.example/l/meetup-join/19%3ameeting_store-review",
      }),
      meeting({
        key: "inventory",
        subject: "Inventory day",
        organizer: person("AdeleV"),
        start: `${day(2)}T00:00`,
        end: `${day(3)}T00:00`,
        isAllDay: true,
        showAs: "free",
      }),
      meeting({
        key: "trade-fair",
        subject: "Trade fair",
        organizer: person("AdeleV"),
        start: `${day(3)}T00:00`,
        end: `${day(5)}T00:00`,
        isAllDay: true,
        location: "Seattle",
        showAs: "oof",
      }),
      meeting({
        key: "dentist",
        subject: "Dentist",
        organizer: person("AdeleV"),
        start: `${day(0)}T15:00`,
        end: `${day(0)}T16:00`,
        isPrivate: true,
      }),
      meeting({
        key: "stand-up",
        subject: "Retail stand-up",
        organizer: person("AdeleV"),
        attendees: [invite("LynneR"), invite("ChristieC", "declined")],
        start: `${day(-28)}T09:00`,
        end: `${day(-28)}T09:15`,
        recurrence: { type: "weekly", interval: 1, daysOfWeek: WEEKDAYS, until: day(84), changes: {} },
      }),
      meeting({
        key: "engineering-sync",
        subject: "Engineering sync",
        organizer: person("JohannaL"),
        attendees: [
          invite("HenriettaM"),
          invite("JordanM", "tentativelyAccepted"),
          invite("PradeepG"),
          invite("JuergenM", "declined"),
        ],
        timeZone: W_EUROPE,
        start: `${day(-28)}T09:00`,
        end: `${day(-28)}T10:00`,
        recurrence: {
          type: "weekly",
          interval: 1,
          daysOfWeek: ["monday"],
          until: day(84),
          changes: {
            [day(7)]: { subject: "Engineering sync: planning", start: `${day(8)}T14:00`, end: `${day(8)}T15:30` },
            [day(14)]: "cancelled",
          },
        },
      }),
      meeting({
        key: "night-deployment",
        subject: "Night deployment",
        organizer: person("AllanD"),
        attendees: [invite("JohannaL"), invite("NestorW", "notResponded")],
        timeZone: "UTC",
        start: `${day(6)}T00:30`,
        end: `${day(6)}T01:30`,
      }),
      meeting({
        key: "interviews",
        subject: "Interviews",
        organizer: person("PradeepG"),
        timeZone: "India Standard Time",
        start: `${day(2)}T14:00`,
        end: `${day(2)}T15:30`,
        showAs: "tentative",
      }),
      meeting({
        key: "assortment",
        subject: "Assortment planning",
        organizer: person("LynneR"),
        attendees: [invite("AdeleV", "notResponded")],
        start: `${day(4)}T13:00`,
        end: `${day(4)}T14:00`,
      }),
    ],
  };
}
