import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createCalendars } from "../../emulators/contoso/calendar.ts";
import { type GraphAnswer, type GraphBody, type GraphFixture, problem, startGraphFixture } from "./graph-fixture.ts";

const TODAY = "2026-03-25";
const PACIFIC = "Pacific Standard Time";
const IMMUTABLE_UTC = 'IdType="ImmutableId", outlook.timezone="UTC"';

let fixture: GraphFixture;
beforeAll(async () => {
  fixture = await startGraphFixture();
  fixture.graph.switches["graph.today"] = TODAY;
});
afterAll(() => fixture.close());
beforeEach(() => {
  const { meetings } = fixture.tenant.calendarAround(new Date(TODAY));
  meetings.splice(0, meetings.length, ...createCalendars()(new Date(TODAY)).meetings);
});

const oid = (alias: string) => fixture.tenant.users.find(({ mail }) => mail === `${alias}@contoso.com`)?.id;

interface Options {
  readonly as?: string;
  readonly scp?: string;
  readonly Prefer?: string;
}

async function send(method: string, path: string, body?: unknown, options: Options = {}): Promise<GraphAnswer> {
  const { as = "AdeleV", scp = "Calendars.ReadWrite", Prefer = IMMUTABLE_UTC } = options;
  const response = await fetch(`${fixture.graph.origin}/v1.0${path}`, {
    method,
    headers: {
      Authorization: `Bearer ${await fixture.sign({ scp, oid: oid(as) })}`,
      "Content-Type": "application/json",
      Prefer,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: (text ? JSON.parse(text) : {}) as GraphBody };
}

const at = (dateTime: string, timeZone = PACIFIC) => ({ dateTime, timeZone });
const hour = { start: at("2026-03-30T09:00:00"), end: at("2026-03-30T10:00:00") };
const to = (...addresses: string[]) => addresses.map((address) => ({ type: "required", emailAddress: { address } }));
const one = (id: unknown, rest = "") => `/me/events/${encodeURIComponent(String(id))}${rest}`;

/** Events of a day, or from one to another, in UTC. */
async function view(from: string, days: number, as = "AdeleV") {
  const end = new Date(Date.parse(from) + days * 86_400_000).toISOString();
  const query = `startDateTime=${from}T00:00:00Z&endDateTime=${end}&$top=100&$orderby=start/dateTime`;
  const { body } = await send("GET", `/me/calendarView?${query}`, undefined, { as });
  return body.value ?? [];
}

const named = async (subject: string, from: string, as?: string) =>
  (await view(from, 1, as)).find((event) => event["subject"] === subject) ?? expect.unreachable(subject);

const startsOf = async (subject: string, from: string, days: number) =>
  (await view(from, days)).filter((event) => event["subject"] === subject).map(({ start }) => start);

describe("POST /me/events", () => {
  test("answers 201 with the event, which is in the calendars of everybody invited (G51)", async () => {
    const { status, headers, body } = await send("POST", "/me/events", {
      ...hour,
      subject: "Plan",
      body: { contentType: "text", content: "a < b & c\nd" },
      attendees: to("alexw@contoso.com", "ann@fabrikam.com"),
      location: { displayName: "Lobby" },
    });

    expect(status).toBe(201);
    expect(headers.get("preference-applied")).toBe('outlook.timezone="UTC", IdType="ImmutableId"');
    expect(body).toMatchObject({
      "@odata.context": expect.stringMatching(/\/events\/\$entity$/),
      "@odata.etag": expect.stringMatching(/^W\/".{24}"$/),
      id: expect.stringMatching(/^AAkALgAA/),
      subject: "Plan",
      body: { contentType: "html", content: "<html><body>a &lt; b &amp; c<br>d</body></html>" },
      bodyPreview: "a < b & c\r\nd",
      start: at("2026-03-30T16:00:00.0000000", "UTC"),
      end: at("2026-03-30T17:00:00.0000000", "UTC"),
      originalStartTimeZone: PACIFIC,
      isOrganizer: true,
      type: "singleInstance",
      isOnlineMeeting: false,
      organizer: { emailAddress: { name: "Adele Vance", address: "AdeleV@contoso.com" } },
      attendees: [
        { type: "required", status: { response: "notResponded" }, emailAddress: { name: "Alex Wilber" } },
        { type: "required", emailAddress: { name: "ann@fabrikam.com", address: "ann@fabrikam.com" } },
      ],
    });
    expect(body).not.toHaveProperty("transactionId");
    expect(await named("Plan", "2026-03-30", "AlexW")).toMatchObject({ isOrganizer: false, showAs: "tentative" });
  });

  test("the same transactionId makes one event, and another event with it is refused (G53)", async () => {
    const body = { ...hour, subject: "Once", transactionId: "t-1" };
    const first = await send("POST", "/me/events", body);
    const second = await send("POST", "/me/events", body);
    const other = await send("POST", "/me/events", { ...body, subject: "Twice" });
    const foreign = await send("POST", "/me/events", { ...body, subject: "Mine" }, { as: "AlexW" });

    expect([first.status, second.status, foreign.status]).toEqual([201, 201, 201]);
    expect(first.body["transactionId"]).toBe("t-1");
    expect(second.body["id"]).toBe(first.body["id"]);
    expect(await startsOf("Once", "2026-03-30", 1)).toHaveLength(1);
    expect(problem(other)).toEqual([
      409,
      "ErrorDuplicateTransactionId",
      "Your request can't be completed. The TransactionId specified in the request has already been used to create a different event.",
    ]);
  });

  test.each<[object, string, string[]]>([
    [
      { pattern: { type: "daily", interval: 2 }, range: { type: "numbered", numberOfOccurrences: 3 } },
      "2026-03-30",
      ["2026-03-30", "2026-04-01", "2026-04-03"],
    ],
    [
      {
        pattern: { type: "weekly", interval: 2, daysOfWeek: ["monday", "friday"], firstDayOfWeek: "monday" },
        range: { type: "endDate", endDate: "2026-04-24" },
      },
      "2026-03-30",
      ["2026-03-30", "2026-04-03", "2026-04-13", "2026-04-17"],
    ],
    [
      { pattern: { type: "absoluteMonthly", interval: 1, dayOfMonth: 31 }, range: { type: "noEnd" } },
      "2026-03-31",
      ["2026-03-31", "2026-05-31"],
    ],
    [
      {
        pattern: { type: "relativeMonthly", interval: 1, daysOfWeek: ["tuesday"], index: "last" },
        range: { type: "noEnd" },
      },
      "2026-03-31",
      ["2026-03-31", "2026-04-28", "2026-05-26"],
    ],
    [
      {
        pattern: { type: "relativeMonthly", interval: 1, daysOfWeek: ["wednesday"], index: "first" },
        range: { type: "noEnd" },
      },
      "2026-04-01",
      ["2026-04-01", "2026-05-06"],
    ],
  ])("repeats by %j", async (recurrence: { pattern?: object; range?: object }, first, days) => {
    const range = { ...recurrence.range, startDate: first, recurrenceTimeZone: PACIFIC };
    const { body } = await send("POST", "/me/events", {
      subject: "Series",
      start: at(`${first}T09:00:00`),
      end: at(`${first}T10:00:00`),
      recurrence: { ...recurrence, range },
    });

    expect(body).toMatchObject({ type: "seriesMaster", recurrence: { pattern: recurrence.pattern, range } });
    const starts = (await startsOf("Series", "2026-03-30", 65)) as { dateTime: string }[];
    expect(starts.map(({ dateTime }) => dateTime.slice(0, 10))).toEqual(days);
  });

  test("an online meeting can be joined, until a change of its text leaves out how", async () => {
    const body = { ...hour, subject: "Online", isOnlineMeeting: true, onlineMeetingProvider: "teamsForBusiness" };
    const created = await send("POST", "/me/events", body);
    const changed = await send("PATCH", one(created.body["id"]), { body: { contentType: "text", content: "Hi" } });

    expect(created.body).toMatchObject({
      isOnlineMeeting: true,
      onlineMeeting: { joinUrl: expect.stringMatching(/^https:\/\/teams\.example\//) },
    });
    expect(changed.body).toMatchObject({ isOnlineMeeting: false, onlineMeeting: null });
  });

  test.each<[string, object, string]>([
    ["no end", { end: undefined }, "ErrorPropertyValidationFailure"],
    ["an end before the start", { end: at("2026-03-30T08:00:00") }, "ErrorPropertyValidationFailure"],
    ["a time that is none", { start: at("tomorrow") }, "ErrorPropertyValidationFailure"],
    ["another zone", { start: at("2026-03-30T09:00:00", "Mars") }, "TimeZoneNotSupportedException"],
    ["whole days that are none", { isAllDay: true }, "ErrorInvalidRequest"],
    ["an attendee without an address", { attendees: to("Alex") }, "ErrorInvalidRequest"],
    [
      "a series that begins on another day",
      {
        recurrence: {
          pattern: { type: "daily", interval: 1 },
          range: { type: "noEnd", startDate: "2026-03-31" },
        },
      },
      "ErrorPropertyValidationFailure",
    ],
    ["a property that events do not have", { title: "x" }, "BadRequest"],
  ])("refuses %s with 400", async (_what, change, code) => {
    const { status, body } = await send("POST", "/me/events", { ...hour, subject: "No", ...change });
    expect([status, body.error?.code]).toEqual([400, code]);
    expect(await startsOf("No", "2026-03-30", 1)).toEqual([]);
  });

  test("refuses who may only read", async () => {
    const reader = await send("POST", "/me/events", hour, { scp: "Calendars.Read" });
    expect([reader.status, reader.body.error?.code]).toEqual([403, "ErrorAccessDenied"]);
  });
});

describe("PATCH /me/events/{id}", () => {
  test("answers 200 with the changed event and another eTag, and leaves out what was not named", async () => {
    const before = await named("Store review", "2026-03-24");
    const { status, body } = await send("PATCH", one(before["id"]), { subject: "Store tour" });

    expect(status).toBe(200);
    expect(body).toMatchObject({ id: before["id"], subject: "Store tour", start: before["start"] });
    expect(body["changeKey"]).not.toBe(before["changeKey"]);
    expect(body["@odata.etag"]).toBe(`W/"${String(body["changeKey"])}"`);
    const review = await named("Store tour", "2026-03-24", "AlexW");
    expect(review["changeKey"]).toBe(body["changeKey"]);
  });

  test("who stays invited has answered as before", async () => {
    const { id } = await named("Store review", "2026-03-24");
    const { body } = await send("PATCH", one(id), { attendees: to("meganb@contoso.com", "LeeG@contoso.com") });

    expect(body["attendees"]).toMatchObject([
      { emailAddress: { name: "Megan Bowen" }, status: { response: "tentativelyAccepted" } },
      { emailAddress: { name: "Lee Gu" }, status: { response: "notResponded" } },
    ]);
  });

  test("an occurrence becomes an exception; its series keeps the others", async () => {
    const { id } = await named("Retail stand-up", "2026-03-24");
    const { body } = await send("PATCH", one(id), {
      start: at("2026-03-24T12:00:00"),
      end: at("2026-03-24T12:15:00"),
    });

    expect(body).toMatchObject({ id, type: "exception", start: at("2026-03-24T19:00:00.0000000", "UTC") });
    expect(await startsOf("Retail stand-up", "2026-03-23", 3)).toEqual([
      at("2026-03-23T16:00:00.0000000", "UTC"),
      at("2026-03-24T19:00:00.0000000", "UTC"),
      at("2026-03-25T16:00:00.0000000", "UTC"),
    ]);
  });

  test("an occurrence stays between its neighbours", async () => {
    const { id } = await named("Retail stand-up", "2026-03-24");
    const moved = await send("PATCH", one(id), {
      start: at("2026-03-25T12:00:00"),
      end: at("2026-03-25T12:15:00"),
    });

    expect(problem(moved)).toEqual([
      400,
      "ErrorOccurrenceCrossingBoundary",
      "Modified occurrence is crossing or overlapping adjacent occurrence.",
    ]);
  });

  test("finds nothing of somebody else", async () => {
    const { id } = await named("Dentist", "2026-03-23");
    const { status, body } = await send("PATCH", one(id), { subject: "x" }, { as: "AlexW" });
    expect([status, body.error?.code]).toEqual([404, "ErrorItemNotFound"]);
  });
});

describe("accept, tentativelyAccept and decline", () => {
  test.each([
    ["accept", "accepted"],
    ["tentativelyAccept", "tentativelyAccepted"],
  ])("%s answers 202 without a body, and everybody sees it (G52)", async (action, response) => {
    const { id } = await named("Assortment planning", "2026-03-27");
    const answer = await send("POST", one(id, `/${action}`), { sendResponse: true });

    expect([answer.status, answer.body]).toEqual([202, {}]);
    expect(await named("Assortment planning", "2026-03-27")).toMatchObject({ responseStatus: { response } });
    expect(await named("Assortment planning", "2026-03-27", "LynneR")).toMatchObject({
      attendees: [{ status: { response } }],
    });
  });

  test("decline takes the event out of the calendar", async () => {
    const { id } = await named("Assortment planning", "2026-03-27");

    expect((await send("POST", one(id, "/decline"))).status).toBe(202);
    expect((await send("GET", one(id))).status).toBe(404);
    expect((await send("POST", one(id, "/decline"))).status).toBe(404);
    expect(await named("Assortment planning", "2026-03-27", "LynneR")).toMatchObject({
      attendees: [{ status: { response: "declined" } }],
    });
  });

  test("refuses the organizer, an answer that nobody wants, and to accept what was cancelled", async () => {
    const review = await named("Store review", "2026-03-24");
    const own = await send("POST", one(review["id"], "/accept"));
    const quiet = { ...hour, subject: "Quiet", responseRequested: false, attendees: to("AlexW@contoso.com") };
    await send("POST", "/me/events", quiet);
    const { id } = await named("Quiet", "2026-03-30", "AlexW");
    const unwanted = await send("POST", one(id, "/accept"), {}, { as: "AlexW" });
    const silent = await send("POST", one(id, "/accept"), { sendResponse: false }, { as: "AlexW" });
    await send("POST", one(review["id"], "/cancel"));
    const cancelled = await named("Canceled: Store review", "2026-03-24", "AlexW");
    const late = await send("POST", one(cancelled["id"], "/accept"), {}, { as: "AlexW" });

    expect(problem(own)).toEqual([
      400,
      "ErrorInvalidRequest",
      "Your request can't be completed. You can't respond to this meeting because you're the meeting organizer.",
    ]);
    expect(problem(unwanted)).toEqual([
      400,
      "ErrorInvalidRequest",
      "Your request can't be completed. The meeting organizer hasn't requested a response.",
    ]);
    expect(silent.status).toBe(202);
    expect([late.status, late.body.error?.code]).toEqual([400, "ErrorCalendarIsCancelledForAccept"]);
  });
});

describe("cancel", () => {
  test("answers 202: the organizer has the event no longer, the others as cancelled", async () => {
    const { id } = await named("Store review", "2026-03-24");
    const answer = await send("POST", one(id, "/cancel"), { comment: "Sorry" });

    expect([answer.status, answer.body]).toEqual([202, {}]);
    expect((await send("GET", one(id))).status).toBe(404);
    expect(await named("Canceled: Store review", "2026-03-24", "AlexW")).toMatchObject({
      isCancelled: true,
      showAs: "free",
    });
  });

  test("of an occurrence leaves the series", async () => {
    const { id } = await named("Retail stand-up", "2026-03-24");
    await send("POST", one(id, "/cancel"));

    expect(await startsOf("Retail stand-up", "2026-03-23", 3)).toEqual([
      at("2026-03-23T16:00:00.0000000", "UTC"),
      at("2026-03-25T16:00:00.0000000", "UTC"),
    ]);
  });

  test("is the organizer's alone", async () => {
    const { id } = await named("Assortment planning", "2026-03-27");

    expect(problem(await send("POST", one(id, "/cancel")))).toEqual([
      400,
      "ErrorInvalidRequest",
      "Your request can't be completed. You need to be an organizer to cancel a meeting.",
    ]);
  });
});
