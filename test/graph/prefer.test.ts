import { expect, test } from "vitest";
import { prefer } from "../../src/graph/prefer.ts";

test("several preferences become one header, and none becomes no header", () => {
  expect(prefer({ text: true, immutableIds: true, timezone: "W. Europe Standard Time" })).toEqual({
    Prefer: 'outlook.body-content-type="text", IdType="ImmutableId", outlook.timezone="W. Europe Standard Time"',
  });
  expect(prefer({})).toEqual({});
});

test("a time zone cannot end its quotation", () => {
  expect(prefer({ timezone: 'UTC", IdType="x' })).toEqual({ Prefer: 'outlook.timezone="UTC, IdType=x"' });
});
