import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { NotRun } from "./client.ts";
import { run } from "./process.ts";
import type { Sandbox } from "./sandbox.ts";

/** As npm packages with one binary per platform call this one: `linux-x64`. */
export const PLATFORM = `${process.platform}-${process.arch}`;

/**
 * Installs packages at exactly these versions into a client's folder, unless they are there; answers its `node_modules`.
 *
 * Without install scripts: they would download what is not on npm. Throws {@link NotRun} when npm cannot.
 */
export async function install(sandbox: Sandbox, dependencies: Readonly<Record<string, string>>): Promise<string> {
  const manifest = join(sandbox.folder, "package.json");
  const modules = join(sandbox.folder, "node_modules");
  const installed = join(sandbox.folder, ".installed.json");
  const wanted = JSON.stringify({ private: true, dependencies }, undefined, 2);
  if ((await readFile(installed, "utf8").catch(() => "")) === wanted) return modules;
  await mkdir(sandbox.folder, { recursive: true });
  await writeFile(manifest, wanted);
  try {
    const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"];
    await run("npm", ["install", ...flags], { cwd: sandbox.folder, environment: process.env, limitSeconds: 240 });
  } catch (error) {
    throw new NotRun(`npm could not install ${Object.keys(dependencies).join(", ")}`, { cause: error });
  }
  await writeFile(installed, wanted);
  return modules;
}

const NODE_24 = "24.21.0";

/** A Node of at least 22.19: the running one, or Node 24 from npm. */
export async function modernNode(sandbox: Sandbox): Promise<string> {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 22 || (major === 22 && minor >= 19)) return process.execPath;
  const name = `node-${PLATFORM}`;
  return join(await install(sandbox, { [name]: NODE_24 }), name, "bin/node");
}
