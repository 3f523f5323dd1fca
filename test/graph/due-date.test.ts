import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { people } from "../../emulators/contoso/users.ts";
import { dueReader, toDue } from "../../src/graph/due-date.ts";
import { type GraphConnection, startGraphConnection } from "../support/graph-connection.ts";

let connection: GraphConnection;
beforeAll(async () => {
  connection = await startGraphConnection();
});
afterAll(() => connection.close());
beforeEach(() => connection.emulator.traffic.clear());

const atUtc = (dateTime: string) => ({ dateTime: `${dateTime}.0000000`, timeZone: "UTC" });
const requests = () => connection.emulator.traffic.requests.map(({ method, url }) => `${method} ${url}`);

/** What somebody whose mailbox is in this zone reads; the client is new and knows no zone. */
async function read(zone: string, ...dues: (ReturnType<typeof atUtc> | undefined)[]) {
  const { users } = connection.tenant;
  const index = users.findIndex(({ id }) => id === people.normal.id);
  const user = users[index];
  if (user?.mailbox) users.splice(index, 1, { ...user, mailbox: { ...user.mailbox, timeZone: zone } });
  const toDay = await dueReader(dues, connection.connect());
  return dues.map(toDay);
}

test("a day is sent as midnight in UTC, and read as the same day without a request", async () => {
  expect(toDue("2026-03-29")).toEqual({ dateTime: "2026-03-29T00:00:00", timeZone: "UTC" });
  expect(await read("Line Islands Standard Time", atUtc("2026-03-29T00:00:00"), undefined)).toEqual([
    "2026-03-29",
    undefined,
  ]);
  expect(requests()).toEqual([]);
});

test.each([
  ["Hawaiian Standard Time", "2026-11-30T10:00:00"],
  ["Line Islands Standard Time", "2026-11-29T10:00:00"],
  ["UTC-11", "2026-11-30T11:00:00"],
  ["New Zealand Standard Time", "2026-11-29T11:00:00"],
  ["Dateline Standard Time", "2026-11-30T12:00:00"],
  ["W. Europe Standard Time", "2026-11-29T23:00:00"],
  ["India Standard Time", "2026-11-29T18:30:00"],
  ["Nepal Standard Time", "2026-11-29T18:15:00"],
])("midnight in %s is read as the day that begins there", async (zone, due) => {
  expect(await read(zone, atUtc(due))).toEqual(["2026-11-30"]);
  expect(requests()).toEqual(["GET /v1.0/me/mailboxSettings?$select=timeZone"]);
});

test("midnight on either side of a clock change is read as the day that begins there", async () => {
  const days = await read("Pacific Standard Time", atUtc("2026-03-08T08:00:00"), atUtc("2026-03-09T07:00:00"));
  expect(days).toEqual(["2026-03-08", "2026-03-09"]);
});

test("midnight in a zone up to half a day away is read as the day that was meant", async () => {
  // Set in New York and in Honolulu, read in Seattle.
  const days = await read("Pacific Standard Time", atUtc("2026-11-30T05:00:00"), atUtc("2026-11-30T10:00:00"));
  expect(days).toEqual(["2026-11-30", "2026-11-30"]);
});

test("without a zone that anybody knows the nearest midnight is one in UTC", async () => {
  const days = await read("Customized Time Zone", atUtc("2026-11-29T23:00:00"), atUtc("2026-11-30T05:00:00"));
  expect(days).toEqual(["2026-11-30", "2026-11-30"]);
});
