import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { defaultSwitches } from "../../emulators/graph/switches.ts";
import { type GraphAnswer, type GraphBody, type GraphFixture, problem, startGraphFixture } from "./graph-fixture.ts";

const scp = "User.Read Calendars.Read Calendars.Read.Shared";
const WEEK = "startDateTime=2026-03-23T00:00:00Z&endDateTime=2026-03-30T00:00:00Z";
const IMMUTABLE = 'IdType="ImmutableId"';
const REVIEW =
  "/me/events/AAkALgAAzFXhDDAn1lbyjaLGhuE%2FoQDbDMEW5lZUAi0q4wu4T8xZg%2FAz%2BlVDIbBZJSdKr%2FZfS54B2bgeJugLZjFXCn4f9w%3D%3D";

let fixture: GraphFixture;
beforeAll(async () => {
  fixture = await startGraphFixture();
  fixture.graph.switches["graph.today"] = "2026-03-25";
});
afterAll(() => fixture.close());
afterEach(() => {
  Object.assign(fixture.graph.switches, defaultSwitches, { "graph.today": "2026-03-25" });
});

const oid = (alias: string) => fixture.tenant.users.find(({ mail }) => mail === `${alias}@contoso.com`)?.id;

/** GET as somebody, with one `Prefer` header. */
const get = (path: string, Prefer?: string, alias = "AdeleV") =>
  fixture.get(path, { claims: { scp, oid: oid(alias) }, headers: Prefer === undefined ? {} : { Prefer } });

