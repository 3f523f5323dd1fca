import { expect, test } from "vitest";
import { createInProcessStore } from "../../src/platform/in-process-store.ts";

const MIB = "x".repeat(1024 * 1024);
const MINUTE = 60_000;

test("a kind that strangers fill loses its oldest entries before it takes the memory, and no other kind does", async () => {
  const store = createInProcessStore();
  await store.set("broker:entra:adele", "a sign-in", MINUTE);
  for (let n = 0; n < 200; n++) await store.set(`broker:Client:${n}`, MIB, MINUTE);
  const kept = await Promise.all(Array.from({ length: 200 }, (_all, n) => store.get(`broker:Client:${n}`)));
  expect(kept.filter((value) => value !== undefined)).toHaveLength(127);
  expect(kept[199]).toBe(MIB);
  expect(await store.get("broker:entra:adele")).toBe("a sign-in");
});

test("a set counts with all its members", async () => {
  const store = createInProcessStore();
  for (let n = 0; n < 200; n++) await store.addMember(`broker:connections:${n >> 1}`, `${n} ${MIB}`, MINUTE);
  expect(await store.members("broker:connections:0")).toEqual([]);
  expect((await store.members("broker:connections:99")).map((member) => member.slice(0, 3))).toEqual(["198", "199"]);
});
