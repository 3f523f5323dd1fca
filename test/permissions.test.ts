import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { toolsets } from "../src/tools/index.ts";

/** One row of `docs/permissions.md`. */
interface Row {
  readonly request: string;
  readonly tools: readonly string[];
  readonly permission: string;
}

const page = readFileSync(join(import.meta.dirname, "../docs/permissions.md"), "utf8");
const rows = [...page.matchAll(/^\| `([^`]+)` \| ([\w, ]+) \| ([\w.]+) \|/gm)].map(
  ([, request = "", tools = "", permission = ""]): Row => ({ request, tools: tools.split(", "), permission }),
);
const tools = new Map(
  Object.values(toolsets)
    .flat()
    .map(({ name, permissions, optionalPermissions = [] }) => [name, [...permissions, ...optionalPermissions].sort()]),
);

test("docs/permissions.md gives each tool on it exactly the permissions that the tool declares", () => {
  const named = [...new Set(rows.flatMap((row) => row.tools))];
  const onPage = (name: string) => [
    ...new Set(rows.filter((row) => row.tools.includes(name)).map(({ permission }) => permission)),
  ];
  expect(named.length).toBeGreaterThan(20);
  expect(named.map((name) => [name, onPage(name).sort()])).toEqual(named.map((name) => [name, tools.get(name)]));
});

test("docs/permissions.md has a row for every permission that a tool declares", () => {
  const onPage = new Set(rows.map(({ permission }) => permission));
  expect([...new Set([...tools.values()].flat())].filter((permission) => !onPage.has(permission))).toEqual([]);
});

test("every row of docs/permissions.md is read", () => {
  expect(rows).toHaveLength(page.split("\n").filter((line) => line.startsWith("| `")).length);
});