async function post(path: string, body: unknown, Prefer?: string, claims: object = {}): Promise<GraphAnswer> {
  const response = await fetch(`${fixture.graph.origin}/v1.0${path}`, {
    method: "POST",
    headers: {
      Authorization: `Bearer ${await fixture.sign({ scp, ...claims })}`,
      "Content-Type": "application/json",
      ...(Prefer !== undefined && { Prefer }),
    },
    body: JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as GraphBody };
}

const subjects = ({ body }: GraphAnswer) => body.value?.map(({ subject }) => subject);
const starts = ({ body }: GraphAnswer) => body.value?.map(({ start }) => start);
const first = ({ body }: GraphAnswer) => body.value?.[0];

describe("calendarView", () => {
  test("an event comes in the shape of Graph's event, in UTC and HTML", async () => {
    const { status, body } = await get(
      "/me/calendarView?startDateTime=2026-03-24T17:00:00Z&endDateTime=2026-03-24T18:00:00Z",
    );

    expect(status).toBe(200);
    expect(body["@odata.context"]).toBe(
      `${fixture.graph.origin}/v1.0/$metadata#users('87d349ed-44d7-43e1-9a83-5f2406dee5bd')/calendarView`,
    );
    expect(body.value).toEqual([
      {
        "@odata.etag": 'W/"ZXdKSqgUYV/D8hVj3VAFGTzX"',
        id: expect.stringMatching(/^AAMkAGE[A-Za-z0-9+/]+==$/),
        changeKey: "ZXdKSqgUYV/D8hVj3VAFGTzX",
        subject: "Store review",
        bodyPreview: "Bring the figures of the last quarter & your plans.\r\nDial in: passcode 4711",
        body: { contentType: "html", content: expect.stringContaining("<b>last quarter</b>") },
        importance: "normal",
        sensitivity: "normal",
        originalStartTimeZone: "Pacific Standard Time",
        originalEndTimeZone: "Pacific Standard Time",
        isAllDay: false,
        isCancelled: false,
        isOrganizer: true,
        isOnlineMeeting: true,
        onlineMeetingProvider: "teamsForBusiness",
        onlineMeeting: { joinUrl: "https://teams.example/l/meetup-join/19%3ameeting_store-review" },
        responseRequested: true,
        responseStatus: { response: "organizer", time: "0001-01-01T00:00:00Z" },
        showAs: "busy",
        type: "singleInstance",
        seriesMasterId: null,
        webLink: expect.stringContaining("https://outlook.office365.com/owa/?itemid=AAMkAGE"),
        start: { dateTime: "2026-03-24T17:00:00.0000000", timeZone: "UTC" },
        end: { dateTime: "2026-03-24T18:00:00.0000000", timeZone: "UTC" },
        location: { displayName: "Conf Room Adams", locationType: "default" },
        recurrence: null,
        attendees: [
          ["required", "Alex Wilber", "AlexW@contoso.com", "accepted"],
          ["required", "Megan Bowen", "MeganB@contoso.com", "tentativelyAccepted"],
          ["optional", "Sam Jenkins", "sam@fabrikam.com", "notResponded"],
          ["resource", "Conf Room Adams", "adams@contoso.com", "accepted"],
        ].map(([type, name, address, response]) => ({
          type,
          status: { response, time: "0001-01-01T00:00:00Z" },
          emailAddress: { name, address },
        })),
        organizer: { emailAddress: { name: "Adele Vance", address: "AdeleV@contoso.com" } },
      },
    ]);
  });

  test("G54: recurrences are expanded, across a clock change, with their exceptions", async () => {
    const window = "startDateTime=2026-03-16T00:00:00Z&endDateTime=2026-04-14T00:00:00Z";
    const answer = await get(
      `/me/calendarView?${window}&$select=subject,type,start,isCancelled&$orderby=start/dateTime`,
      undefined,
      "PradeepG",
    );

    const events = answer.body.value?.filter(({ subject }) => String(subject).includes("sync"));
    expect(events?.map(({ subject, type, start, isCancelled }) => [subject, type, start, isCancelled])).toEqual([
      ["Engineering sync", "occurrence", { dateTime: "2026-03-16T08:00:00.0000000", timeZone: "UTC" }, false],
      ["Engineering sync", "occurrence", { dateTime: "2026-03-23T08:00:00.0000000", timeZone: "UTC" }, false],
      ["Engineering sync: planning", "exception", { dateTime: "2026-03-31T12:00:00.0000000", timeZone: "UTC" }, false],
      ["Canceled: Engineering sync", "exception", { dateTime: "2026-04-06T07:00:00.0000000", timeZone: "UTC" }, true],
      ["Engineering sync", "occurrence", { dateTime: "2026-04-13T07:00:00.0000000", timeZone: "UTC" }, false],
    ]);
  });

  test("what its organizer cancelled is gone from their calendar, and what somebody declined from theirs", async () => {
    const window = "startDateTime=2026-04-06T00:00:00Z&endDateTime=2026-04-14T00:00:00Z&$select=subject";

    expect(subjects(await get(`/me/calendarView?${window}`, undefined, "JohannaL"))).toEqual(["Engineering sync"]);
    expect(subjects(await get(`/me/calendarView?${window}`, undefined, "JuergenM"))).toEqual([]);
  });

  test.each(["createdDateTime", "lastModifiedDateTime"])("G54: %s cannot be selected", async (name) => {
    expect((await get(`/me/calendarView?${WEEK}&$select=id,${name}`)).status).toBe(400);
    expect((await get(`${REVIEW}?$select=${name}`)).body[name]).toBe("2026-02-10T18:00:00.000Z");
  });

  test("G37: a time zone changes the start and end, and no other time", async () => {
    const path = `/me/calendarView?startDateTime=2026-03-24T17:00:00Z&endDateTime=2026-03-24T18:00:00Z`;
    const [utc, pacific, iana] = await Promise.all([
      get(path),
      get(path, 'outlook.timezone="Pacific Standard Time"'),
      get(path, 'outlook.timezone="America/Los_Angeles"'),
    ]);

    expect(first(pacific)).toEqual({
      ...first(utc),
      start: { dateTime: "2026-03-24T10:00:00.0000000", timeZone: "Pacific Standard Time" },
      end: { dateTime: "2026-03-24T11:00:00.0000000", timeZone: "Pacific Standard Time" },
    });
    expect(first(iana)?.["start"]).toEqual({
      dateTime: "2026-03-24T10:00:00.0000000",
      timeZone: "America/Los_Angeles",
    });
    const details = await get(REVIEW, 'outlook.timezone="Pacific Standard Time"');
    expect(details.body["createdDateTime"]).toBe("2026-02-10T18:00:00.000Z");
  });

  test("G37: an all-day event is at midnight in every time zone", async () => {
    const path = "/me/calendarView?startDateTime=2026-03-25T07:00:00Z&endDateTime=2026-03-25T07:30:00Z";
    for (const zone of ["UTC", "Pacific Standard Time", "Tokyo Standard Time"]) {
      expect(starts(await get(path, `outlook.timezone="${zone}"`))).toEqual([
        { dateTime: "2026-03-25T00:00:00.0000000", timeZone: zone },
      ]);
    }
  });

  test.each([
    ["their own offset", "2026-03-24T10:00:00-07:00", "2026-03-24T11:00:00-07:00", ["Store review"]],
    ["UTC without one", "2026-03-24T17:00:00", "2026-03-24T18:00:00", ["Store review"]],
    ["not the preferred zone", "2026-03-24T10:00:00", "2026-03-24T11:00:00", []],
  ])("G38: start and end of the window follow %s", async (_what, start, end, expected) => {
    const query = new URLSearchParams({ startDateTime: start, endDateTime: end, $select: "subject" }).toString();

    expect(subjects(await get(`/me/calendarView?${query}`, 'outlook.timezone="Pacific Standard Time"'))).toEqual(
      expected,
    );
  });

  test("G39: Preference-Applied echoes what was honoured", async () => {
    const { headers } = await get(`/me/calendarView?${WEEK}`, `${IMMUTABLE}, outlook.timezone="UTC", respond-async`);

    expect(headers.get("preference-applied")).toBe(`outlook.timezone="UTC", ${IMMUTABLE}`);
    expect((await get(`/me/calendarView?${WEEK}`)).headers.get("preference-applied")).toBeNull();
  });

  test.each(["undefined", "[]", "Customized Time Zone", "Mars/Olympus"])(
    "G10: the zone %s is refused",
    async (zone) => {
      expect(problem(await get(`/me/calendarView?${WEEK}`, `outlook.timezone="${zone}"`))).toEqual([
        400,
        "TimeZoneNotSupportedException",
        `A valid TimeZone value must be specified. The following TimeZone value is not supported: '${zone}'.`,
      ]);
    },
  );

  test("G41: a mailbox can have the zone Customized Time Zone", async () => {
    const claims = { oid: oid("LynneR") };
    const { body } = await fixture.get("/me/mailboxSettings?$select=timeZone", { claims });

    expect(body["timeZone"]).toBe("Customized Time Zone");
  });

  test("G43: the choice of ids counts for one request", async () => {
    const path = `/me/calendarView?${WEEK}&$top=1&$select=id`;
    const ids = [first(await get(path, IMMUTABLE))?.["id"], first(await get(path))?.["id"]];

    expect(ids).toEqual([expect.stringMatching(/^AAkALgAA/), expect.stringMatching(/^AAMkAGE/)]);
    for (const id of ids) {
      const { body } = await get(`/me/events/${encodeURIComponent(String(id))}?$select=id,subject`, IMMUTABLE);
      expect([body["id"], body["subject"]]).toEqual([ids[0], "Store review"]);
    }
  });

  test("G23: pages are linked with $skip, in the order that was asked for", async () => {
    const pages: unknown[] = [];
    let link: unknown = `/me/calendarView?${WEEK}&$top=4&$orderby=start/dateTime&$select=subject`;
    while (typeof link === "string") {
      const page = await get(link);
      pages.push(subjects(page));
      link = page.body["@odata.nextLink"];
    }

    expect(pages).toEqual([
      ["Retail stand-up", "Dentist", "Retail stand-up", "Store review"],
      ["Inventory day", "Retail stand-up", "Trade fair", "Retail stand-up"],
      ["Retail stand-up", "Assortment planning"],
    ]);
  });

  test("ten events are a page unless $top says otherwise", async () => {
    const window = "startDateTime=2026-03-01T00:00:00Z&endDateTime=2026-05-01T00:00:00Z";

    expect((await get(`/me/calendarView?${window}`)).body.value).toHaveLength(10);
    expect((await get(`/me/calendarView?${window}&$top=1001`)).status).toBe(400);
  });

  test.each([
    ["no window", "", "ErrorInvalidParameter"],
    ["half a window", "?startDateTime=2026-03-23T00:00:00Z", "ErrorInvalidParameter"],
    ["a time that is none", "?startDateTime=soon&endDateTime=2026-03-30", "ErrorInvalidParameter"],
    [
      "a plus that was not encoded",
      "?startDateTime=2026-03-23T00:00:00+01:00&endDateTime=2026-03-30",
      "ErrorInvalidParameter",
    ],
    [
      "a window that ends before it starts",
      "?startDateTime=2026-03-23&endDateTime=2026-03-22",
      "ErrorInvalidParameter",
    ],
    ["another option", `?${WEEK}&$search=x`, "BadRequest"],
    ["an unknown property", `?${WEEK}&$select=nothing`, "BadRequest"],
  ])("%s is refused", async (_what, query, code) => {
    const { status, body } = await get(`/me/calendarView${query}`);

    expect([status, body.error?.code]).toEqual([400, code]);
  });

  test("the sample calendars are those of the current week unless a switch says otherwise", async () => {
    fixture.graph.switches["graph.today"] = undefined;
    const now = Date.now();
    const [start, end] = [now - 7 * 86_400_000, now + 7 * 86_400_000].map((time) => new Date(time).toISOString());

    expect(subjects(await get(`/me/calendarView?startDateTime=${start}&endDateTime=${end}&$top=50`))).toContain(
      "Store review",
    );
  });
});

describe("events", () => {
  test("G42: the body comes as text on request", async () => {
    const Prefer = 'outlook.body-content-type="text", outlook.timezone="UTC"';
    const { body, headers } = await get(`${REVIEW}?$select=body`, Prefer);

    expect(body["body"]).toEqual({
      contentType: "text",
      content: "Bring the figures of the last quarter & your plans.\r\nDial in: passcode 4711",
    });
    expect(headers.get("preference-applied")).toBe('outlook.timezone="UTC", outlook.body-content-type="text"');
  });

  test("an occurrence leads to its series, which says when it repeats", async () => {
    const path = "/me/calendarView?startDateTime=2026-03-23T16:00:00Z&endDateTime=2026-03-23T16:10:00Z";
    const { seriesMasterId, recurrence } = first(await get(path)) ?? {};
    const { body } = await get(`/me/events/${encodeURIComponent(String(seriesMasterId))}`);

    expect(recurrence).toBeNull();
    expect([body["type"], body["subject"], body["start"]]).toEqual([
      "seriesMaster",
      "Retail stand-up",
      { dateTime: "2026-02-23T17:00:00.0000000", timeZone: "UTC" },
    ]);
    expect(body["recurrence"]).toEqual({
      pattern: {
        type: "weekly",
        interval: 1,
        month: 0,
        dayOfMonth: 0,
        daysOfWeek: ["monday", "tuesday", "wednesday", "thursday", "friday"],
        firstDayOfWeek: "sunday",
        index: "first",
      },
      range: {
        type: "endDate",
        startDate: "2026-02-23",
        endDate: "2026-06-15",
        recurrenceTimeZone: "Pacific Standard Time",
        numberOfOccurrences: 0,
      },
    });
  });

  test("G6: an event that does not exist is not found, nor is one under its id in other case", async () => {
    const other = REVIEW.replace("AAkALgAAzFX", "AAkALgAAzfx");
    for (const path of [other, REVIEW.replace("9w%3D%3D", "9A%3D%3D")]) {
      expect(problem(await get(path))).toEqual([
        404,
        "ErrorItemNotFound",
        "The specified object was not found in the store.",
      ]);
    }
  });

  test.each(["x", "a%2Bb", "..%2Fmessages", "87d349ed-44d7-43e1-9a83-5f2406dee5bd"])("G8: %s is no id", async (id) => {
    expect(problem(await get(`/me/events/${id}`))).toEqual([400, "ErrorInvalidIdMalformed", "Id is malformed."]);
  });

  test("G46: an id whose slashes are not encoded is another path", async () => {
    expect((await get(decodeURIComponent(REVIEW))).status).toBe(400);
  });

  test("G7: nothing of a calendar is shown without the permission", async () => {
    for (const path of [`/me/calendarView?${WEEK}`, REVIEW]) {
      expect(problem(await fixture.get(path))).toEqual([
        403,
        "ErrorAccessDenied",
        "Access is denied. Check credentials and try again.",
      ]);
    }
  });

  test("a guest has no calendar", async () => {
    const claims = { scp, oid: "ec63c778-24e1-4240-bea3-d12a167d5232" };
    for (const path of [`/me/calendarView?${WEEK}`, REVIEW]) {
      const { status, body } = await fixture.get(path, { claims });
      expect([status, body.error?.code]).toEqual([404, "MailboxNotEnabledForRESTAPI"]);
    }
  });

  test("G19: a fifth request at once to one mailbox is one too many", async () => {
    fixture.graph.switches["graph.mailboxBusyMs"] = 200;

    const answers = await Promise.all(Array.from({ length: 5 }, () => get(`/me/calendarView?${WEEK}`)));

    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 200, 200, 200, 429]);
  });
});

