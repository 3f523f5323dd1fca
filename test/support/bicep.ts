import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { describe } from "vitest";

/** A resource that a deployment would make, with what is known before it. */
export interface Resource {
  readonly type: string;
  /** Absent for resources of Microsoft Graph. */
  readonly name?: string;
  readonly id?: string;
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly [member: string]: unknown;
}

/** What a run of the Bicep CLI left. */
export interface BicepRun {
  readonly exitCode: number;
  readonly stdout: string;
  /** Errors, warnings and other diagnostics of all files that took part. */
  readonly diagnostics: readonly string[];
  readonly stderr: string;
}

/** A copy of the templates that the Bicep CLI works in, without the network. */
export interface Infra {
  /** Compiles `infra/main.bicep`. */
  build(): Promise<BicepRun>;
  /** What `test/infra/parameters/<name>.bicepparam` would deploy; throws when it is refused. */
  snapshot(name: string): Promise<readonly Resource[]>;
  /** Why a deployment is refused. */
  refusal(name: string): Promise<string>;
  close(): Promise<void>;
}

const ROOT = join(import.meta.dirname, "../..");
const GRAPH_TYPES = "test/infra/msgraph-v1.0-1.0.0.tgz";
const TIMEOUT_MS = 120_000;
const SUBSCRIPTION = "11111111-1111-1111-1111-111111111111";
const TENANT = "22222222-2222-2222-2222-222222222222";

const given = process.env["BICEP_PATH"];
const onPath = (process.env["PATH"] ?? "")
  .split(delimiter)
  .flatMap((folder) => [join(folder, "bicep"), join(folder, "bicep.exe")]);
const executable = (given === undefined ? onPath : [given]).find((path) => existsSync(path));
const isDemanded =
  process.env["REQUIRE_ALL"] === "1" && (given !== undefined || process.env["GITHUB_ACTIONS"] === "true");

/** Whether what needs the Bicep CLI is left out. */
export const isBicepMissing = executable === undefined && !isDemanded;

/** A suite that needs the Bicep CLI: skipped where there is none, unless REQUIRE_ALL=1 demands it of GitHub's CI. */
export function describeWithBicep(name: string, suite: (infra: () => Promise<Infra>) => void): void {
  describe.skipIf(isBicepMissing)(`${name}${isBicepMissing ? " (not checked)" : ""}`, { timeout: TIMEOUT_MS }, () => {
    suite(copyInfra);
  });
}

async function copyInfra(): Promise<Infra> {
  if (executable === undefined) throw new Error("REQUIRE_ALL=1, and no Bicep CLI found. Set BICEP_PATH.");
  const folder = await mkdtemp(join(tmpdir(), "azure-graph-mcp-bicep-"));
  await cp(join(ROOT, "infra"), join(folder, "infra"), { recursive: true });
  await cp(join(ROOT, "test/infra/parameters"), join(folder, "test/infra/parameters"), { recursive: true });
  await cp(join(ROOT, GRAPH_TYPES), join(folder, "infra/msgraph.tgz"));
  const configFile = join(folder, "infra/bicepconfig.json");
  const config = JSON.parse(await readFile(configFile, "utf8")) as { extensions: Record<string, string> };
  config.extensions["microsoftGraphV1"] = "./msgraph.tgz";
  await writeFile(configFile, JSON.stringify(config));

  const run = async (args: readonly string[]) => runBicep(executable, args, folder);
  const takeSnapshot = async (name: string) =>
    run([
      "snapshot",
      `test/infra/parameters/${name}.bicepparam`,
      "--mode",
      "overwrite",
      "--subscription-id",
      SUBSCRIPTION,
      "--tenant-id",
      TENANT,
      "--location",
      "westeurope",
    ]);
  return {
    build: async () => run(["build", "infra/main.bicep", "--stdout"]),
    async snapshot(name) {
      const { exitCode, stderr, diagnostics } = await takeSnapshot(name);
      if (exitCode !== 0 || diagnostics.length > 0) throw new Error(`${name}: ${stderr}`);
      const json = await readFile(join(folder, `test/infra/parameters/${name}.snapshot.json`), "utf8");
      return (JSON.parse(json) as { predictedResources: Resource[] }).predictedResources;
    },
    async refusal(name) {
      const { exitCode, stderr, stdout } = await takeSnapshot(name);
      if (exitCode === 0) throw new Error(`${name} was not refused.`);
      return stderr + stdout;
    },
    close: async () => rm(folder, { recursive: true, force: true }),
  };
}

async function runBicep(bicep: string, args: readonly string[], cwd: string): Promise<BicepRun> {
  const { exitCode, stdout, stderr } = await promisify(execFile)(bicep, [...args], {
    cwd,
    timeout: TIMEOUT_MS,
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, DOTNET_SYSTEM_GLOBALIZATION_INVARIANT: "1" },
  }).then(
    (output) => ({ exitCode: 0, ...output }),
    (error: { code?: number; stdout?: string; stderr?: string }) => ({
      exitCode: error.code ?? 1,
      stdout: error.stdout ?? "",
      stderr: error.stderr ?? "",
    }),
  );
  const diagnostics = stderr.split("\n").filter((line) => /\(\d+,\d+\) : (?:Error|Warning|Info) /.test(line));
  return { exitCode, stdout, stderr, diagnostics };
}

/** The resources of a type, by the end of their names. */
export function ofType(resources: readonly Resource[], type: string): readonly Resource[] {
  return resources.filter((resource) => resource.type.replace(/@.*/, "").toLowerCase() === type.toLowerCase());
}

/** The only resource of a type, or the one whose name ends in `/<name>`. */
export function only(resources: readonly Resource[], type: string, name?: string): Resource {
  const found = ofType(resources, type).filter(
    (resource) => name === undefined || resource.name === name || resource.name?.endsWith(`/${name}`),
  );
  const [resource] = found;
  if (found.length !== 1 || resource === undefined) {
    throw new Error(
      `There are ${found.length} resources of type ${type}${name === undefined ? "" : ` named ${name}`}.`,
    );
  }
  return resource;
}
