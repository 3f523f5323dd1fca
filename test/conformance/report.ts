import { readFile, writeFile } from "node:fs/promises";
import { type ScenarioResult, SUITE_VERSION } from "./suite.ts";

/** What the suite found in one arrangement. */
export interface Outcome {
  readonly revision: string;
  readonly arrangement: string;
  readonly scenarios: readonly ScenarioResult[];
}

/** Why scenarios that do not count fail, or pass with warnings; a reason holds for the named checks only. */
const REASONS: readonly { readonly scenario: RegExp; readonly checks: RegExp; readonly reason: string }[] = [
  {
    scenario: /^tasks-/,
    checks: /^/,
    reason:
      "The extension `io.modelcontextprotocol/tasks` is optional and not offered: tools answer within seconds, and the SDK has no server side of it",
  },
  {
    scenario: /^json-schema-2020-12$/,
    checks: /^json-schema-2020-12-\$schema:/,
    reason:
      "Only the check for `$schema` fails. Published schemas leave it out: 2020-12 is what the protocol assumes, and it would cost tokens in every tool",
  },
  {
    scenario: /^server-sse-polling$/,
    checks: /^server-sse-(?:priming-event|retry-field):/,
    reason:
      "Streams of the 2025 era cannot be resumed: that needs events stored on the server, which keeps nothing between requests",
  },
];

/** Whether everything that is required passed. */
export function isConformant(outcomes: readonly Outcome[]): boolean {
  return outcomes.every(({ scenarios }) => required(scenarios).every(({ passed }) => passed));
}

/** Passed and required scenarios, a row for each revision and a column for each arrangement; `-` where it did not run. */
export function resultTable(outcomes: readonly Outcome[], arrangements: readonly string[]): string {
  const revisions = [...new Set(outcomes.map(({ revision }) => revision))];
  const rows = revisions.map((revision) => {
    const cells = arrangements.map((arrangement) => {
      const outcome = outcomes.find((one) => one.revision === revision && one.arrangement === arrangement);
      return outcome ? summary(outcome.scenarios) : "-";
    });
    return `| ${[revision, ...cells].join(" | ")} |`;
  });
  return [
    `| Requirements of | ${arrangements.join(" | ")} |`,
    `|---${"|---".repeat(arrangements.length)}|`,
    ...rows,
  ].join("\n");
}

/** Scenarios that fail without being required, or pass with warnings, and the reason where there is one on record. */
export function remarkTable(outcomes: readonly Outcome[]): string {
  const remarks = new Map<string, Set<string>>();
  for (const { scenarios } of outcomes) {
    for (const { scenario, notScored, passed, warnings, failures } of scenarios) {
      const messages = [...failures, ...warnings];
      if (messages.length === 0 || (notScored === undefined && !passed)) continue;
      const reason = reasonFor(scenario, messages) ?? `Not explained. ${asCell(messages.join("; "))}`;
      const key = `${passed ? "passes with warnings" : "fails"} | ${reason}`;
      remarks.set(key, (remarks.get(key) ?? new Set()).add(`\`${scenario}\``));
    }
  }
  const rows = [...remarks].map(([key, names]) => `| ${[...names].join(", ")} | ${key} |`);
  return ["| Scenario | | Reason |", "|---|---|---|", ...rows].join("\n");
}

/** What failed although it is required, with the suite's messages. */
export function requiredFailures(outcomes: readonly Outcome[]): string[] {
  return outcomes.flatMap(({ revision, arrangement, scenarios }) =>
    required(scenarios)
      .filter(({ passed }) => !passed)
      .map(({ scenario, failures }) => `${revision}, ${arrangement}: ${scenario}\n  ${failures.join("\n  ")}`),
  );
}

/** Writes the tables into a document, between its markers. */
export async function writeReport(document: string, tables: readonly string[]): Promise<void> {
  const text = await readFile(document, "utf8");
  const generated = [`Suite ${SUITE_VERSION}.`, ...tables].join("\n\n");
  const written = text.replace(
    /(<!-- generated: conformance -->)[\s\S]*?(<!-- end -->)/,
    (_all, start: string, end: string) => `${start}\n${generated}\n${end}`,
  );
  await writeFile(document, written);
}

function required(scenarios: readonly ScenarioResult[]): ScenarioResult[] {
  return scenarios.filter(({ notScored }) => notScored === undefined);
}

function summary(scenarios: readonly ScenarioResult[]): string {
  const counted = required(scenarios);
  const checks = counted.reduce((sum, { successes }) => sum + successes, 0);
  return `${counted.filter(({ passed }) => passed).length} of ${counted.length} (${checks} checks)`;
}

function reasonFor(scenario: string, messages: readonly string[]): string | undefined {
  return REASONS.find((one) => one.scenario.test(scenario) && messages.every((message) => one.checks.test(message)))
    ?.reason;
}

/** A text that does not end its cell of a Markdown table. */
function asCell(text: string): string {
  return text.replaceAll(/\s+/g, " ").replaceAll("|", "\\|");
}
