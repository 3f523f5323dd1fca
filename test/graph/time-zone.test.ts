import { describe, expect, test } from "vitest";
import {
  comesTwice,
  daysLater,
  findTimeZone,
  parseTime,
  type TimeZone,
  toLocal,
  UTC,
  windowsName,
} from "../../src/graph/time-zone.ts";

const zone = (name: string): TimeZone => findTimeZone(name) ?? expect.unreachable(`${name} is a time zone`);
const BERLIN = zone("Europe/Berlin");
const utc = (date: Date | undefined) => date?.toISOString();

describe("findTimeZone", () => {
  test.each([
    ["W. Europe Standard Time", "Europe/Berlin"],
    ["India Standard Time", "Asia/Calcutta"],
    ["Central Standard Time (Mexico)", "America/Mexico_City"],
    ["UTC-11", "Etc/GMT+11"],
    ["Europe/Berlin", "Europe/Berlin"],
    ["Europe/Kyiv", "Europe/Kyiv"],
    ["Asia/Kolkata", "Asia/Kolkata"],
  ])("finds %s under its own name, and computes with %s", (name, iana) => {
    expect(findTimeZone(name)).toMatchObject({ name, iana });
  });

  test.each([
    "Customized Time Zone",
    "tzone://Microsoft/Custom",
    "Mars/Olympus",
    "undefined",
    "[]",
    "",
    "+05:30",
    "constructor",
    "UTC\r\nX: y",
    null,
    undefined,
  ])("finds nothing for %j", (name) => {
    expect(findTimeZone(name)).toBeUndefined();
  });
});

describe("windowsName", () => {
  test.each([
    ["W. Europe Standard Time", "W. Europe Standard Time"],
    ["Europe/Berlin", "W. Europe Standard Time"],
    ["Asia/Kolkata", "India Standard Time"],
    ["Asia/Calcutta", "India Standard Time"],
    ["Europe/Kyiv", "FLE Standard Time"],
    ["UTC", "UTC"],
    ["Antarctica/Troll", "Antarctica/Troll"],
  ])("calls %s %s", (name, expected) => {
    expect(windowsName(zone(name))).toBe(expected);
  });
});

describe("comesTwice", () => {
  test.each([
    ["the hour before clocks go back", "2026-10-25T00:30:00Z", true],
    ["the hour after they did", "2026-10-25T01:30:00Z", true],
    ["the hour before that", "2026-10-24T23:59:59Z", false],
    ["the hour after that", "2026-10-25T02:00:00Z", false],
    ["a day without a change", "2026-10-23T00:30:00Z", false],
    ["the hour before clocks go forward", "2026-03-29T00:30:00Z", false],
    ["the hour after that", "2026-03-29T01:30:00Z", false],
  ])("knows of %s", (_when, instant, expected) => {
    expect(comesTwice(new Date(instant), BERLIN)).toBe(expected);
  });

  test("knows of clocks that go back by half an hour", () => {
    const howe = zone("Australia/Lord_Howe");
    const halves = ["2026-04-04T14:29:00Z", "2026-04-04T14:30:00Z", "2026-04-04T15:29:00Z", "2026-04-04T15:30:00Z"];
    expect(halves.map((instant) => comesTwice(new Date(instant), howe))).toEqual([false, true, true, false]);
  });
});

describe("toLocal", () => {
  test.each([
    ["before clocks go forward", "2026-03-29T00:59:59Z", "2026-03-29T01:59:59"],
    ["after clocks went forward", "2026-03-29T01:00:00Z", "2026-03-29T03:00:00"],
    ["in the hour that comes twice, the first time", "2026-10-25T00:30:00Z", "2026-10-25T02:30:00"],
    ["in the hour that comes twice, the second time", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00"],
    ["at midnight", "2026-06-30T22:00:00Z", "2026-07-01T00:00:00"],
  ])("writes a time %s", (_when, instant, local) => {
    expect(toLocal(new Date(instant), BERLIN)).toBe(local);
  });

  test("knows zones with half hours, and UTC", () => {
    expect(toLocal(new Date("2026-03-29T01:00:00Z"), zone("India Standard Time"))).toBe("2026-03-29T06:30:00");
    expect(toLocal(new Date("2026-03-29T01:00:00Z"), UTC)).toBe("2026-03-29T01:00:00");
  });
});

describe("parseTime", () => {
  test.each([
    ["2026-03-29T10:00:00+05:30", "2026-03-29T04:30:00.000Z"],
    ["2026-03-29T10:00Z", "2026-03-29T10:00:00.000Z"],
    ["2026-03-29T10:00:00.1234567Z", "2026-03-29T10:00:00.000Z"],
    ["2026-03-28T10:00", "2026-03-28T09:00:00.000Z"],
    ["2026-03-30T10:00:00", "2026-03-30T08:00:00.000Z"],
    ["2026-03-28", "2026-03-27T23:00:00.000Z"],
  ])("reads %s as %s", (text, expected) => {
    expect(utc(parseTime(text, BERLIN))).toBe(expected);
  });

  test.each([
    ["a day of 24 hours", "2026-03-28", "2026-03-28T23:00:00.000Z"],
    ["the day of 23 hours", "2026-03-29", "2026-03-29T22:00:00.000Z"],
    ["the day of 25 hours", "2026-10-25", "2026-10-25T23:00:00.000Z"],
    ["a time of day, itself", "2026-03-29T10:00", "2026-03-29T08:00:00.000Z"],
  ])("reads as the end of %s its last moment", (_what, text, expected) => {
    expect(utc(parseTime(text, BERLIN, "end"))).toBe(expected);
  });

  test("reads a local time that clocks skip as if they had not gone forward yet", () => {
    expect(utc(parseTime("2026-03-29T02:30", BERLIN))).toBe("2026-03-29T01:30:00.000Z");
    expect(utc(parseTime("2026-03-08T02:30", zone("Pacific Standard Time")))).toBe("2026-03-08T10:30:00.000Z");
  });

  test("reads a local time that comes twice as the first", () => {
    expect(utc(parseTime("2026-10-25T02:30", BERLIN))).toBe("2026-10-25T00:30:00.000Z");
    expect(utc(parseTime("2026-11-01T01:30", zone("America/Los_Angeles")))).toBe("2026-11-01T08:30:00.000Z");
  });

  test("finds the first moment of a day that has no midnight", () => {
    expect(utc(parseTime("2026-04-24", zone("Africa/Cairo")))).toBe("2026-04-23T22:00:00.000Z");
  });

  test.each([
    "",
    "tomorrow",
    "2026-02-30",
    "2026-13-01",
    "2026-03-29T24:00",
    "2026-03-29T25:00Z",
    "2026-03-29T10:00+99:00",
    "2026-03-29 10:00",
    "0001-01-01",
    "2026-03-29T10:00Z&$top=1",
  ])("refuses %j", (text) => {
    expect(parseTime(text, BERLIN)).toBeUndefined();
  });
});

test("daysLater keeps the time of day across a clock change", () => {
  expect(utc(daysLater(new Date("2026-03-23T08:00:00Z"), 7, BERLIN))).toBe("2026-03-30T07:00:00.000Z");
  expect(utc(daysLater(new Date("2026-03-23T08:00:00Z"), 7, UTC))).toBe("2026-03-30T08:00:00.000Z");
});
