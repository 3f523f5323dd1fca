import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { MICROSOFT_GRAPH_APP_ID } from "../../emulators/directory.ts";
import { defaultSwitches } from "../../emulators/graph/switches.ts";
import { failureOf } from "../support/failures.ts";
import type { McpClient } from "../support/mcp-clients.ts";
import { connectAs, watch } from "../support/outside-traffic.ts";
import { type Stack, startStack } from "../support/stack.ts";
import { startWireTap, type WireTap } from "../support/wire-tap.ts";

/** A Wednesday: on the Sunday after it, clocks go forward in Europe; in America they did two weeks before. */
const TODAY = "2026-03-25";
const IMMUTABLE_UTC = 'IdType="ImmutableId", outlook.timezone="UTC"';
const ZONE = "GET /v1.0/me/mailboxSettings?$select=timeZone";
const FIELDS =
  "id%2Csubject%2Cstart%2Cend%2CisAllDay%2Clocation%2Corganizer%2Cattendees%2CresponseStatus%2CisOnlineMeeting%2C" +
  "isCancelled%2CshowAs%2CwebLink";
const DETAILS = `${FIELDS}%2Cbody%2ConlineMeeting%2Crecurrence%2CseriesMasterId`;
const BATCH = "POST /v1.0/$batch";

const view = (start: string, end: string, top = 10) =>
  `GET /v1.0/me/calendarView?$orderby=start%2FdateTime&$top=${top}&$select=${FIELDS}` +
  `&startDateTime=${encodeURIComponent(start)}&endDateTime=${encodeURIComponent(end)}`;
const one = (id: string) => `GET /v1.0/me/events/${id}?$select=${DETAILS}`;

const REVIEW = "AAkALgAAzFXhDDAn1lbyjaLGhuE/oQDbDMEW5lZUAi0q4wu4T8xZg/Az+lVDIbBZJSdKr/ZfS54B2bgeJugLZjFXCn4f9w==";
const REVIEW_SEGMENT =
  "AAkALgAAzFXhDDAn1lbyjaLGhuE%2FoQDbDMEW5lZUAi0q4wu4T8xZg%2FAz%2BlVDIbBZJSdKr%2FZfS54B2bgeJugLZjFXCn4f9w%3D%3D";
const REVIEW_LINK = `https://outlook.office365.com/owa/?itemid=${REVIEW_SEGMENT}&exvsurl=1&path=/calendar/item`;

interface Listed {
  readonly timezone: string;
  readonly events: readonly Readonly<Record<string, string | number | boolean>>[];
  readonly next?: string;
}

let stack: Stack;
let tap: WireTap;
let adele: McpClient;
let johanna: McpClient;
beforeAll(async () => {
  tap = startWireTap();
  stack = await startStack();
  [adele, johanna] = await Promise.all([connectAs(stack, "AdeleV"), connectAs(stack, "JohannaL")]);
  for (const client of [adele, johanna]) {
    await client.call("list_events");
    await client.call("get_schedule", { addresses: ["AlexW@contoso.com"] });
  }
});
afterAll(async () => {
  await Promise.all([adele.close(), johanna.close()]);
  await stack.close();
  tap.stop();
});
beforeEach(() => {
  stack.graph.switches["graph.today"] = TODAY;
  tap.clear();
});
afterEach(() => {
  stack.graph.traffic.recover();
  Object.assign(stack.graph.switches, defaultSwitches);
});

const watchCall = (client: McpClient, name: string, args: Record<string, unknown>) =>
  watch(stack, () => client.call(name, args));

const list = async (client: McpClient, args: Record<string, unknown>) =>
  (await client.call("list_events", args)).structuredContent as unknown as Listed;

/** Calls a tool as somebody else. */
async function callAs(user: string, name: string, args: Record<string, unknown>) {
  const client = await connectAs(stack, user);
  const result = await client.call(name, args);
  await client.close();
  return result;
}

/** Bodies that Graph was sent, in order. */
const bodies = () =>
  tap.requests
    .filter(({ port, method }) => port === Number(new URL(stack.graph.origin).port) && method === "POST")
    .map((request) => JSON.parse(request.body()) as unknown);

const sent = (header: string) => stack.graph.traffic.requests.map(({ headers }) => headers[header]);

const times = ({ subject, start_utc, start_local, end_utc, end_local }: Listed["events"][number]) => [
  subject,
  start_utc,
  start_local,
  end_utc,
  end_local,
];

