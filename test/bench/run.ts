import type { ChildProcess } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { startLocalCloud } from "../../emulators/local-cloud.ts";
import { createExtractor } from "../../src/extract/extractor.ts";
import { readLongMail } from "../support/long-mail.ts";
import { residentMiB, startGraphStub } from "./graph-stub.ts";
import { hammer } from "./load.ts";
import { beginSession, benchRequest, ERAS, type Era } from "./requests.ts";
import { type Contestant, contestants, localEnvironment, start, untilFirstAnswer, untilFirstList } from "./servers.ts";

/** The repository, seen from where this file is compiled to. */
const ROOT = new URL("../../../../", import.meta.url);
const DOCUMENT = new URL("docs/performance.md", ROOT);
const WARM_UP_MS = 8_000;
const ROUND_MS = 3_000;
const ROUNDS = 3;
const CONNECTIONS = 32;

const SCENARIOS = [
  { name: "tools/list", method: "tools/list", latencyMs: 0 },
  { name: "tools/call", method: "tools/call", latencyMs: 0 },
  { name: "tools/call, Graph takes 30 ms", method: "tools/call", latencyMs: 30 },
] as const;

/** Whom to measure: a server in an era. */
interface Case {
  readonly contestant: Contestant;
  readonly era: Era;
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

/**
 * `npm run bench`: the product beside plain SDK servers, in one run. Each server has the first core to itself while it is
 * measured; load, Graph and Entra have the others. With `--write` the table goes into docs/performance.md.
 */
async function main(): Promise<void> {
  const graph = await startGraphStub();
  const cloud = await startLocalCloud({ certificates: graph.certificates });
  cloud.tenant.applications.at(-1)?.identifierUris.push(graph.origin);
  const all = await contestants(cloud, graph.origin, graph.certificates.ca);
  const lines = [`Node ${process.version}, ${cpus().length} cores, ${CONNECTIONS} connections.`, ""];

  lines.push("| | ms, of a server from start to first answer | memory after 10,000 calls, MiB |", "|---|---|---|");
  const running: ChildProcess[] = [];
  for (const contestant of all) {
    const { headers, body } = benchRequest("tools/call", "2025-11-25");
    const starts: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      starts.push(await untilFirstAnswer(contestant, body, { ...headers, ...contestant.headers }));
    }
    const child = start(contestant);
    running.push(child);
    await sleep(1_500);
    let calls = 0;
    while (calls < 10_000) calls += (await measure({ contestant, era: "2025-11-25" }, "tools/call", 1_000)).answers;
    await sleep(1_000);
    lines.push(`| ${contestant.name} | ${median(starts).toFixed(0)} | ${residentMiB(child.pid ?? 0).toFixed(0)} |`);
  }

  const local = [];
  for (let round = 0; round < ROUNDS; round++) local.push(await untilFirstList(localEnvironment(cloud)));
  lines.push(`| azure-graph-mcp over stdio, \`tools/list\` | ${median(local).toFixed(0)} | |`);

  const extractText = createExtractor({ worker: new URL("dist/extract/worker.js", ROOT), timeoutMs: 10_000 });
  lines.push(`| a mail of 200 KB, read, cleaned and marked | ${(await readLongMail(extractText)).toFixed(0)} | |`);

  lines.push(
    "",
    "| | server | era | requests/s (spread) | p50 / p99 ms | ratio to plain SDK v2 |",
    "|---|---|---|---|---|---|",
  );
  const cases = ERAS.flatMap((era) =>
    all.filter(({ name }) => speaks(name, era)).map((contestant): Case => ({ contestant, era })),
  );
  for (const { name, method, latencyMs } of SCENARIOS) {
    graph.setLatency(latencyMs);
    const results = new Map(cases.map((one) => [one, [] as Awaited<ReturnType<typeof hammer>>[]]));
    for (const one of cases) await measure(one, method, WARM_UP_MS);
    for (let round = 0; round < ROUNDS; round++) {
      for (const one of cases) results.get(one)?.push(await measure(one, method, ROUND_MS));
    }
    const speed = (one: Case): number => median((results.get(one) ?? []).map(({ perSecond }) => perSecond));
    for (const one of cases) {
      const rounds = results.get(one) ?? [];
      const baseline = cases.find(
        ({ contestant, era }) => contestant.name === "plain SDK v2" && era === plainEra(one.era),
      );
      const rates = rounds.map(({ perSecond }) => perSecond);
      const ratio = baseline ? (speed(one) / speed(baseline)).toFixed(2) : "";
      const spread = `${Math.min(...rates).toFixed(0)}-${Math.max(...rates).toFixed(0)}`;
      const times = `${median(rounds.map(({ p50 }) => p50)).toFixed(1)} / ${median(rounds.map(({ p99 }) => p99)).toFixed(1)}`;
      lines.push(
        `| ${name} | ${one.contestant.name} | ${one.era} | ${speed(one).toFixed(0)} (${spread}) | ${times} | ${ratio} |`,
      );
    }
  }

  for (const child of running) child.kill("SIGKILL");
  graph.close();
  await cloud.close();
  console.log(lines.join("\n"));
  if (process.argv.includes("--write")) writeTable(lines.join("\n"));
}

/** SDK v1 knows one era; only the product has sessions here. */
function speaks(name: string, era: Era): boolean {
  if (name.startsWith("azure-graph-mcp")) return true;
  return era === "2025-11-25" || (era === "2026-07-28" && name === "plain SDK v2");
}

function plainEra(era: Era): Era {
  return era === "2026-07-28" ? era : "2025-11-25";
}

async function measure({ contestant, era }: Case, method: "tools/list" | "tools/call", durationMs: number) {
  const request = benchRequest(method, era);
  const session =
    era === "2025-11-25, session" ? { "mcp-session-id": await beginSession(contestant.port, contestant.headers) } : {};
  const headers = { ...request.headers, ...contestant.headers, ...session };
  return hammer({ ...request, headers, port: contestant.port, connections: CONNECTIONS, durationMs });
}

function writeTable(table: string): void {
  const text = readFileSync(DOCUMENT, "utf8");
  const marked = /(<!-- generated: bench -->\n)[\s\S]*?(\n<!-- end -->)/;
  writeFileSync(
    DOCUMENT,
    text.replace(marked, (_all, before: string, after: string) => `${before}${table}${after}`),
  );
}

await main();
