import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Meeting } from "../../emulators/calendar.ts";
import { createCalendars } from "../../emulators/contoso/calendar.ts";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { auditLine } from "../support/audit-lines.ts";
import { failureOf } from "../support/failures.ts";
import type { FormAnswer, McpClient, Question } from "../support/mcp-clients.ts";
import { connectAs, watch } from "../support/outside-traffic.ts";
import { createRounds, YES } from "../support/rounds.ts";
import { type Stack, startStack } from "../support/stack.ts";
import { startWireTap, type WireTap } from "../support/wire-tap.ts";

/** A Wednesday: on the Sunday after it, clocks go forward in Europe; in America they did two weeks before. */
const TODAY = "2026-03-25";
const IMMUTABLE_UTC = 'IdType="ImmutableId", outlook.timezone="UTC"';
const FIELDS =
  "id%2Csubject%2Cstart%2Cend%2CisAllDay%2Clocation%2Cattendees%2Corganizer%2CisOrganizer%2CisOnlineMeeting%2C" +
  "onlineMeeting%2Crecurrence%2Ctype%2CoriginalStartTimeZone%2CresponseRequested%2CchangeKey%2CwebLink";
const ACTIONS = /\/(?:accept|tentativelyAccept|decline|cancel)$/;

const read = (id: string) => `GET /v1.0/me/events/${encodeURIComponent(id)}?$select=${FIELDS}`;

let stack: Stack;
let tap: WireTap;
let adele: McpClient;
let johanna: McpClient;
let questions: string[] = [];
let answer: (question: Question) => FormAnswer = () => YES;

const connectPerson = (user: string) =>
  connectAs(stack, user, {
    elicit(question) {
      questions.push(question.message);
      return answer(question);
    },
  });

beforeAll(async () => {
  tap = startWireTap();
  stack = await startStack("easy-auth", { ALLOW_WRITES: "true", TOOLSETS: "calendar" });
  [adele, johanna] = await Promise.all([connectPerson("AdeleV"), connectPerson("JohannaL")]);
  // So that each test sees what its own call asks for: tokens, and what is remembered of a mailbox.
  for (const client of [adele, johanna]) {
    const args = { subject: "x", start: "2026-03-25", end: "2026-03-25", attendees: ["AlexW@contoso.com"] };
    await client.call("create_event", args);
    await client.call("list_events");
  }
});
afterAll(async () => {
  await Promise.all([adele.close(), johanna.close()]);
  await stack.close();
  tap.stop();
});
beforeEach(() => {
  stack.graph.switches["graph.today"] = TODAY;
  meetings().splice(0, meetings().length, ...createCalendars()(new Date(TODAY)).meetings);
  questions = [];
  answer = () => YES;
});
afterEach(() => stack.graph.traffic.recover());

const meetings = (): Meeting[] => stack.tenant.calendarAround(new Date(TODAY)).meetings;

/** Somebody else changes a meeting. */
function changeElsewhere(key: string, change: Partial<Meeting>): void {
  const index = meetings().findIndex((meeting) => meeting.key === key);
  const meeting = meetings()[index];
  if (meeting) meetings()[index] = { ...meeting, ...change, version: (meeting.version ?? 0) + 1 };
}

/** A call's result, what it asked of Graph, and the bodies of what it changed there. */
async function watchCall(client: McpClient, name: string, args: Record<string, unknown>) {
  tap.clear();
  const { result, traffic } = await watch(stack, () => client.call(name, args));
  const writes = tap.requests.filter(
    ({ port, method }) => port === Number(new URL(stack.graph.origin).port) && method !== "GET",
  );
  const bodies = writes.map((request) => JSON.parse(request.body()) as Record<string, unknown>);
  return { result, graph: traffic.graph, writes, bodies };
}

/** Calls a tool as somebody else, who says yes. */
async function callAs(user: string, name: string, args: Record<string, unknown>) {
  const client = await connectPerson(user);
  const watched = await watchCall(client, name, args);
  await client.close();
  return watched;
}

interface Listed {
  readonly id: string;
  readonly subject: string;
  readonly [field: string]: unknown;
}

async function eventsOf(client: McpClient, start: string, end: string, timezone?: string): Promise<readonly Listed[]> {
  const result = await client.call("list_events", { start, end, limit: 50, ...(timezone && { timezone }) });
  return (result.structuredContent as unknown as { events: readonly Listed[] }).events;
}

async function idOf(client: McpClient, subject: string, day: string): Promise<string> {
  const found = (await eventsOf(client, day, day)).find((event) => event.subject === subject);
  if (found) return found.id;
  throw new Error(`${subject} is not on ${day}.`);
}

const GRAPH_REFUSED = "Microsoft Graph does not accept this request. Check the ids and words in the arguments.";