describe("list_events", () => {
  test("lists a day in the mailbox's own zone with one request to Graph, with each time in UTC and local", async () => {
    const { result, traffic } = await watchCall(adele, "list_events", { start: "2026-03-24", end: "2026-03-24" });

    expect(result.structuredContent).toEqual({
      timezone: "Pacific Standard Time",
      events: [
        {
          id: expect.stringMatching(/^AAkALgAA/),
          subject: "Retail stand-up",
          start_utc: "2026-03-24T16:00:00Z",
          start_local: "2026-03-24T09:00:00",
          end_utc: "2026-03-24T16:15:00Z",
          end_local: "2026-03-24T09:15:00",
          organizer: "AdeleV@contoso.com",
          attendee_count: 2,
          show_as: "busy",
          response: "organizer",
          link: expect.stringMatching(/^https:\/\/outlook\.office365\.com\/owa\/\?itemid=AAkALgAA/),
        },
        {
          id: REVIEW,
          subject: "Store review",
          start_utc: "2026-03-24T17:00:00Z",
          start_local: "2026-03-24T10:00:00",
          end_utc: "2026-03-24T18:00:00Z",
          end_local: "2026-03-24T11:00:00",
          location: "Conf Room Adams",
          organizer: "AdeleV@contoso.com",
          attendee_count: 4,
          online: true,
          show_as: "busy",
          response: "organizer",
          link: REVIEW_LINK,
        },
      ],
    });
    expect(JSON.parse(result.content[0]?.text ?? "")).toEqual(result.structuredContent);
    expect(traffic).toEqual({
      graph: [view("2026-03-24T07:00:00.000Z", "2026-03-25T07:00:00.000Z")],
      identity: [],
    });
    expect(sent("prefer")).toEqual([IMMUTABLE_UTC]);
  });

  test("reads the zone of a mailbox with the first call that needs it, and remembers it", async () => {
    const client = await connectAs(stack, "JordanM");
    const args = { start: "2026-03-24", end: "2026-03-24" };
    const { traffic } = await watch(stack, async () => {
      await client.call("list_events", args);
      await client.call("list_events", args);
    });
    await client.close();

    const window = view("2026-03-24T06:00:00.000Z", "2026-03-25T06:00:00.000Z");
    expect(traffic.graph).toEqual([ZONE, window, window]);
  });

  test.each([
    ["IANA", "Asia/Kolkata"],
    ["Windows", "India Standard Time"],
  ])("takes a zone by its %s name, with one request to Graph", async (_kind, timezone) => {
    const { result, traffic } = await watchCall(adele, "list_events", {
      start: "2026-03-24T22:00",
      end: "2026-03-24T22:45",
      timezone,
    });

    expect((result.structuredContent as unknown as Listed).timezone).toBe(timezone);
    expect((result.structuredContent as unknown as Listed).events.map(times)).toEqual([
      ["Store review", "2026-03-24T17:00:00Z", "2026-03-24T22:30:00", "2026-03-24T18:00:00Z", "2026-03-24T23:30:00"],
    ]);
    expect(traffic.graph).toEqual([view("2026-03-24T16:30:00.000Z", "2026-03-24T17:15:00.000Z")]);
  });

  test("keeps a weekly series at its local time when clocks go forward, with its exception and without the occurrence that was cancelled", async () => {
    const { events } = await list(johanna, { start: "2026-03-16", end: "2026-04-13" });

    expect(events.filter(({ subject }) => subject !== "Night deployment").map(times)).toEqual([
      [
        "Engineering sync",
        "2026-03-16T08:00:00Z",
        "2026-03-16T09:00:00",
        "2026-03-16T09:00:00Z",
        "2026-03-16T10:00:00",
      ],
      [
        "Engineering sync",
        "2026-03-23T08:00:00Z",
        "2026-03-23T09:00:00",
        "2026-03-23T09:00:00Z",
        "2026-03-23T10:00:00",
      ],
      [
        "Engineering sync: planning",
        "2026-03-31T12:00:00Z",
        "2026-03-31T14:00:00",
        "2026-03-31T13:30:00Z",
        "2026-03-31T15:30:00",
      ],
      [
        "Engineering sync",
        "2026-04-13T07:00:00Z",
        "2026-04-13T09:00:00",
        "2026-04-13T08:00:00Z",
        "2026-04-13T10:00:00",
      ],
    ]);
  });

  test("tells whoever was invited that an occurrence was cancelled, in their own zone", async () => {
    const { structuredContent } = await callAs("PradeepG", "list_events", { start: "2026-04-06", end: "2026-04-06" });

    expect(structuredContent).toMatchObject({
      timezone: "India Standard Time",
      events: [
        {
          subject: "Canceled: Engineering sync",
          start_utc: "2026-04-06T07:00:00Z",
          start_local: "2026-04-06T12:30:00",
          show_as: "free",
          response: "accepted",
          cancelled: true,
        },
      ],
    });
  });

  test("tells the two halves of the hour apart that comes twice in autumn", async () => {
    stack.graph.switches["graph.today"] = "2026-10-21";

    const { result, traffic } = await watchCall(johanna, "list_events", { start: "2026-10-25", end: "2026-10-25" });

    expect((result.structuredContent as unknown as Listed).events.map(times)).toEqual([
      [
        "Night deployment",
        "2026-10-25T00:30:00Z",
        "2026-10-25T02:30:00",
        "2026-10-25T01:30:00Z",
        "2026-10-25T02:30:00",
      ],
    ]);
    expect(traffic.graph).toEqual([view("2026-10-24T22:00:00.000Z", "2026-10-25T23:00:00.000Z")]);
  });

  test.each(["Pacific Standard Time", "UTC", "Asia/Tokyo"])(
    "keeps all-day events on their dates in %s, without times in UTC",
    async (timezone) => {
      const { events } = await list(adele, { start: "2026-03-25", end: "2026-03-28", timezone });

      expect(events.filter(({ all_day }) => all_day).map(({ link: _link, id: _id, ...event }) => event)).toEqual([
        {
          subject: "Inventory day",
          start_local: "2026-03-25",
          end_local: "2026-03-25",
          all_day: true,
          organizer: "AdeleV@contoso.com",
          attendee_count: 0,
          show_as: "free",
          response: "organizer",
        },
        {
          subject: "Trade fair",
          start_local: "2026-03-26",
          end_local: "2026-03-27",
          all_day: true,
          location: "Seattle",
          organizer: "AdeleV@contoso.com",
          attendee_count: 0,
          show_as: "oof",
          response: "organizer",
        },
      ]);
    },
  );

  test("gives UTC to a mailbox whose zone is a custom one, and the zone that its owner names", async () => {
    const window = { start: "2026-03-27T13:00-07:00", end: "2026-03-27T14:00-07:00" };

    expect((await callAs("LynneR", "list_events", window)).structuredContent).toMatchObject({
      timezone: "UTC",
      events: [
        { subject: "Assortment planning", start_utc: "2026-03-27T20:00:00Z", start_local: "2026-03-27T20:00:00" },
      ],
    });
    const named = await callAs("LynneR", "list_events", { ...window, timezone: "Pacific Standard Time" });
    expect(named.structuredContent).toMatchObject({
      timezone: "Pacific Standard Time",
      events: [
        { subject: "Assortment planning", start_utc: "2026-03-27T20:00:00Z", start_local: "2026-03-27T13:00:00" },
      ],
    });
  });

  test.each([
    ["BenW", { timeZone: "" }],
    ["IrvinS", { timeZone: null }],
    ["GradyA", {}],
  ])("gives UTC to the mailbox of %s, whose settings are %j", async (user, body) => {
    stack.graph.traffic.fail({ kind: "status", status: 200, body }, { path: /mailboxSettings/ });

    const { traffic } = await watch(stack, () =>
      callAs(user, "list_events", { start: "2026-03-23T08:00", end: "2026-03-23T09:00" }),
    );

    expect(traffic.graph).toEqual([ZONE, view("2026-03-23T08:00:00.000Z", "2026-03-23T09:00:00.000Z")]);
  });

  test("lists the coming seven days by default, from this minute on", async () => {
    const before = Math.floor(Date.now() / 60_000) * 60_000;
    const { traffic } = await watchCall(adele, "list_events", { timezone: "UTC" });

    const query = new URL(traffic.graph[0]?.split(" ")[1] ?? "", "https://graph").searchParams;
    const start = Date.parse(query.get("startDateTime") ?? "");
    expect([before, before + 60_000]).toContain(start);
    expect(query.get("endDateTime")).toBe(new Date(start + 7 * 86_400_000).toISOString());
  });

  test("counts the days of a default window on the clocks of the zone", async () => {
    const { traffic } = await watchCall(johanna, "list_events", {
      start: "2026-03-23T09:00",
      timezone: "Europe/Berlin",
    });

    expect(traffic.graph).toEqual([view("2026-03-23T08:00:00.000Z", "2026-03-30T07:00:00.000Z")]);
  });

  test("pages to the end, each page with one request in the same preferences", async () => {
    const args = { start: "2026-03-23", end: "2026-03-29", timezone: "America/Los_Angeles", limit: 4 };
    const pages: unknown[][] = [];
    let cursor: string | undefined;
    do {
      const { result, traffic } = await watchCall(adele, "list_events", { ...args, ...(cursor && { cursor }) });
      const { events, next } = result.structuredContent as unknown as Listed;
      pages.push(events.map(({ subject }) => subject));
      expect(traffic.graph).toHaveLength(1);
      expect(sent("prefer")).toEqual([IMMUTABLE_UTC]);
      cursor = next;
    } while (cursor !== undefined);

    expect(pages).toEqual([
      ["Retail stand-up", "Dentist", "Retail stand-up", "Store review"],
      ["Inventory day", "Retail stand-up", "Trade fair", "Retail stand-up"],
      ["Retail stand-up", "Assortment planning"],
    ]);
    expect(stack.graph.traffic.requests[0]?.url).toMatch(/^\/v1\.0\/me\/calendarView\?.*\$skip=8/);
  });

  test("refuses a cursor with another window, or of somebody else, before Graph is asked", async () => {
    const args = { start: "2026-03-23", end: "2026-03-29", timezone: "UTC", limit: 2 };
    const { next } = await list(adele, args);

    const { result: results, traffic } = await watch(stack, () =>
      Promise.all([
        adele.call("list_events", { ...args, end: "2026-03-30", cursor: next }),
        johanna.call("list_events", { ...args, cursor: next }),
      ]),
    );

    for (const result of results) {
      expect(result).toMatchObject({ isError: true, _meta: { "azure-graph-mcp/error": { code: "invalid_cursor" } } });
    }
    expect(traffic.graph).toEqual([]);
  });

  test("asks neither for texts nor for links into meetings", async () => {
    const result = await adele.call("list_events", { start: "2026-03-24", end: "2026-03-24" });

    expect(JSON.stringify(result)).not.toMatch(/passcode|meetup-join/);
  });

  test.each<[string, Record<string, unknown>, string]>([
    ["a zone that is none", { timezone: "Mars/Olympus" }, "timezone: Unknown time zone: use an IANA or a Windows name"],
    [
      "the custom zone of a mailbox",
      { timezone: "Customized Time Zone" },
      "timezone: Unknown time zone: use an IANA or a Windows name",
    ],
    ["a time that is none", { start: "tomorrow" }, "start: Use 2026-03-29, 2026-03-29T09:00 or 2026-03-29T09:00+02:00"],
    [
      "another option",
      { start: "2026-03-29Z&$top=1" },
      "start: Use 2026-03-29, 2026-03-29T09:00 or 2026-03-29T09:00+02:00",
    ],
    ["a limit out of range", { limit: 51 }, "limit: Too big: expected number to be <=50"],
    ["another argument", { filter: "x" }, 'arguments: Unrecognized key: "filter"'],
  ])("refuses %s before Graph is asked", async (_what, args, problem) => {
    const { result, traffic } = await watchCall(adele, "list_events", args);

    expect(result).toMatchObject(
      failureOf("invalid_arguments", `The arguments of list_events are not valid. ${problem}`),
    );
    expect(traffic).toEqual({ graph: [], identity: [] });
  });

  test("refuses a window that ends before it starts", async () => {
    const args = { start: "2026-03-25", end: "2026-03-24", timezone: "UTC" };
    const { result, traffic } = await watchCall(adele, "list_events", args);

    expect(result).toMatchObject(failureOf("invalid_arguments", "The end has to be later than the start."));
    expect(traffic.graph).toEqual([]);
  });

  test.each([{}, { timezone: "UTC" }])("says that a guest has no mailbox (%j)", async (args) => {
    expect(await callAs("sam", "list_events", args)).toMatchObject(
      failureOf("not_found", "This account has no Exchange Online mailbox."),
    );
  });
});

