import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

// `docs/add-a-tool.md` as a reader follows it, in a copy of what its steps need.

const ROOT = join(import.meta.dirname, "..");
const PARTS = [
  "src",
  "emulators",
  "test/support",
  "test/generated.test.ts",
  "test/__snapshots__",
  "infra",
  "docs/operations.md",
  ".env.example",
  "README.md",
  "package.json",
  "tsconfig.json",
  "tsconfig.build.json",
  "vitest.config.ts",
];
const PERMISSIONS = "infra/graph-permissions.json";

let copy: string;

const inCopy = (file: string) => readFileSync(join(copy, file), "utf8");
const inTree = (file: string) => readFileSync(join(ROOT, file), "utf8");
const blocks = new Map(
  [...inTree("docs/add-a-tool.md").matchAll(/^```ts (\S+)\n([\s\S]*?)^```$/gm)].map(([, file = "", code = ""]) => [
    file,
    code,
  ]),
);

/** Runs a command in the copy, as in a shell of its own; throws with what it said. */
async function run(command: string, ...args: string[]): Promise<void> {
  const { PATH, HOME } = process.env;
  await promisify(execFile)(command, args, { cwd: copy, env: { PATH, HOME }, timeout: 90_000 });
}

beforeAll(() => {
  // Inside, so that packages are found.
  mkdirSync(join(ROOT, ".local"), { recursive: true });
  copy = mkdtempSync(join(ROOT, ".local/add-a-tool-"));
  const sources = (file: string) => !file.startsWith(join(ROOT, "emulators/dist"));
  for (const part of PARTS) cpSync(join(ROOT, part), join(copy, part), { recursive: true, filter: sources });
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

test("README shows the same declaration", () => {
  const [declaration = ""] = blocks.values();
  expect(inTree("README.md")).toContain(declaration.replace(/\nexport default .*\n$/, "```\n"));
});

test("the steps of docs/add-a-tool.md make a tool that works, is tested, and is in every generated file", async () => {
  const [[declared = "", declaration = ""] = [], [tested = "", itsTest = ""] = [], ...others] = blocks;
  expect(others).toEqual([]);
  writeFileSync(join(copy, declared), inTree(declared).replace(/^export default .*\n$/m, declaration));
  mkdirSync(join(copy, dirname(tested)), { recursive: true });
  writeFileSync(join(copy, tested), itsTest);
  rmSync(join(copy, PERMISSIONS));

  await run("npm", "run", "--silent", "lock");
  await run("npm", "run", "--silent", "build");
  await run("npx", "vitest", "run", tested);

  const row = "| `list_my_reports` | people | read | List my reports | User.Read |\n";
  expect(inCopy("README.md")).toContain(row);
  expect(inCopy("test/__snapshots__/tools.json")).toContain('"name": "list_my_reports"');
  // User.Read is asked for already.
  expect(inCopy(PERMISSIONS)).toBe(inTree(PERMISSIONS));
}, 240_000);
