import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { afterAll, beforeAll, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const TENANT = "11111111-1111-4111-8111-111111111111";
const CLIENT_ID = "22222222-2222-4222-8222-222222222222";
const TIMEOUT_MS = 60_000;
const run = promisify(execFile);
const npm = process.platform === "win32" ? "npm.cmd" : "npm";

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string; readonly mode: number }[];
}

let folder: string;
let packed: Packed;
/** The package as `npx` would unpack it, without the packages that it needs. */
let unpacked: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "azure-graph-mcp-npm-"));
  // The build is there; npm would make it again.
  const { stdout } = await run(npm, ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], {
    cwd: ROOT,
  });
  packed = (JSON.parse(stdout) as [Packed])[0];
  await run("tar", ["-xzf", packed.filename], { cwd: folder });
  unpacked = join(folder, "package");
}, TIMEOUT_MS);
afterAll(async () => rm(folder, { recursive: true, force: true }));

test("the npm package has the built server and its papers, and neither sources nor tests", () => {
  const names = packed.files.map(({ path }) => path);
  const places = new Set(names.map((name) => name.split("/")[0]));
  expect(places).toEqual(new Set(["LICENSE", "README.md", "dist", "package.json"]));
  expect(names).toEqual(expect.arrayContaining(["dist/stdio.js", "dist/extract/worker.js", "dist/main.js"]));
  expect(names.filter((name) => name.endsWith(".map") || name.endsWith(".ts"))).toEqual([]);
});

test("its command is a program that says its version and its flags", async () => {
  const manifest = JSON.parse(await readFile(join(unpacked, "package.json"), "utf8")) as {
    readonly version: string;
    readonly bin: Readonly<Record<string, string>>;
  };
  const program = join(unpacked, manifest.bin["azure-graph-mcp"] ?? "");
  expect((await readFile(program, "utf8")).split("\n")[0]).toBe("#!/usr/bin/env node");
  expect((await run(process.execPath, [program, "--version"])).stdout).toBe(`${manifest.version}\n`);
  expect((await run(process.execPath, [program, "--help"])).stdout).toContain("--client-id");
});

test("its command lists the tools from its one file: a start reads no package", async () => {
  const args = [join(unpacked, "dist/stdio.js"), "--tenant", TENANT, "--client-id", CLIENT_ID];
  const client = new Client({ name: "tests", version: "1" });
  await client.connect(new StdioClientTransport({ command: process.execPath, args, stderr: "inherit" }));
  const { tools } = await client.listTools();
  expect(tools).toHaveLength(12);
  await client.close();
});
