import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const SKIPPED = new Set(["node_modules", "dist", ".git", ".local"]);

const documents = readdirSync(ROOT, { recursive: true, encoding: "utf8" }).filter(
  (name) => name.endsWith(".md") && !name.split("/").some((part) => SKIPPED.has(part)),
);
const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { scripts: Record<string, string> };

describe.each(documents)("%s", (document) => {
  const text = readFileSync(join(ROOT, document), "utf8");

  test("links to files that exist", () => {
    const targets = [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, target = ""]) => target);
    expect(targets.filter((target) => !existsSync(join(ROOT, dirname(document), target)))).toEqual([]);
  });

  test("names npm scripts that exist", () => {
    const named = [...text.matchAll(/npm run ([\w:-]+)/g)].map(([, name = ""]) => name);
    expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
  });
});

test("every decision is in the index of decisions", () => {
  const index = readFileSync(join(ROOT, "docs/decisions/README.md"), "utf8");
  const pages = readdirSync(join(ROOT, "docs/decisions")).filter((name) => /^\d{4}-/.test(name));
  expect(pages.filter((page) => !index.includes(page))).toEqual([]);
});

describe("docs/security.md", () => {
  const rows = readFileSync(join(ROOT, "docs/security.md"), "utf8")
    .split("\n")
    .filter((line) => /^\| [ASCPL]\d+ \|/.test(line))
    .map((line) => line.split("|").map((cell) => cell.trim()))
    .map(([, id = "", , code = "", attack = ""]) => ({ id, code, attack }));
  const CONTROLS = { A: 12, S: 6, C: 7, P: 10, L: 3 };

  test("has one row for each control", () => {
    const expected = Object.entries(CONTROLS).flatMap(([kind, count]) =>
      Array.from({ length: count }, (_none, index) => `${kind}${index + 1}`),
    );
    expect(rows.map(({ id }) => id)).toEqual(expected);
  });

  test("names code and an attack for each of them", () => {
    const without = rows.filter(({ code, attack }) => !/\]\(/.test(code) || !/\.test\.ts\)/.test(attack));
    expect(without.map(({ id }) => id)).toEqual([]);
  });
});