describe("get_event", () => {
  test("returns text and attendees with one request to Graph, for the zone is known", async () => {
    const { result, traffic } = await watchCall(adele, "get_event", { event_id: REVIEW });

    expect(result.structuredContent).toEqual({
      timezone: "Pacific Standard Time",
      id: REVIEW,
      subject: "Store review",
      start_utc: "2026-03-24T17:00:00Z",
      start_local: "2026-03-24T10:00:00",
      end_utc: "2026-03-24T18:00:00Z",
      end_local: "2026-03-24T11:00:00",
      location: "Conf Room Adams",
      organizer: "AdeleV@contoso.com",
      attendee_count: 4,
      online: true,
      show_as: "busy",
      response: "organizer",
      link: REVIEW_LINK,
      attendees: [
        "AlexW@contoso.com (accepted)",
        "MeganB@contoso.com (tentativelyAccepted)",
        "sam@fabrikam.com (notResponded)",
        "adams@contoso.com (accepted)",
      ],
      join_url: "https://teams.example/l/meetup-join/19%3ameeting_store-review",
      text: "Bring the figures of the last quarter & your plans.\n\nDial in: passcode 4711",
      truncated: false,
    });
    expect(JSON.parse(result.content[0]?.text ?? "")).toEqual(result.structuredContent);
    expect(traffic).toEqual({ graph: [one(REVIEW_SEGMENT)], identity: [] });
    expect(sent("prefer")).toEqual([IMMUTABLE_UTC]);
  });

  test("reads the zone in the same request as the event when it is not known yet", async () => {
    const client = await connectAs(stack, "AlexW");
    const found = await client.call("list_events", { start: "2026-03-24", end: "2026-03-24", timezone: "UTC" });
    const id = String((found.structuredContent as unknown as Listed).events[0]?.["id"]);
    tap.clear();
    const { result, traffic } = await watchCall(client, "get_event", { event_id: id });
    await client.close();

    expect(result.structuredContent).toMatchObject({
      timezone: "Pacific Standard Time",
      subject: "Store review",
      start_local: "2026-03-24T10:00:00",
    });
    expect(traffic.graph).toEqual([BATCH]);
    expect(bodies()).toEqual([
      {
        requests: [
          {
            id: "0",
            method: "GET",
            url: `/me/events/${encodeURIComponent(id)}?$select=${DETAILS}`,
            headers: { Prefer: IMMUTABLE_UTC },
          },
          { id: "1", method: "GET", url: "/me/mailboxSettings?$select=timeZone" },
        ],
      },
    ]);
  });

  test("asks for nothing but the event when the zone is named, and returns its text in parts", async () => {
    const args = { event_id: REVIEW, timezone: "Asia/Kolkata", max_chars: 100 };
    stack.graph.traffic.fail(
      {
        kind: "status",
        status: 200,
        body: {
          id: REVIEW,
          subject: "Long",
          start: { dateTime: "2026-03-24T17:00:00.0000000", timeZone: "UTC" },
          end: { dateTime: "2026-03-24T18:00:00.0000000", timeZone: "UTC" },
          body: { contentType: "text", content: "word ".repeat(50) },
        },
      },
      { path: /events/ },
    );
    const { result, traffic } = await watchCall(adele, "get_event", args);

    expect(result.structuredContent).toEqual({
      timezone: "Asia/Kolkata",
      id: REVIEW,
      subject: "Long",
      start_utc: "2026-03-24T17:00:00Z",
      start_local: "2026-03-24T22:30:00",
      end_utc: "2026-03-24T18:00:00Z",
      end_local: "2026-03-24T23:30:00",
      attendee_count: 0,
      show_as: "unknown",
      response: "none",
      link: "",
      attendees: [],
      text: "word ".repeat(20),
      truncated: true,
      next_offset: 100,
    });
    expect(traffic).toEqual({ graph: [one(REVIEW_SEGMENT)], identity: [] });
    expect(sent("prefer")).toEqual([IMMUTABLE_UTC]);
  });

  test("names the first 50 attendees of a large meeting, and counts them all", async () => {
    const attendees = Array.from({ length: 500 }, (_, index) => ({
      emailAddress: { address: `p${index}@contoso.com` },
    }));
    const moment = { dateTime: "2026-03-24T17:00:00.0000000", timeZone: "UTC" };
    stack.graph.traffic.fail(
      { kind: "status", status: 200, body: { id: "x", start: moment, end: moment, attendees } },
      { path: /events/ },
    );

    const { structuredContent } = await adele.call("get_event", { event_id: REVIEW, timezone: "UTC" });

    expect(structuredContent?.["attendee_count"]).toBe(500);
    expect(structuredContent?.["attendees"]).toHaveLength(50);
    expect(structuredContent?.["attendees"]).toContain("p49@contoso.com (none)");
  });

  test("leads from an occurrence to its series, and says in words when that repeats", async () => {
    const { events } = await list(johanna, { start: "2026-03-23", end: "2026-03-23" });
    const occurrence = await johanna.call("get_event", { event_id: events[0]?.["id"] });
    const series = await johanna.call("get_event", { event_id: occurrence.structuredContent?.["series_id"] });

    expect(occurrence.structuredContent).toMatchObject({ start_local: "2026-03-23T09:00:00" });
    expect(occurrence.structuredContent).not.toHaveProperty("recurrence");
    expect(series.structuredContent).toMatchObject({
      subject: "Engineering sync",
      start_utc: "2026-02-23T08:00:00Z",
      start_local: "2026-02-23T09:00:00",
      recurrence: "every week on monday from 2026-02-23 until 2026-06-15",
    });
    expect(series.structuredContent).not.toHaveProperty("series_id");
  });

  test.each([
    [
      { type: "daily", interval: 3, dayOfMonth: 0, month: 0, index: "first" },
      { type: "numbered", startDate: "2026-03-01", endDate: "0001-01-01", numberOfOccurrences: 5 },
      "every 3 days from 2026-03-01, 5 times",
    ],
    [
      { type: "weekly", interval: 2, daysOfWeek: ["monday", "thursday"], month: 0, dayOfMonth: 0, index: "first" },
      { type: "noEnd", startDate: "2026-03-02", endDate: "0001-01-01", numberOfOccurrences: 0 },
      "every 2 weeks on monday, thursday from 2026-03-02",
    ],
    [
      { type: "absoluteMonthly", interval: 1, dayOfMonth: 15, month: 0, index: "first" },
      { type: "endDate", startDate: "2026-03-15", endDate: "2026-12-15", numberOfOccurrences: 0 },
      "every month on day 15 from 2026-03-15 until 2026-12-15",
    ],
    [
      { type: "relativeMonthly", interval: 1, daysOfWeek: ["friday"], dayOfMonth: 0, month: 0, index: "last" },
      { type: "noEnd", startDate: "2026-03-27" },
      "every month on the last friday from 2026-03-27",
    ],
    [
      { type: "relativeYearly", interval: 1, daysOfWeek: ["thursday"], dayOfMonth: 0, month: 11, index: "fourth" },
      { type: "noEnd", startDate: "2026-11-26" },
      "every year on the fourth thursday of month 11 from 2026-11-26",
    ],
    [
      { type: "absoluteYearly", interval: 1, dayOfMonth: 24, month: 12, index: "first" },
      { type: "noEnd", startDate: "2026-12-24" },
      "every year on day 24 of month 12 from 2026-12-24",
    ],
  ])("says in words what Graph calls %j", async (pattern, range, words) => {
    const moment = { dateTime: "2026-03-24T17:00:00.0000000", timeZone: "UTC" };
    const body = { id: "x", start: moment, end: moment, recurrence: { pattern, range } };
    stack.graph.traffic.fail({ kind: "status", status: 200, body }, { path: /events/ });

    const { structuredContent } = await adele.call("get_event", { event_id: REVIEW, timezone: "UTC" });

    expect(structuredContent?.["recurrence"]).toBe(words);
  });

  test.each([{}, { timezone: "UTC" }])("does not find an event that does not exist (%j)", async (more) => {
    const event_id = `${REVIEW.slice(0, -6)}AAAA==`;

    expect(await adele.call("get_event", { event_id, ...more })).toMatchObject(
      failureOf(
        "not_found",
        "Microsoft Graph found nothing with this id. Search again: the id may be wrong or the item gone.",
      ),
    );
  });

  test("does not find an event of somebody else", async () => {
    const result = await johanna.call("get_event", { event_id: REVIEW, timezone: "UTC" });

    expect(result).toMatchObject({ isError: true, _meta: { "azure-graph-mcp/error": { code: "not_found" } } });
  });

  test.each([
    ["a plus, a slash and equals signs", "a+b/c==", "a%2Bb%2Fc%3D%3D"],
    ["a climb", "../messages", "..%2Fmessages"],
    ["an encoded climb", "%2e%2e/messages", "%252e%252e%2Fmessages"],
    ["a query", "x?$select=id", "x%3F%24select%3Did"],
    ["a fragment", "x#", "x%23"],
    ["a key in quotes", "')/messages('", "')%2Fmessages('"],
    ["another host", "//evil.example", "%2F%2Fevil.example"],
    ["a line break", "x\r\ny: z", "x%0D%0Ay%3A%20z"],
  ])("takes %s as an id that is in one place of the path", async (_what, event_id, segment) => {
    const { result, traffic } = await watchCall(adele, "get_event", { event_id, timezone: "UTC" });

    expect(result).toMatchObject(
      failureOf(
        "invalid_arguments",
        "Microsoft Graph does not accept this request. Check the ids and words in the arguments.",
      ),
    );
    expect(traffic.graph).toEqual([one(segment)]);
  });

  test.each(["..", ".", "a\uD800"])("refuses the id %j before Graph is asked", async (event_id) => {
    const { result, traffic } = await watchCall(adele, "get_event", { event_id });

    expect(result).toMatchObject(
      failureOf("invalid_arguments", "An id in the arguments is not valid. Use an id from an earlier result."),
    );
    expect(traffic.graph).toEqual([]);
  });
});