describe("getSchedule", () => {
  const moment = (dateTime: string, timeZone = "UTC") => ({ dateTime, timeZone });
  const day = {
    startTime: moment("2026-03-24T16:00:00"),
    endTime: moment("2026-03-24T20:00:00"),
    availabilityViewInterval: 60,
  };

  test("tells when people and rooms are busy, in UTC, with their working hours, and who is unknown", async () => {
    const schedules = ["AlexW@contoso.com", "adams@contoso.com", "nobody@contoso.com", "sam@fabrikam.com"];
    const { status, body } = await post("/me/calendar/getSchedule", { schedules, ...day });

    const item = {
      isPrivate: false,
      status: "busy",
      subject: "Store review",
      location: "Conf Room Adams",
      isMeeting: true,
      isRecurring: false,
      isException: false,
      isReminderSet: true,
      start: moment("2026-03-24T17:00:00.0000000"),
      end: moment("2026-03-24T18:00:00.0000000"),
    };
    const unknown = (address: string) => ({
      scheduleId: address,
      availabilityView: "",
      scheduleItems: [],
      error: {
        message: `Unable to resolve e-mail address ${address} to an Active Directory object.`,
        responseCode: "ErrorMailRecipientNotFound",
      },
    });
    expect(status).toBe(200);
    expect(body.value).toEqual([
      {
        scheduleId: "AlexW@contoso.com",
        availabilityView: "0200",
        scheduleItems: [item],
        workingHours: {
          daysOfWeek: ["monday", "tuesday", "wednesday", "thursday", "friday"],
          startTime: "08:00:00.0000000",
          endTime: "17:00:00.0000000",
          timeZone: { name: "Pacific Standard Time" },
        },
      },
      { scheduleId: "adams@contoso.com", availabilityView: "0200", scheduleItems: [item] },
      unknown("nobody@contoso.com"),
      unknown("sam@fabrikam.com"),
    ]);
  });

  test("G37, G39: takes a time zone for the times that it answers", async () => {
    const Prefer = 'outlook.timezone="W. Europe Standard Time"';
    const { body, headers } = await post(
      "/me/calendar/getSchedule",
      { schedules: ["AlexW@contoso.com"], ...day },
      Prefer,
    );

    expect(body.value?.[0]?.["scheduleItems"]).toEqual([
      expect.objectContaining({ start: moment("2026-03-24T18:00:00.0000000", "W. Europe Standard Time") }),
    ]);
    expect(headers.get("preference-applied")).toBe(Prefer);
  });

  test("an all-day event begins at its owner's midnight, what is private has no subject, and the most absent counts", async () => {
    const { body } = await post("/me/calendar/getSchedule", {
      schedules: ["AdeleV@contoso.com"],
      startTime: moment("2026-03-23T15:00:00", "Pacific Standard Time"),
      endTime: moment("2026-03-26T10:00:00", "America/Los_Angeles"),
      availabilityViewInterval: 1440,
    });

    const [{ availabilityView, scheduleItems } = {}] = body.value ?? [];
    expect(availabilityView).toBe("223");
    const items = scheduleItems as Readonly<Record<string, unknown>>[];
    expect(items.find(({ isPrivate }) => isPrivate)).not.toHaveProperty("subject");
    expect(items.find(({ subject }) => subject === "Inventory day")).toMatchObject({
      status: "free",
      start: moment("2026-03-25T07:00:00.0000000"),
      end: moment("2026-03-26T07:00:00.0000000"),
    });
  });

  test.each([
    ["no schedules", { ...day, schedules: [] }],
    ["too many schedules", { ...day, schedules: Array.from({ length: 21 }, () => "AlexW@contoso.com") }],
    ["no end", { ...day, schedules: ["AlexW@contoso.com"], endTime: moment("never") }],
    ["an end before the start", { ...day, schedules: ["AlexW@contoso.com"], endTime: day.startTime }],
    ["too short an interval", { ...day, schedules: ["AlexW@contoso.com"], availabilityViewInterval: 4 }],
    ["too long an interval", { ...day, schedules: ["AlexW@contoso.com"], availabilityViewInterval: 1441 }],
  ])("%s is refused", async (_what, body) => {
    const answer = await post("/me/calendar/getSchedule", body);

    expect([answer.status, answer.body.error?.code]).toEqual([400, "ErrorInvalidParameter"]);
  });

  test("G10: a time without a zone is refused", async () => {
    const body = { ...day, schedules: ["AlexW@contoso.com"], startTime: { dateTime: "2026-03-24T16:00:00" } };

    expect((await post("/me/calendar/getSchedule", body)).body.error?.code).toBe("TimeZoneNotSupportedException");
  });

  test("G7: needs a permission to read calendars", async () => {
    const body = { ...day, schedules: ["AlexW@contoso.com"] };

    expect((await post("/me/calendar/getSchedule", body, undefined, { scp: "User.Read" })).status).toBe(403);
  });
});

