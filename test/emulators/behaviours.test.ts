import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const TESTS = join(import.meta.dirname, "..");

const numbersIn = (text: string) => new Set(text.match(/\bG\d{1,2}\b/g));
const named = numbersIn(
  readdirSync(TESTS, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".test.ts"))
    .map((file) => readFileSync(join(TESTS, file), "utf8"))
    .join("\n"),
);
const table = readFileSync(join(TESTS, "../emulators/README.md"), "utf8").match(/^\| G\d+ /gm) ?? [];

test("every behaviour of Graph in emulators/README.md is in the name of a test, and every such number is explained", () => {
  const listed = numbersIn(table.join("\n"));
  expect(listed.size).toBeGreaterThan(50);
  expect([...named].sort()).toEqual([...listed].sort());
});
