import { execFile } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";

// `docs/add-a-tool.md` as a reader follows it, in a copy of what its steps need.

const ROOT = join(import.meta.dirname, "..");
const COPY = join(ROOT, ".local/add-a-tool");
const PARTS = [
  "src",
  "emulators",
  "test/support",
  "test/generated.test.ts",
  "test/__snapshots__",
  "infra/graph-delegated-permissions.json",
  "infra/graph-permissions.json",
  ".env.example",
  "README.md",
  "package.json",
  "tsconfig.json",
  "tsconfig.build.json",
  "vitest.config.ts",
];
const PERMISSIONS = "infra/graph-permissions.json";

const inCopy = (file: string) => readFileSync(join(COPY, file), "utf8");
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
  await promisify(execFile)(command, args, { cwd: COPY, env: { PATH, HOME }, timeout: 90_000 });
}

beforeAll(() => {
  rmSync(COPY, { recursive: true, force: true });
  const sources = (file: string) => !file.startsWith(join(ROOT, "emulators/dist"));
  for (const part of PARTS) cpSync(join(ROOT, part), join(COPY, part), { recursive: true, filter: sources });
});

test("the steps of docs/add-a-tool.md make a tool that works, is tested, and is in every generated file", async () => {
  const [[declared = "", declaration = ""] = [], [tested = "", itsTest = ""] = [], ...others] = blocks;
  expect(others).toEqual([]);
  writeFileSync(join(COPY, declared), inTree(declared).replace(/^export default .*\n$/m, declaration));
  mkdirSync(join(COPY, dirname(tested)), { recursive: true });
  writeFileSync(join(COPY, tested), itsTest);
  rmSync(join(COPY, PERMISSIONS));

  await run("npm", "run", "--silent", "lock");
  await run("npm", "run", "--silent", "build");
  await run("npx", "vitest", "run", tested);

  const row = "| `list_my_reports` | people | read | List my reports | User.Read |\n";
  expect(inCopy("README.md")).toContain(row);
  expect(inCopy("test/__snapshots__/tools.json")).toContain('"name": "list_my_reports"');
  // User.Read is asked for already.
  expect(inCopy(PERMISSIONS)).toBe(inTree(PERMISSIONS));
}, 240_000);