describe("get_schedule", () => {
  const slotsOf = (content: Record<string, unknown> | undefined) => {
    const schedules = content?.["schedules"] as readonly { readonly slots: readonly Record<string, string>[] }[];
    return schedules.flatMap(({ slots }) => slots);
  };
  const window = { start: "2026-03-24", end: "2026-03-24", minutes: 60 };

  test("turns what Exchange answers into free and busy slots in UTC and local, and tells who is unknown", async () => {
    const addresses = ["AlexW@contoso.com", "adams@contoso.com", "nobody@contoso.com"];
    const { result, traffic } = await watchCall(adele, "get_schedule", { addresses, ...window });

    const slots = [
      {
        status: "free",
        start_utc: "2026-03-24T07:00:00Z",
        start_local: "2026-03-24T00:00:00",
        end_utc: "2026-03-24T17:00:00Z",
        end_local: "2026-03-24T10:00:00",
      },
      {
        status: "busy",
        start_utc: "2026-03-24T17:00:00Z",
        start_local: "2026-03-24T10:00:00",
        end_utc: "2026-03-24T18:00:00Z",
        end_local: "2026-03-24T11:00:00",
      },
      {
        status: "free",
        start_utc: "2026-03-24T18:00:00Z",
        start_local: "2026-03-24T11:00:00",
        end_utc: "2026-03-25T07:00:00Z",
        end_local: "2026-03-25T00:00:00",
      },
    ];
    expect(result.structuredContent).toEqual({
      timezone: "Pacific Standard Time",
      schedules: [
        { address: "AlexW@contoso.com", slots },
        { address: "adams@contoso.com", slots },
        { address: "nobody@contoso.com", slots: [], error: "ErrorMailRecipientNotFound" },
      ],
    });
    expect(JSON.parse(result.content[0]?.text ?? "")).toEqual(result.structuredContent);
    expect(traffic).toEqual({ graph: ["POST /v1.0/me/calendar/getSchedule"], identity: [] });
    expect(sent("prefer")).toEqual(['outlook.timezone="UTC"']);
    expect(bodies()).toEqual([
      {
        schedules: addresses,
        startTime: { dateTime: "2026-03-24T07:00:00", timeZone: "UTC" },
        endTime: { dateTime: "2026-03-25T07:00:00", timeZone: "UTC" },
        availabilityViewInterval: 60,
      },
    ]);
  });

  test("knows every kind of time, also across the day of 23 hours", async () => {
    const body = { value: [{ scheduleId: "a@contoso.com", availabilityView: "0011223344?" }] };
    stack.graph.traffic.fail({ kind: "status", status: 200, body }, { path: /getSchedule/ });
    const { structuredContent } = await adele.call("get_schedule", {
      addresses: ["a@contoso.com"],
      start: "2026-03-28T22:00",
      end: "2026-03-29T10:00",
      minutes: 60,
      timezone: "Europe/Berlin",
    });

    const slots = slotsOf(structuredContent);
    expect(slots.map(({ status, start_local, end_local }) => [status, start_local, end_local])).toEqual([
      ["free", "2026-03-28T22:00:00", "2026-03-29T00:00:00"],
      ["tentative", "2026-03-29T00:00:00", "2026-03-29T03:00:00"],
      ["busy", "2026-03-29T03:00:00", "2026-03-29T05:00:00"],
      ["oof", "2026-03-29T05:00:00", "2026-03-29T07:00:00"],
      ["workingElsewhere", "2026-03-29T07:00:00", "2026-03-29T09:00:00"],
      ["unknown", "2026-03-29T09:00:00", "2026-03-29T10:00:00"],
    ]);
  });

  test("returns the first 50 slots of a long window", async () => {
    const body = { value: [{ scheduleId: "a@contoso.com", availabilityView: "02".repeat(500) }] };
    stack.graph.traffic.fail({ kind: "status", status: 200, body }, { path: /getSchedule/ });
    const args = { addresses: ["a@contoso.com"], start: "2026-03-01", end: "2026-03-31", timezone: "UTC" };
    const { structuredContent } = await adele.call("get_schedule", args);

    expect(slotsOf(structuredContent)).toHaveLength(50);
  });

  test("says that times are not suggested here, and does not ask Graph for them", async () => {
    const args = { addresses: ["AlexW@contoso.com"], ...window, timezone: "UTC", suggest: true };
    const { result, traffic } = await watchCall(adele, "get_schedule", args);

    expect(result.structuredContent).toMatchObject({
      note: "This server may not suggest times: it lacks Calendars.Read.Shared.",
    });
    expect(result.structuredContent).not.toHaveProperty("suggestions");
    expect(traffic.graph).toEqual(["POST /v1.0/me/calendar/getSchedule"]);
  });

  test("asks again after 503, because asking changes nothing", async () => {
    stack.graph.traffic.fail({ kind: "status", status: 503 }, { times: 1, path: /getSchedule/ });
    const args = { addresses: ["AlexW@contoso.com"], ...window, timezone: "UTC" };
    const { result, traffic } = await watchCall(adele, "get_schedule", args);

    expect(result.isError).toBeUndefined();
    expect(traffic.graph).toEqual(["POST /v1.0/me/calendar/getSchedule", "POST /v1.0/me/calendar/getSchedule"]);
  });

  test.each<[string, Record<string, unknown>, string]>([
    ["nobody", { addresses: [] }, "addresses: Too small: expected array to have >=1 items"],
    [
      "a crowd",
      { addresses: Array.from({ length: 21 }, (_, index) => `p${index}@contoso.com`) },
      "addresses: Too big: expected array to have <=20 items",
    ],
    ["slots that are too short", { addresses: ["a@b.c"], minutes: 4 }, "minutes: Too small: expected number to be >=5"],
    [
      "slots that are too long",
      { addresses: ["a@b.c"], minutes: 1441 },
      "minutes: Too big: expected number to be <=1440",
    ],
  ])("refuses %s before Graph is asked", async (_what, args, problem) => {
    const { result, traffic } = await watchCall(adele, "get_schedule", args);

    expect(result).toMatchObject(
      failureOf("invalid_arguments", `The arguments of get_schedule are not valid. ${problem}`),
    );
    expect(traffic).toEqual({ graph: [], identity: [] });
  });

  test("says that a guest has no mailbox", async () => {
    const args = { addresses: ["AlexW@contoso.com"], timezone: "UTC" };
    expect(await callAs("sam", "get_schedule", args)).toMatchObject(
      failureOf("not_found", "This account has no Exchange Online mailbox."),
    );
  });
});

