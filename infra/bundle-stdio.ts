import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { bundle, ROOT } from "./bundle.ts";

const TARGET = join(ROOT, "dist");

/** Packages that a start does not need: loaded by the first call or sign-in. */
const LATER = [
  "@azure/msal-node",
  "@azure/msal-node-extensions",
  "@napi-rs/keyring",
  "env-paths",
  "htmlparser2",
  "open",
  "undici",
];

/** Puts the local server's bundle in the place of its compiled file: clients start one for each of their windows, and wait for it. */
async function main(): Promise<void> {
  const { metafile } = await bundle({
    entryPoints: ["src/stdio.ts"],
    outdir: TARGET,
    chunkNames: "stdio-[hash]",
    splitting: true,
    external: LATER,
    target: "node20",
  });
  const made = new Set(Object.keys(metafile.outputs).map((path) => path.slice("dist/".length)));
  const old = (await readdir(TARGET)).filter((name) => name.startsWith("stdio-") && !made.has(name));
  await Promise.all(old.map((name) => rm(join(TARGET, name))));
}

await main();
