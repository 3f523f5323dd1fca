import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const PAGE = "docs/operations.md";

const page = readFileSync(join(ROOT, PAGE), "utf8");
const read = (name: string) => readFileSync(join(ROOT, name), "utf8");
const matches = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, found = ""]) => found);
const sourcesOf = (folder: string) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(?:ts|bicep)$/.test(name) && !name.startsWith("dist"))
    .map((name) => read(`${folder}/${name}`));

/** First cells of the tables' rows. */
const rows = matches(page, /^\| ([^|]+?) +\|/gm).join("\n");

test("every code of a failed tool has a row in the page on operations", () => {
  const [, union = ""] = /export type ToolErrorCode =([^;]+);/.exec(read("src/mcp/tool-error.ts")) ?? [];
  const codes = matches(union, /"([a-z_]+)"/g);

  expect(codes.length).toBeGreaterThan(10);
  expect(codes.filter((code) => !rows.includes(`\`${code}\``))).toEqual([]);
});

test("every AADSTS number that the code or the emulator knows has a row in the page on operations", () => {
  const emulated = matches(read("emulators/entra/errors.ts"), /^ {2}(\d{4,}): \{/gm);
  const mentioned = ["src", "infra", "emulators"].flatMap(sourcesOf).flatMap((text) => matches(text, /AADSTS(\d+)/g));
  const listed = new Set(matches(rows, /AADSTS(\d+)/g));

  expect(emulated.length).toBeGreaterThan(50);
  expect([...new Set([...emulated, ...mentioned])].filter((number) => !listed.has(number))).toEqual([]);
});

test("every sentence with which the server refuses to start is in the page on operations", () => {
  const quoted = matches(page, /^\| `([^`]+)`/gm);
  const sources = sourcesOf("src").join("\n");
  const unknown = quoted
    .filter((text) => text.includes(" "))
    .flatMap((text) => text.split(" … "))
    .filter((text) => !sources.includes(text) && !/^403|EADDRINUSE/.test(text));

  expect(unknown).toEqual([]);
  const starts = matches(sources, /new StartError\(\s*["`]([^"`$]{10,40}?)(?:["`$]|(?<= ))/g);
  expect(starts.filter((text) => !page.includes(text.trim()))).toEqual([]);
});

test("every setting of azd that the page on operations names is one", () => {
  const known = new Set([
    ...matches(read("infra/main.parameters.json"), /\$\{(\w+)/g),
    ...matches(read("infra/main.bicep"), /^output (\w+)/gm),
    "MCP_REMOVE_REGISTRATIONS",
  ]);
  const settings = read("src/config.ts");
  const named = matches(page, /\b(MCP_[A-Z_]+)\b/g);
  expect(named.filter((name) => !known.has(name) && !settings.includes(`${name}:`))).toEqual([]);
});