describe("get_schedule on a server with EXTRA_PERMISSIONS=Calendars.Read.Shared", () => {
  let extra: Stack;
  beforeAll(async () => {
    extra = await startStack("bearer", { EXTRA_PERMISSIONS: "Calendars.Read.Shared" });
    extra.graph.switches["graph.today"] = TODAY;
    extra.tenant.grants.push({
      clientAppId: CONTOSO.serverAppId,
      resourceAppId: MICROSOFT_GRAPH_APP_ID,
      userId: "all",
      scopes: ["Calendars.Read.Shared"],
    });
  });
  afterAll(() => extra.close());

  test("suggests times that suit everybody, in working hours, in zones that Exchange knows", async () => {
    const client = await connectAs(extra, "AdeleV");
    await client.call("get_schedule", { addresses: ["AlexW@contoso.com"] });
    tap.clear();
    const { result, traffic } = await watch(extra, () =>
      client.call("get_schedule", {
        addresses: ["AlexW@contoso.com", "adams@contoso.com"],
        start: "2026-03-24T09:00",
        end: "2026-03-24T12:30",
        minutes: 60,
        timezone: "America/Los_Angeles",
        suggest: true,
      }),
    );
    await client.close();

    expect(result.structuredContent?.["suggestions"]).toEqual([
      {
        start_utc: "2026-03-24T18:00:00Z",
        start_local: "2026-03-24T11:00:00",
        end_utc: "2026-03-24T19:00:00Z",
        end_local: "2026-03-24T12:00:00",
      },
      {
        start_utc: "2026-03-24T18:30:00Z",
        start_local: "2026-03-24T11:30:00",
        end_utc: "2026-03-24T19:30:00Z",
        end_local: "2026-03-24T12:30:00",
      },
    ]);
    expect(traffic.graph).toEqual(["POST /v1.0/me/calendar/getSchedule", "POST /v1.0/me/findMeetingTimes"]);
    expect(extra.graph.traffic.requests[1]?.headers["prefer"]).toBe('outlook.timezone="UTC"');
    const asked = tap.requests.find(({ url }) => url === "/v1.0/me/findMeetingTimes")?.body() ?? "";
    expect(JSON.parse(asked)).toEqual({
      attendees: [
        { type: "required", emailAddress: { address: "AlexW@contoso.com" } },
        { type: "required", emailAddress: { address: "adams@contoso.com" } },
      ],
      timeConstraint: {
        activityDomain: "work",
        timeSlots: [
          {
            start: { dateTime: "2026-03-24T16:00:00", timeZone: "UTC" },
            end: { dateTime: "2026-03-24T19:30:00", timeZone: "UTC" },
          },
        ],
      },
      meetingDuration: "PT60M",
      maxCandidates: 5,
    });
  });
});
