import { join } from "node:path";
import { parseArgs } from "node:util";
import { runAtBroker } from "./broker.ts";
import { type Arrangement, startDeployment } from "./deployment.ts";
import { redisServer } from "./redis.ts";
import { isConformant, type Outcome, remarkTable, requiredFailures, resultTable, writeReport } from "./report.ts";
import { installSuite, SUITE_VERSION, type Suite } from "./suite.ts";

/** `.local/conformance`, seen from where this file is compiled to. */
const FOLDER = join(import.meta.dirname, "../../..");
const DOCUMENT = join(FOLDER, "../../docs/conformance.md");
const REVISIONS = ["2025-11-25", "2026-07-28"];

const alone: Arrangement = { name: "One instance", instances: 1, redisServer: undefined };
const together: Arrangement = { name: "Three instances, Redis, no affinity", instances: 3, redisServer };

const BROKER = "The broker, as authorization server";

/**
 * `npm run conformance`: the official suite against the server, alone and as three instances, and against the broker.
 * With `--write` the results go into docs/conformance.md. Fails when something required fails, or with REQUIRE_ALL=1 could not run.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({ options: { write: { type: "boolean", default: false } } });
  const canShare = redisServer !== undefined;
  const suite = await installSuite(join(FOLDER, "suite"));
  const outcomes = await runIn(alone, suite);
  if (canShare) outcomes.push(...(await runIn(together, suite)));

  for (const revision of REVISIONS) {
    const folder = join(FOLDER, "results/broker", revision);
    outcomes.push({ revision, arrangement: BROKER, scenarios: await runAtBroker(suite, revision, folder) });
  }

  const names = [alone.name, together.name, BROKER];
  const tables = [resultTable(outcomes, names), remarkTable(outcomes)];
  console.log(["", `Suite ${SUITE_VERSION}.`, ...tables, ...requiredFailures(outcomes)].join("\n\n"));
  if (!canShare) console.log(`\n${together.name}: skipped, no redis-server found. Set REDIS_SERVER_PATH.`);
  if (values.write) await writeReport(DOCUMENT, tables);
  if (!isConformant(outcomes) || (!canShare && process.env["REQUIRE_ALL"] === "1")) process.exitCode = 1;
}

async function runIn(arrangement: Arrangement, suite: Suite): Promise<Outcome[]> {
  const folder = join(FOLDER, "results", `${arrangement.instances}`);
  const outcomes: Outcome[] = [];
  const deployment = await startDeployment(arrangement, folder);
  try {
    for (const revision of REVISIONS) {
      const scenarios = await suite.run(deployment.url, revision, join(folder, revision));
      outcomes.push({ revision, arrangement: arrangement.name, scenarios });
    }
    console.log(`${arrangement.name}: ${deployment.requests().join(" + ")} requests. Results and logs: ${folder}`);
  } finally {
    await deployment.close();
  }
  return outcomes;
}

// Without these, a signal would end this process before its "exit" handlers stopped the others.
process.once("SIGINT", () => process.exit(130)).once("SIGTERM", () => process.exit(143));
await main();
