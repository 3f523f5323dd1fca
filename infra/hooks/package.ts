import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { bundle, ROOT } from "../bundle.ts";
import { runHook } from "./deployment.ts";

/** Where azure.yaml expects it, unless another folder is named. */
const TARGET = resolve(process.argv[2] ?? join(ROOT, ".local/package"));

/** What npm wrote about the packages of a folder. */
interface Lock {
  readonly packages: Readonly<Record<string, { readonly version?: string }>>;
}

/**
 * Writes the folder that App Service gets: the server with its production dependencies in a few files, and nothing to
 * install. The same lockfile and sources make the same bytes. See docs/decisions/0010-one-bundle-for-app-service.md.
 */
async function main(): Promise<void> {
  await rm(TARGET, { recursive: true, force: true });
  const { metafile } = await bundle({
    // The second runs in a thread of its own, from a file of its own.
    entryPoints: ["src/main.ts", "src/extract/worker.ts"],
    outdir: join(TARGET, "dist"),
    outbase: "src",
    splitting: true,
    target: "node24",
  });
  const inputs = Object.keys(metafile.inputs);
  await refuseOtherVersions(inputs);
  const { name, version, type, license } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as Record<
    string,
    string
  >;
  await mkdir(TARGET, { recursive: true });
  await writeFile(
    join(TARGET, "package.json"),
    `${JSON.stringify({ name, version, type, license, private: true }, undefined, 2)}\n`,
  );
  const bytes = Object.values(metafile.outputs).reduce((sum, output) => sum + output.bytes, 0);
  console.log(`${TARGET}: ${inputs.length} modules in ${(bytes / 1e6).toFixed(1)} MB`);
}

/** Throws when a bundled package is not the one of the lockfile. */
async function refuseOtherVersions(inputs: readonly string[]): Promise<void> {
  const readLock = async (path: string) => JSON.parse(await readFile(join(ROOT, path), "utf8")) as Lock;
  const [locked, installed] = await Promise.all([
    readLock("package-lock.json"),
    readLock("node_modules/.package-lock.json"),
  ]);
  const packages = new Set(
    inputs.flatMap((path) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []),
  );
  const others = [...packages].filter((path) => locked.packages[path]?.version !== installed.packages[path]?.version);
  if (others.length > 0) throw new Error(`Not as in package-lock.json: ${others.join(", ")}. Run: npm ci`);
}

await runHook(main);
