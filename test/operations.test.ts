import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { costsOf } from "../infra/hooks/costs.ts";

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

test("the page on operations names the prices that azd up names", () => {
  const monthly = (what: RegExp, options: Readonly<Record<string, string>>) =>
    costsOf((name) => options[name] ?? "").find((cost) => what.test(cost.what))?.monthly;
  const named = Object.fromEntries(
    [...page.matchAll(/^\| ([^|]+?) +\| ([^|]+?) +\|$/gm)].map(([, what = "", costs = ""]) => [what, costs]),
  );
  const gateway = { MCP_API_MANAGEMENT: "true" };
  expect(named).toMatchObject({
    "App Service plan B1, the smallest": monthly(/plan B1/, { SERVICE_MCP_PLAN_SKU: "B1" }),
    "App Service plan P0v3, per instance": monthly(/plan P0v3/, { SERVICE_MCP_PLAN_SKU: "P0v3" }),
    Alerts: monthly(/^Alerts/, {}),
    "Azure Managed Redis, Balanced B0": monthly(/Redis/, { MCP_REDIS: "true" }),
    "API Management Basic v2 / Standard v2": `${monthly(/Basic v2/, gateway)} / ${monthly(/Standard v2/, { ...gateway, MCP_PRIVATE_NETWORK: "true" })}`,
  });
  const texts = costsOf((name) => (name === "MCP_PROMPT_SHIELDS" ? "block" : String(name === "MCP_PRIVATE_NETWORK")));
  expect(texts.map(({ what }) => what).join("\n")).toContain("at 7.30");
  expect(named["Private network"]).toContain("7.30");
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