describe("findMeetingTimes", () => {
  const slot = (timeZone: string) => ({
    start: { dateTime: "2026-03-24T09:00:00", timeZone },
    end: { dateTime: "2026-03-24T12:00:00", timeZone },
  });
  const request = (timeZone = "Pacific Standard Time") => ({
    attendees: [{ type: "required", emailAddress: { address: "AlexW@contoso.com" } }],
    timeConstraint: { activityDomain: "work", timeSlots: [slot(timeZone)] },
    meetingDuration: "PT1H",
    maxCandidates: 5,
  });

  test("suggests when nobody is busy, in the zone that is preferred", async () => {
    const Prefer = 'outlook.timezone="Pacific Standard Time"';
    const { body, headers } = await post("/me/findMeetingTimes", request(), Prefer);

    expect(body["emptySuggestionsReason"]).toBe("");
    expect(body["meetingTimeSuggestions"]).toEqual([
      {
        confidence: 100,
        organizerAvailability: "free",
        meetingTimeSlot: {
          start: { dateTime: "2026-03-24T11:00:00.0000000", timeZone: "Pacific Standard Time" },
          end: { dateTime: "2026-03-24T12:00:00.0000000", timeZone: "Pacific Standard Time" },
        },
        attendeeAvailability: [{ availability: "free", attendee: { emailAddress: { address: "AlexW@contoso.com" } } }],
        locations: [],
      },
    ]);
    expect(headers.get("preference-applied")).toBe(Prefer);
  });

  test("suggests nothing outside the organizer's working hours", async () => {
    const { body } = await post("/me/findMeetingTimes", request("India Standard Time"));

    expect(body["meetingTimeSuggestions"]).toEqual([]);
    expect(body["emptySuggestionsReason"]).toBe("AttendeesUnavailable");
  });

  test("G40: an IANA name is refused, in the body as in the header", async () => {
    const refusal = [400, "TimeZoneNotSupportedException"];
    const inBody = await post("/me/findMeetingTimes", request("America/Los_Angeles"));
    const inHeader = await post("/me/findMeetingTimes", request(), 'outlook.timezone="America/Los_Angeles"');

    expect([inBody.status, inBody.body.error?.code]).toEqual(refusal);
    expect([inHeader.status, inHeader.body.error?.code]).toEqual(refusal);
  });

  test("needs Calendars.Read.Shared", async () => {
    const answer = await post("/me/findMeetingTimes", request(), undefined, { scp: "Calendars.Read" });

    expect([answer.status, answer.body.error?.code]).toEqual([403, "ErrorAccessDenied"]);
  });
});