describe("create_event", () => {
  const MEETING = {
    subject: "Spring windows",
    start: "2026-03-30T09:00",
    end: "2026-03-30T09:45",
    attendees: ["AlexW@contoso.com", "sam@fabrikam.com"],
    optional_attendees: ["MeganB@contoso.com"],
    location: "Conf Room Adams",
    text: "Bring <samples> & ideas.\nThanks",
    online: true,
  };

  test("invites people after the person saw when, where and who, and what it says", async () => {
    const { result, graph, writes, bodies } = await watchCall(adele, "create_event", MEETING);

    expect(questions).toEqual([
      [
        'Send invitations to "Spring windows"?',
        "When: 2026-03-30 09:00 to 09:45 (Pacific Standard Time)",
        "Where: Conf Room Adams",
        "Online: Microsoft Teams",
        "To: AlexW@contoso.com, sam@fabrikam.com (EXTERNAL)",
        "Optional: MeganB@contoso.com",
        "Text (31 characters):",
        "> Bring <samples> & ideas.",
        "> Thanks",
      ].join("\n"),
    ]);
    expect(graph).toEqual(["POST /v1.0/me/events"]);
    expect(writes[0]?.headers["prefer"]).toBe(IMMUTABLE_UTC);
    expect(bodies).toEqual([
      {
        subject: "Spring windows",
        start: { dateTime: "2026-03-30T09:00:00", timeZone: "Pacific Standard Time" },
        end: { dateTime: "2026-03-30T09:45:00", timeZone: "Pacific Standard Time" },
        isAllDay: false,
        attendees: [
          { type: "required", emailAddress: { address: "AlexW@contoso.com" } },
          { type: "required", emailAddress: { address: "sam@fabrikam.com" } },
          { type: "optional", emailAddress: { address: "MeganB@contoso.com" } },
        ],
        location: { displayName: "Conf Room Adams" },
        body: { contentType: "text", content: "Bring <samples> & ideas.\nThanks" },
        isOnlineMeeting: true,
        onlineMeetingProvider: "teamsForBusiness",
        transactionId: expect.stringMatching(/^[\w-]{36}$/),
      },
    ]);
    expect(result.structuredContent).toEqual({
      id: expect.stringMatching(/^AAkALgAA/),
      when: "2026-03-30 09:00 to 09:45 (Pacific Standard Time)",
      link: expect.stringMatching(/^https:\/\/outlook\.office365\.com\/owa\/\?itemid=AAkALgAA/),
      join_url: expect.stringMatching(/^https:\/\/teams\.example\/l\/meetup-join\//),
    });
    const invited = await callAs("AlexW", "list_events", { start: "2026-03-30", end: "2026-03-30" });
    expect(invited.result.structuredContent?.["events"]).toMatchObject([
      { subject: "Spring windows", response: "notResponded", organizer: "AdeleV@contoso.com" },
    ]);
  });

  test("sends nothing that the person did not see", async () => {
    const { bodies } = await watchCall(adele, "create_event", {
      ...MEETING,
      subject: "Spring\u200b\nwindows",
      location: " Conf Room\u2028Adams\u202e",
      text: "Bring\u{e0041} samples\r\nThanks\u0000",
    });

    expect(questions[0]).toContain('"Spring windows"');
    expect(bodies).toMatchObject([
      {
        subject: "Spring windows",
        location: { displayName: "Conf Room Adams" },
        body: { content: "Bring samples\nThanks" },
      },
    ]);
  });

  test("asks nobody about an event of the user alone, also where nobody could be asked", async () => {
    const silent = await connectAs(stack, "AdeleV");
    const args = { subject: "Focus", start: "2026-03-30T13:00", end: "2026-03-30T14:00" };
    const { result, bodies } = await watchCall(silent, "create_event", args);
    await silent.close();

    expect(result.structuredContent).toMatchObject({ when: "2026-03-30 13:00 to 14:00 (Pacific Standard Time)" });
    expect(questions).toEqual([]);
    expect(bodies[0]).toEqual({
      subject: "Focus",
      start: { dateTime: "2026-03-30T13:00:00", timeZone: "Pacific Standard Time" },
      end: { dateTime: "2026-03-30T14:00:00", timeZone: "Pacific Standard Time" },
      isAllDay: false,
      attendees: [],
      transactionId: expect.any(String),
    });
  });

  test("keeps a series at its local hour when clocks go forward", async () => {
    await johanna.call("create_event", {
      subject: "Release",
      start: "2026-03-26T15:00",
      end: "2026-03-26T15:30",
      recurrence: "FREQ=WEEKLY;COUNT=3",
    });

    const listed = (await eventsOf(johanna, "2026-03-23", "2026-04-30")).filter(({ subject }) => subject === "Release");
    expect(listed.map(({ start_utc, start_local }) => [start_utc, start_local])).toEqual([
      ["2026-03-26T14:00:00Z", "2026-03-26T15:00:00"],
      ["2026-04-02T13:00:00Z", "2026-04-02T15:00:00"],
      ["2026-04-09T13:00:00Z", "2026-04-09T15:00:00"],
    ]);
  });

  test("shows a series in the person's own zone and the one that was named, which Graph is told by its Windows name", async () => {
    const { bodies } = await watchCall(adele, "create_event", {
      ...MEETING,
      timezone: "Europe/Berlin",
      recurrence: "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH;UNTIL=20260630",
    });

    expect(questions[0]).toContain(
      "When: 2026-03-30 00:00 to 00:45 (Pacific Standard Time) = 2026-03-30 09:00 to 09:45 (Europe/Berlin)\n" +
        "Repeats: every 2 weeks on monday, thursday from 2026-03-30 until 2026-06-30 (Europe/Berlin)\n",
    );
    expect(bodies[0]).toMatchObject({
      start: { dateTime: "2026-03-30T09:00:00", timeZone: "W. Europe Standard Time" },
      recurrence: {
        pattern: { type: "weekly", interval: 2, daysOfWeek: ["monday", "thursday"], firstDayOfWeek: "monday" },
        range: {
          type: "endDate",
          startDate: "2026-03-30",
          endDate: "2026-06-30",
          recurrenceTimeZone: "W. Europe Standard Time",
        },
      },
    });
  });

  test.each<[string, object]>([
    [
      "FREQ=DAILY;INTERVAL=3;COUNT=5",
      { pattern: { type: "daily", interval: 3 }, range: { type: "numbered", numberOfOccurrences: 5 } },
    ],
    [
      "FREQ=WEEKLY",
      {
        pattern: { type: "weekly", interval: 1, daysOfWeek: ["monday"], firstDayOfWeek: "monday" },
        range: { type: "noEnd" },
      },
    ],
    ["FREQ=MONTHLY", { pattern: { type: "absoluteMonthly", interval: 1, dayOfMonth: 30 }, range: { type: "noEnd" } }],
    [
      "FREQ=MONTHLY;BYDAY=-1MO;UNTIL=20261231",
      {
        pattern: { type: "relativeMonthly", interval: 1, daysOfWeek: ["monday"], index: "last" },
        range: { type: "endDate", endDate: "2026-12-31" },
      },
    ],
  ])("says %s as Graph says it", async (recurrence, { pattern, range }: { pattern?: object; range?: object }) => {
    const args = { subject: "Rule", start: "2026-03-30T09:00", end: "2026-03-30T10:00", recurrence };
    const { result, bodies } = await watchCall(adele, "create_event", args);

    expect(result.isError).toBeUndefined();
    expect(bodies[0]?.["recurrence"]).toEqual({
      pattern,
      range: { startDate: "2026-03-30", recurrenceTimeZone: "Pacific Standard Time", ...range },
    });
  });

  test.each(["FREQ=WEEKLY;BYDAY=TU", "FREQ=MONTHLY;BYDAY=1MO", "FREQ=MONTHLY;BYDAY=-1TU", "FREQ=DAILY;UNTIL=20260329"])(
    "refuses %s, which leaves the first day out",
    async (recurrence) => {
      const args = { subject: "Rule", start: "2026-03-30T09:00", end: "2026-03-30T10:00", recurrence };
      const { result, writes } = await watchCall(adele, "create_event", args);

      expect(result).toMatchObject(
        failureOf("invalid_arguments", "The recurrence does not have the day of start in it."),
      );
      expect(writes).toEqual([]);
    },
  );

  test("reads a time with an offset on the clocks of the zone", async () => {
    const args = { subject: "Call", start: "2026-03-30T18:00+02:00", end: "2026-03-30T16:30Z" };
    const { result, bodies } = await watchCall(adele, "create_event", args);

    expect(bodies[0]?.["start"]).toEqual({ dateTime: "2026-03-30T09:00:00", timeZone: "Pacific Standard Time" });
    expect(result.structuredContent?.["when"]).toBe("2026-03-30 09:00 to 09:30 (Pacific Standard Time)");
  });

  test("moves a time that clocks skip behind the change, as it shows and as it sends", async () => {
    const args = {
      subject: "Early",
      start: "2026-03-29T02:30",
      end: "2026-03-29T04:00",
      attendees: ["AlexW@contoso.com"],
    };
    const { bodies } = await watchCall(johanna, "create_event", args);

    expect(questions[0]).toContain("\nWhen: 2026-03-29 03:30 to 04:00 (W. Europe Standard Time)\n");
    expect(bodies[0]?.["start"]).toEqual({ dateTime: "2026-03-29T03:30:00", timeZone: "W. Europe Standard Time" });
  });

  test("names a moment that clocks show twice in UTC", async () => {
    stack.graph.switches["graph.today"] = "2026-10-21";
    const args = { subject: "Night", start: "2026-10-25T02:30+01:00", end: "2026-10-25T03:30" };
    const { bodies } = await watchCall(johanna, "create_event", args);

    expect(bodies[0]).toMatchObject({
      start: { dateTime: "2026-10-25T01:30:00", timeZone: "UTC" },
      end: { dateTime: "2026-10-25T02:30:00", timeZone: "UTC" },
    });
  });

  test.each([
    ["AdeleV", "Pacific Standard Time"],
    ["PradeepG", "India Standard Time"],
  ])("takes dates for whole days, of which the last one is included (%s)", async (user, timeZone) => {
    const args = { subject: "Fair", start: "2026-03-28", end: "2026-03-30", attendees: ["AlexW@contoso.com"] };
    const { result, bodies } = await callAs(user, "create_event", args);

    expect(questions[0]).toContain("\nWhen: 2026-03-28 to 2026-03-30, whole days\n");
    expect(bodies[0]).toMatchObject({
      start: { dateTime: "2026-03-28T00:00:00", timeZone },
      end: { dateTime: "2026-03-31T00:00:00", timeZone },
      isAllDay: true,
    });
    expect(result.structuredContent?.["when"]).toBe("2026-03-28 to 2026-03-30, whole days");
    const listed = await callAs(user, "list_events", { start: "2026-03-28", end: "2026-03-30", limit: 50 });
    expect(listed.result.structuredContent?.["events"]).toContainEqual(
      expect.objectContaining({ subject: "Fair", start_local: "2026-03-28", end_local: "2026-03-30", all_day: true }),
    );
  });

  test("wants a zone where the mailbox has one without a name", async () => {
    const args = { subject: "Plan", start: "2026-03-30T09:00", end: "2026-03-30T10:00" };
    const { result, writes } = await callAs("LynneR", "create_event", args);
    const named = await callAs("LynneR", "create_event", { ...args, timezone: "America/Denver" });

    expect(result).toMatchObject(
      failureOf(
        "invalid_arguments",
        "The time zone of this mailbox has no name. Ask the person for theirs, and pass it as timezone.",
      ),
    );
    expect(writes).toEqual([]);
    expect(named.bodies[0]?.["start"]).toEqual({ dateTime: "2026-03-30T09:00:00", timeZone: "Mountain Standard Time" });
  });

  test("is sent again after 503 under the same name, and makes one event (G53)", async () => {
    stack.graph.traffic.fail({ kind: "status", status: 503 }, { times: 1, path: /\/events$/ });
    const args = { subject: "Once", start: "2026-03-30T09:00", end: "2026-03-30T10:00" };
    const { result, bodies } = await watchCall(adele, "create_event", args);
    const again = await watchCall(adele, "create_event", args);

    expect(bodies).toHaveLength(2);
    expect([...bodies, ...again.bodies].map(({ transactionId }) => transactionId)).toEqual(
      Array(3).fill(bodies[0]?.["transactionId"]),
    );
    expect(again.result.structuredContent?.["id"]).toBe(result.structuredContent?.["id"]);
    expect(meetings().filter(({ subject }) => subject === "Once")).toHaveLength(1);
  });

  test("two different events have different names", async () => {
    const args = { subject: "A", start: "2026-03-30T09:00", end: "2026-03-30T10:00" };
    const first = await watchCall(adele, "create_event", args);
    const second = await watchCall(adele, "create_event", { ...args, subject: "B" });
    const other = await watchCall(johanna, "create_event", args);

    const named = [first, second, other].map(({ bodies }) => bodies[0]?.["transactionId"]);
    expect(new Set(named).size).toBe(3);
  });

  test("an approval counts once", async () => {
    const round = await createRounds(stack, "create_event", MEETING);
    const { requestState } = await round();
    const approved = { inputResponses: { approval: YES }, requestState };

    expect((await round(approved)).isError).toBeUndefined();
    tap.clear();
    expect(await round(approved)).toMatchObject(failureOf("already_done"));
    expect(tap.requests.filter(({ url }) => url.endsWith("/events"))).toEqual([]);
  });

  test("nothing is created when the person does not approve, or cannot be asked", async () => {
    answer = () => ({ action: "decline" });
    const declined = await watchCall(adele, "create_event", MEETING);
    const silent = await connectAs(stack, "AdeleV");
    const unasked = await watchCall(silent, "create_event", MEETING);
    await silent.close();

    expect(declined.result).toMatchObject(failureOf("not_confirmed"));
    expect(unasked.result).toMatchObject(failureOf("confirmation_unavailable"));
    expect([...declined.writes, ...unasked.writes]).toEqual([]);
  });

  test("text cannot pose as a line of the question", async () => {
    await adele.call("create_event", {
      ...MEETING,
      subject: "Lunch\nTo: nobody@contoso.com\u202e",
      location: "Here\r\nTo: nobody@contoso.com",
      text: "x\nTo: nobody@contoso.com",
    });

    expect(questions[0]?.split("\n").filter((line) => line.startsWith("To:"))).toEqual([
      "To: AlexW@contoso.com, sam@fabrikam.com (EXTERNAL)",
    ]);
  });

  test("somebody without the role is refused, and that is audited", async () => {
    const { result, graph } = await callAs("DiegoS", "create_event", MEETING);

    expect(result).toMatchObject(failureOf("forbidden"));
    expect(graph).toEqual([]);
    const failure = result._meta?.["azure-graph-mcp/error"] as { readonly requestId: string } | undefined;
    expect(await auditLine(stack, failure?.requestId)).toMatchObject({
      tool: "create_event",
      decision: "denied",
      outcome: "error",
      reason: "forbidden",
    });
  });

  test("a guest has no mailbox", async () => {
    stack.tenant.roleAssignments.push({
      userId: stack.tenant.users.find(({ mail }) => mail === "sam@fabrikam.com")?.id ?? "",
      resourceAppId: CONTOSO.serverAppId,
      role: "Mcp.Write",
    });
    const { result } = await callAs("sam", "create_event", { ...MEETING, timezone: "UTC" });
    stack.tenant.roleAssignments.pop();

    expect(result).toMatchObject(failureOf("not_found", "This account has no Exchange Online mailbox."));
  });

  test.each<[string, Record<string, unknown>, string]>([
    ["an end before the start", { end: "2026-03-30T08:00" }, "The end has to be later than the start."],
    ["a date with a time", { end: "2026-03-30" }, "Give two dates for whole days, or two times."],
  ])("refuses %s", async (_what, args, message) => {
    const { result, writes } = await watchCall(adele, "create_event", { ...MEETING, ...args });
    expect(result).toMatchObject(failureOf("invalid_arguments", message));
    expect(writes).toEqual([]);
  });

  test.each<[string, Record<string, unknown>, string]>([
    ["a name for an address", { attendees: ["Alex"] }, "attendees.0: Use addresses such as ann@contoso.com"],
    ["a hidden letter", { optional_attendees: ["a\u200b@b.c"] }, "optional_attendees.0: Use addresses such as"],
    ["two addresses in one", { attendees: ["a@b.c,d@e.f"] }, "attendees.0: Use addresses such as ann@contoso.com"],
    [
      "a crowd",
      { attendees: Array.from({ length: 51 }, (_, index) => `p${index}@contoso.com`) },
      "attendees: Too big: expected array to have <=50 items",
    ],
    [
      "a rule for years",
      { recurrence: "FREQ=YEARLY" },
      "recurrence: Use FREQ=DAILY, WEEKLY (BYDAY=MO,TH) or MONTHLY (BYDAY=2TU, -1FR), INTERVAL, and UNTIL=20260630 or COUNT",
    ],
    ["two ends of a series", { recurrence: "FREQ=DAILY;COUNT=2;UNTIL=20260630" }, "recurrence: Use FREQ=DAILY"],
    ["a day that is none", { recurrence: "FREQ=DAILY;UNTIL=20260231" }, "recurrence: Use FREQ=DAILY"],
    ["another zone", { timezone: "Mars/Olympus" }, "timezone: Unknown time zone: use an IANA or a Windows name"],
    ["no time", { start: undefined }, "start: Invalid input: expected string, received undefined"],
  ])("refuses %s before Graph is asked", async (_what, args, problem) => {
    const { result, graph } = await watchCall(adele, "create_event", { ...MEETING, ...args });
    expect(result).toMatchObject(
      failureOf(
        "invalid_arguments",
        expect.stringContaining(`The arguments of create_event are not valid. ${problem}`),
      ),
    );
    expect(graph).toEqual([]);
  });
});

describe("update_event", () => {
  test("changes a meeting after the person saw what becomes what, and who is told", async () => {
    changeElsewhere("store-review", { joinUrl: undefined });
    const id = await idOf(adele, "Store review", "2026-03-24");
    const { result, graph, writes, bodies } = await watchCall(adele, "update_event", {
      event_id: id,
      subject: "Store tour",
      start: "2026-03-26T13:00",
      location: "Lobby",
      text: "Wear shoes.",
    });

    expect(questions).toEqual([
      [
        'Change "Store review"?',
        "Subject: Store review -> Store tour",
        "When: 2026-03-24 10:00 to 11:00 (Pacific Standard Time) -> 2026-03-26 13:00 to 14:00 (Pacific Standard Time)",
        "Where: Conf Room Adams -> Lobby",
        "New Text (11 characters):",
        "> Wear shoes.",
        "Told of it: AlexW@contoso.com, MeganB@contoso.com, sam@fabrikam.com (EXTERNAL), adams@contoso.com",
      ].join("\n"),
    ]);
    const patch = `PATCH /v1.0/me/events/${encodeURIComponent(id)}`;
    expect(graph).toEqual([read(id), read(id), read(id), patch]);
    expect(writes[0]?.headers["prefer"]).toBe(IMMUTABLE_UTC);
    expect(bodies).toEqual([
      {
        subject: "Store tour",
        start: { dateTime: "2026-03-26T13:00:00", timeZone: "Pacific Standard Time" },
        end: { dateTime: "2026-03-26T14:00:00", timeZone: "Pacific Standard Time" },
        isAllDay: false,
        location: { displayName: "Lobby" },
        body: { contentType: "text", content: "Wear shoes." },
      },
    ]);
    expect(result.structuredContent).toMatchObject({ id, when: "2026-03-26 13:00 to 14:00 (Pacific Standard Time)" });
  });

  test("sends nothing that the person did not see", async () => {
    changeElsewhere("store-review", { joinUrl: undefined });
    const { bodies } = await watchCall(adele, "update_event", {
      event_id: await idOf(adele, "Store review", "2026-03-24"),
      subject: "Store\u200b\nwalk",
      location: "Door\u202e 2",
      text: "Bring\u{e0041} boots\u0000",
    });

    expect(questions[0]).toContain("Subject: Store review -> Store walk\n");
    expect(bodies).toEqual([
      {
        subject: "Store walk",
        location: { displayName: "Door 2" },
        body: { contentType: "text", content: "Bring boots" },
      },
    ]);
  });

  test("changes what nobody else has without a question", async () => {
    const id = await idOf(adele, "Dentist", "2026-03-23");
    const { result, bodies } = await watchCall(adele, "update_event", { event_id: id, end: "2026-03-23T16:30" });

    expect(questions).toEqual([]);
    expect(bodies).toEqual([
      {
        start: { dateTime: "2026-03-23T15:00:00", timeZone: "Pacific Standard Time" },
        end: { dateTime: "2026-03-23T16:30:00", timeZone: "Pacific Standard Time" },
        isAllDay: false,
      },
    ]);
    expect(result.structuredContent?.["when"]).toBe("2026-03-23 15:00 to 16:30 (Pacific Standard Time)");
  });

  test("invites and uninvites, and tells nobody else", async () => {
    const id = await idOf(adele, "Store review", "2026-03-24");
    const { bodies } = await watchCall(adele, "update_event", {
      event_id: id,
      add_attendees: ["ann@fabrikam.com", "alexw@contoso.com"],
      remove_attendees: ["meganb@contoso.com", "nobody@contoso.com"],
    });

    expect(questions).toEqual([
      [
        'Change "Store review"?',
        "When: 2026-03-24 10:00 to 11:00 (Pacific Standard Time)",
        "Invite: ann@fabrikam.com (EXTERNAL)",
        "Uninvite: MeganB@contoso.com",
        "Told of it: MeganB@contoso.com, ann@fabrikam.com (EXTERNAL)",
      ].join("\n"),
    ]);
    expect(bodies).toEqual([
      {
        attendees: [
          { type: "required", emailAddress: { name: "Alex Wilber", address: "AlexW@contoso.com" } },
          { type: "optional", emailAddress: { name: "Sam Jenkins", address: "sam@fabrikam.com" } },
          { type: "resource", emailAddress: { name: "Conf Room Adams", address: "adams@contoso.com" } },
          { type: "required", emailAddress: { address: "ann@fabrikam.com" } },
        ],
      },
    ]);
    const { structuredContent } = await adele.call("get_event", { event_id: id });
    expect(structuredContent?.["attendees"]).toEqual([
      "AlexW@contoso.com (accepted)",
      "sam@fabrikam.com (notResponded)",
      "adams@contoso.com (accepted)",
      "ann@fabrikam.com (notResponded)",
    ]);
  });

  const sync = async () =>
    (await eventsOf(johanna, "2026-03-16", "2026-04-20"))
      .filter(({ subject }) => subject !== "Night deployment")
      .map(({ subject, start_utc, start_local }) => [subject, start_utc, start_local]);

  test("changes one occurrence and leaves its series, with the exception in it, alone", async () => {
    const id = await idOf(johanna, "Engineering sync", "2026-04-13");
    const { result, bodies } = await watchCall(johanna, "update_event", { event_id: id, start: "2026-04-14T11:00" });

    expect(questions[0]).toContain(
      'Change "Engineering sync"?\nOnly this one of its series.\nWhen: 2026-04-13 09:00 to 10:00',
    );
    expect(bodies).toEqual([
      {
        start: { dateTime: "2026-04-14T11:00:00", timeZone: "W. Europe Standard Time" },
        end: { dateTime: "2026-04-14T12:00:00", timeZone: "W. Europe Standard Time" },
        isAllDay: false,
      },
    ]);
    expect(result.structuredContent?.["when"]).toBe("2026-04-14 11:00 to 12:00 (W. Europe Standard Time)");
    expect(await sync()).toEqual([
      ["Engineering sync", "2026-03-16T08:00:00Z", "2026-03-16T09:00:00"],
      ["Engineering sync", "2026-03-23T08:00:00Z", "2026-03-23T09:00:00"],
      ["Engineering sync: planning", "2026-03-31T12:00:00Z", "2026-03-31T14:00:00"],
      ["Engineering sync", "2026-04-14T09:00:00Z", "2026-04-14T11:00:00"],
      ["Engineering sync", "2026-04-20T07:00:00Z", "2026-04-20T09:00:00"],
    ]);
  });

  test("moves a series to another hour, the same one before and after clocks go forward", async () => {
    const occurrence = await idOf(johanna, "Engineering sync", "2026-03-23");
    const { structuredContent } = await johanna.call("get_event", { event_id: occurrence });
    const args = { event_id: structuredContent?.["series_id"], start: "2026-02-23T10:30", end: "2026-02-23T11:00" };
    const { bodies } = await watchCall(johanna, "update_event", args);

    expect(questions[0]).toContain(
      "The whole series: every week on monday from 2026-02-23 until 2026-06-15.\n" +
        "When: 2026-02-23 09:00 to 10:00 (W. Europe Standard Time) -> 2026-02-23 10:30 to 11:00 (W. Europe Standard Time)\n" +
        "Told of it: HenriettaM@contoso.com, JordanM@contoso.com, PradeepG@contoso.com, JuergenM@contoso.com",
    );
    expect(bodies[0]?.["start"]).toEqual({ dateTime: "2026-02-23T10:30:00", timeZone: "W. Europe Standard Time" });
    expect(await sync()).toEqual([
      ["Engineering sync", "2026-03-16T09:30:00Z", "2026-03-16T10:30:00"],
      ["Engineering sync", "2026-03-23T09:30:00Z", "2026-03-23T10:30:00"],
      ["Engineering sync: planning", "2026-03-31T12:00:00Z", "2026-03-31T14:00:00"],
      ["Engineering sync", "2026-04-13T08:30:00Z", "2026-04-13T10:30:00"],
      ["Engineering sync", "2026-04-20T08:30:00Z", "2026-04-20T10:30:00"],
    ]);
  });

  test("leaves a series in the zone that it was made in", async () => {
    const occurrence = await idOf(johanna, "Engineering sync", "2026-03-23");
    const { structuredContent } = await johanna.call("get_event", { event_id: occurrence });
    const { bodies } = await watchCall(johanna, "update_event", {
      event_id: structuredContent?.["series_id"],
      start: "2026-02-23T04:00",
      timezone: "America/New_York",
    });

    expect(questions[0]).toContain(
      "-> 2026-02-23 10:00 to 11:00 (W. Europe Standard Time) = 2026-02-23 04:00 to 05:00 (America/New_York)\n",
    );
    expect(bodies[0]?.["start"]).toEqual({ dateTime: "2026-02-23T10:00:00", timeZone: "W. Europe Standard Time" });
  });

  test("refuses to move a series to another day", async () => {
    const occurrence = await idOf(johanna, "Engineering sync", "2026-03-23");
    const { structuredContent } = await johanna.call("get_event", { event_id: occurrence });
    const args = { event_id: structuredContent?.["series_id"], start: "2026-04-20T10:00" };
    const { result, writes } = await watchCall(johanna, "update_event", args);

    expect(result).toMatchObject(
      failureOf(
        "invalid_arguments",
        "Of a series only the time of day can be changed. Give times on its first day, 2026-02-23.",
      ),
    );
    expect(writes).toEqual([]);
  });

  test("moves whole days by their first one, and turns them into hours only with both ends", async () => {
    const id = await idOf(adele, "Trade fair", "2026-03-26");
    const { bodies } = await watchCall(adele, "update_event", { event_id: id, start: "2026-04-01" });
    const half = await watchCall(adele, "update_event", { event_id: id, start: "2026-04-01T09:00" });
    const both = { event_id: id, start: "2026-04-01T09:00", end: "2026-04-01T17:00" };
    const { result } = await watchCall(adele, "update_event", both);

    expect(bodies).toEqual([
      {
        start: { dateTime: "2026-04-01T00:00:00", timeZone: "Pacific Standard Time" },
        end: { dateTime: "2026-04-03T00:00:00", timeZone: "Pacific Standard Time" },
        isAllDay: true,
      },
    ]);
    expect(half.result).toMatchObject(failureOf("invalid_arguments", "Give start and end."));
    expect(result.structuredContent?.["when"]).toBe("2026-04-01 09:00 to 17:00 (Pacific Standard Time)");
  });

  test("asks again when the meeting was changed meanwhile", async () => {
    const id = await idOf(adele, "Store review", "2026-03-24");
    answer = () => {
      if (questions.length === 1) changeElsewhere("store-review", { location: "Roof" });
      return YES;
    };
    const { result } = await watchCall(adele, "update_event", { event_id: id, subject: "Store tour" });

    expect(questions).toHaveLength(2);
    expect(result.isError).toBeUndefined();
    expect(meetings()[0]).toMatchObject({ subject: "Store tour", location: "Roof" });
  });

  test("does not change what the person does not approve", async () => {
    answer = () => ({ action: "decline" });
    const id = await idOf(adele, "Store review", "2026-03-24");
    const { result, writes } = await watchCall(adele, "update_event", { event_id: id, subject: "Store tour" });

    expect(result).toMatchObject(failureOf("not_confirmed"));
    expect(writes).toEqual([]);
  });

  test("does not overwrite the text of an online meeting", async () => {
    const id = await idOf(adele, "Store review", "2026-03-24");
    const { result, writes } = await watchCall(adele, "update_event", { event_id: id, text: "New" });

    expect(result).toMatchObject(
      failureOf(
        "invalid_arguments",
        "The text of an online meeting holds the way to join it. Let the person change it in Outlook.",
      ),
    );
    expect(writes).toEqual([]);
  });

  test("refuses what is the organizer's to do, and a call that changes nothing", async () => {
    const theirs = await idOf(adele, "Assortment planning", "2026-03-27");
    const mine = await idOf(adele, "Dentist", "2026-03-23");
    const foreign = await watchCall(adele, "update_event", { event_id: theirs, subject: "x" });
    const empty = await watchCall(adele, "update_event", { event_id: mine });

    expect(foreign.result).toMatchObject(
      failureOf(
        "invalid_arguments",
        "Only its organizer can change this meeting, and the user is not. Use respond_to_event.",
      ),
    );
    expect(empty.result).toMatchObject(
      failureOf("invalid_arguments", "There is nothing to change: name a field with a new value."),
    );
    expect([...foreign.writes, ...empty.writes]).toEqual([]);
  });

  test("is not sent again after 503: who was told would be told twice", async () => {
    const id = await idOf(adele, "Store review", "2026-03-24");
    stack.graph.traffic.fail({ kind: "status", status: 503 }, { path: /\/events\/[^?]*$/ });
    const { result, writes } = await watchCall(adele, "update_event", { event_id: id, subject: "Store tour" });

    expect(result).toMatchObject(failureOf("outcome_unknown"));
    expect(writes).toHaveLength(1);
  });
});

describe("respond_to_event", () => {
  const ASSORTMENT = () => idOf(adele, "Assortment planning", "2026-03-27");

  test.each([
    ["accept", "accept", "accepted"],
    ["tentative", "tentativelyAccept", "tentativelyAccepted"],
  ])("answers with %s at once", async (response, action, status) => {
    const id = await ASSORTMENT();
    const { result, graph, bodies } = await watchCall(adele, "respond_to_event", { event_id: id, response });

    expect(questions).toEqual([]);
    expect(graph).toEqual([read(id), `POST /v1.0/me/events/${encodeURIComponent(id)}/${action}`]);
    expect(bodies).toEqual([{ sendResponse: true }]);
    expect(result.structuredContent).toEqual({ response, organizer_told: true });
    const [event] = await eventsOf(adele, "2026-03-27", "2026-03-27").then((events) =>
      events.filter(({ subject }) => subject === "Assortment planning"),
    );
    expect(event?.["response"]).toBe(status);
  });

  test("declines after the person saw what, whom and the words", async () => {
    const id = await ASSORTMENT();
    const args = { event_id: id, response: "decline", comment: "On leave" };
    const { result, bodies } = await watchCall(adele, "respond_to_event", args);

    expect(questions).toEqual([
      [
        'Decline "Assortment planning"?',
        "When: 2026-03-27 13:00 to 14:00 (Pacific Standard Time)",
        "To: LynneR@contoso.com",
        "Text (8 characters):",
        "> On leave",
      ].join("\n"),
    ]);
    expect(bodies).toEqual([{ comment: "On leave", sendResponse: true }]);
    expect(result.structuredContent).toEqual({ response: "decline", organizer_told: true });
    expect((await eventsOf(adele, "2026-03-27", "2026-03-27")).map(({ subject }) => subject)).not.toContain(
      "Assortment planning",
    );
  });

  test("sends nothing that the person did not see", async () => {
    const comment = "I am\u200b away\u202e.\u2028Sorry\u{e0041}";
    const { bodies } = await watchCall(adele, "respond_to_event", {
      event_id: await ASSORTMENT(),
      response: "decline",
      comment,
    });

    expect(questions[0]).toMatch(/> I am away\.\n> Sorry$/);
    expect(bodies).toEqual([{ comment: "I am away.\nSorry", sendResponse: true }]);
  });

  test("declines without a question where nobody is told", async () => {
    const id = await ASSORTMENT();
    const args = { event_id: id, response: "decline", send_response: false };
    const { result, bodies } = await watchCall(adele, "respond_to_event", args);

    expect(questions).toEqual([]);
    expect(bodies).toEqual([{ sendResponse: false }]);
    expect(result.structuredContent).toEqual({ response: "decline", organizer_told: false });
  });

  test("tells no organizer who wants no answers", async () => {
    changeElsewhere("assortment", { responseRequested: false });
    const id = await ASSORTMENT();
    const { result, bodies } = await watchCall(adele, "respond_to_event", { event_id: id, response: "decline" });

    expect(questions).toEqual([]);
    expect(bodies).toEqual([{ sendResponse: false }]);
    expect(result.structuredContent).toEqual({ response: "decline", organizer_told: false });
  });

  test("declines one occurrence of a series and stays in the others", async () => {
    const pradeep = await connectPerson("PradeepG");
    const id = await idOf(pradeep, "Engineering sync", "2026-04-13");
    await pradeep.call("respond_to_event", { event_id: id, response: "decline" });
    const left = await eventsOf(pradeep, "2026-04-13", "2026-04-20");
    await pradeep.close();

    expect(questions[0]).toBe(
      [
        'Decline "Engineering sync"?',
        "Only this one of its series.",
        "When: 2026-04-13 12:30 to 13:30 (India Standard Time)",
        "To: JohannaL@contoso.com",
        "Text: none",
      ].join("\n"),
    );
    expect(left.map(({ subject, start_local }) => [subject, start_local])).toEqual([
      ["Engineering sync", "2026-04-20T12:30:00"],
    ]);
  });

  test("does nothing that the person does not approve, and asks again after a change", async () => {
    const id = await ASSORTMENT();
    answer = () => {
      if (questions.length === 2) return { action: "decline" };
      changeElsewhere("assortment", { start: "2026-03-27T15:00", end: "2026-03-27T16:00" });
      return YES;
    };
    const { result, writes } = await watchCall(adele, "respond_to_event", { event_id: id, response: "decline" });

    expect(questions.map((question) => question.split("\n")[1])).toEqual([
      "When: 2026-03-27 13:00 to 14:00 (Pacific Standard Time)",
      "When: 2026-03-27 15:00 to 16:00 (Pacific Standard Time)",
    ]);
    expect(result).toMatchObject(failureOf("not_confirmed"));
    expect(writes).toEqual([]);
  });

  test("sends the organizer of a meeting to the tools that are theirs", async () => {
    const id = await idOf(adele, "Store review", "2026-03-24");
    const { result, writes } = await watchCall(adele, "respond_to_event", { event_id: id, response: "accept" });

    expect(result).toMatchObject(
      failureOf("invalid_arguments", "The user organizes this meeting. Use update_event or cancel_event."),
    );
    expect(writes).toEqual([]);
  });

  test("is not sent again after 503, and an approval counts once", async () => {
    const id = await ASSORTMENT();
    stack.graph.traffic.fail({ kind: "status", status: 503 }, { path: ACTIONS });
    const round = await createRounds(stack, "respond_to_event", { event_id: id, response: "decline" });
    const { requestState } = await round();
    const approved = { inputResponses: { approval: YES }, requestState };
    tap.clear();

    expect(await round(approved)).toMatchObject(failureOf("outcome_unknown"));
    expect(await round(approved)).toMatchObject(failureOf("already_done"));
    expect(tap.requests.filter(({ url }) => ACTIONS.test(url))).toHaveLength(1);
  });
});

describe("cancel_event", () => {
  test("cancels a meeting after the person saw what, when and who is told", async () => {
    const id = await idOf(adele, "Store review", "2026-03-24");
    const args = { event_id: id, comment: "Flooded" };
    const { result, graph, bodies } = await watchCall(adele, "cancel_event", args);

    expect(questions).toEqual([
      [
        'Cancel "Store review"?',
        "When: 2026-03-24 10:00 to 11:00 (Pacific Standard Time)",
        "To: AlexW@contoso.com, MeganB@contoso.com, sam@fabrikam.com (EXTERNAL), adams@contoso.com",
        "Text (7 characters):",
        "> Flooded",
      ].join("\n"),
    ]);
    expect(graph).toEqual([read(id), read(id), `POST /v1.0/me/events/${encodeURIComponent(id)}/cancel`]);
    expect(bodies).toEqual([{ comment: "Flooded" }]);
    expect(result.structuredContent).toEqual({ cancelled: true });
    expect((await eventsOf(adele, "2026-03-24", "2026-03-24")).map(({ subject }) => subject)).toEqual([
      "Retail stand-up",
    ]);
    const invited = await callAs("AlexW", "list_events", { start: "2026-03-24", end: "2026-03-24" });
    expect(invited.result.structuredContent?.["events"]).toMatchObject([
      { subject: "Canceled: Store review", cancelled: true },
    ]);
  });

  test("sends nothing that the person did not see", async () => {
    const event_id = await idOf(adele, "Store review", "2026-03-24");
    const { bodies } = await watchCall(adele, "cancel_event", { event_id, comment: "Flooded\u200b\u{e0041}\u0000" });

    expect(questions[0]).toMatch(/> Flooded$/);
    expect(bodies).toEqual([{ comment: "Flooded" }]);
  });

  test("cancels one occurrence, or the whole series", async () => {
    const id = await idOf(johanna, "Engineering sync", "2026-04-13");
    const { structuredContent } = await johanna.call("get_event", { event_id: id });
    await johanna.call("cancel_event", { event_id: id });
    const left = await eventsOf(johanna, "2026-04-13", "2026-04-20");
    await johanna.call("cancel_event", { event_id: structuredContent?.["series_id"] });

    expect(questions.map((question) => question.split("\n")[1])).toEqual([
      "Only this one of its series.",
      "The whole series: every week on monday from 2026-02-23 until 2026-06-15.",
    ]);
    expect(left.map(({ start_local }) => start_local)).toEqual(["2026-04-20T09:00:00"]);
    expect(await eventsOf(johanna, "2026-04-13", "2026-04-20")).toEqual([]);
  });

  test("tells an attendee to decline instead", async () => {
    const id = await idOf(adele, "Assortment planning", "2026-03-27");
    const { result, writes } = await watchCall(adele, "cancel_event", { event_id: id });

    expect(result).toMatchObject(
      failureOf(
        "invalid_arguments",
        "Only its organizer can cancel this meeting, and the user is not. Use respond_to_event.",
      ),
    );
    expect(questions).toEqual([]);
    expect(writes).toEqual([]);
  });

  test("does nothing when the person does not approve, or cannot be asked", async () => {
    answer = () => ({ action: "cancel" });
    const id = await idOf(adele, "Store review", "2026-03-24");
    const declined = await watchCall(adele, "cancel_event", { event_id: id });
    const silent = await connectAs(stack, "AdeleV");
    const unasked = await watchCall(silent, "cancel_event", { event_id: id });
    await silent.close();

    expect(declined.result).toMatchObject(failureOf("not_confirmed"));
    expect(unasked.result).toMatchObject(failureOf("confirmation_unavailable"));
    expect([...declined.writes, ...unasked.writes]).toEqual([]);
  });

  test("is not sent again after 503", async () => {
    const id = await idOf(adele, "Store review", "2026-03-24");
    stack.graph.traffic.fail({ kind: "status", status: 503 }, { path: ACTIONS });
    const { result, writes } = await watchCall(adele, "cancel_event", { event_id: id });

    expect(result).toMatchObject(failureOf("outcome_unknown"));
    expect(writes).toHaveLength(1);
  });
});

describe.each<[string, Record<string, unknown>]>([
  ["update_event", { subject: "x" }],
  ["respond_to_event", { response: "decline" }],
  ["cancel_event", {}],
])("%s", (name, args) => {
  test.each([
    ["a plus, a slash and equals signs", "a+b/c=="],
    ["a climb", "../messages"],
    ["an encoded climb", "%2e%2e/messages"],
    ["a query", "x?$select=id"],
    ["a fragment", "x#"],
    ["an action", "x/cancel"],
    ["another host", "//evil.example"],
    ["a line break", "x\r\ny: z"],
  ])("takes %s as an id that is in one place of the path", async (_what, event_id) => {
    const { result, graph } = await watchCall(adele, name, { event_id, ...args });

    expect(result).toMatchObject(failureOf("invalid_arguments", GRAPH_REFUSED));
    expect(graph).toEqual([read(event_id)]);
  });

  test.each(["..", ".", "", "a\uD800"])("refuses the id %j before Graph is asked", async (event_id) => {
    const { result, graph } = await watchCall(adele, name, { event_id, ...args });

    expect(result).toMatchObject(
      failureOf("invalid_arguments", "An id in the arguments is not valid. Use an id from an earlier result."),
    );
    expect(graph).toEqual([]);
  });

  test("does not find an event of somebody else", async () => {
    const event_id = await idOf(adele, "Dentist", "2026-03-23");
    const { result, writes } = await watchCall(johanna, name, { event_id, ...args });

    expect(result).toMatchObject(failureOf("not_found"));
    expect(writes).toEqual([]);
  });
});
