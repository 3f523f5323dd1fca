/** How one check ended. `unknown`: it could not be made, because something did not answer. */
export type Verdict =
  | { readonly outcome: "ok" | "skipped" | "unknown"; readonly detail: string }
  | { readonly outcome: "finding"; readonly detail: string; readonly fix: string };

/** One line of the report. */
export type Result = Verdict & { readonly check: string };

/** What is known of a deployment after looking at it. */
export interface Report {
  readonly url: string;
  /** Who challenges clients. */
  readonly front: Front;
  readonly results: readonly Result[];
}

/** Who answers first: App Service Authentication, or the server itself. */
export type Front = "App Service Authentication" | "the server itself";

/** A check that found what it wanted to. */
export function ok(detail: string): Verdict {
  return { outcome: "ok", detail };
}

/** A check that found a fault; `fix` says what to change. */
export function finding(detail: string, fix: string): Verdict {
  return { outcome: "finding", detail, fix };
}

/** A check that has nothing to look at. */
export function skipped(detail: string): Verdict {
  return { outcome: "skipped", detail };
}

/** 0: no findings; 1: findings; 2: none, but something could not be checked. */
export function exitCodeOf({ results }: Report): 0 | 1 | 2 {
  const has = (outcome: Verdict["outcome"]) => results.some((result) => result.outcome === outcome);
  return has("finding") ? 1 : has("unknown") ? 2 : 0;
}

const MARKS = { ok: "ok     ", finding: "FINDING", skipped: "-      ", unknown: "?      " } as const;

/** Renders a report for people. */
export function renderReport(report: Report): string {
  const width = Math.max(...report.results.map(({ check }) => check.length));
  const lines = report.results.flatMap((result) => [
    `  ${MARKS[result.outcome]}  ${result.check.padEnd(width)}  ${result.detail}`,
    ...(result.outcome === "finding" ? [`  ${" ".repeat(9 + width)}  Fix: ${result.fix}`] : []),
  ]);
  const count = (outcome: Verdict["outcome"]) => report.results.filter((result) => result.outcome === outcome).length;
  const summary = [
    `${count("finding")} ${count("finding") === 1 ? "finding" : "findings"}`,
    `${count("ok")} ok`,
    ...(count("skipped") > 0 ? [`${count("skipped")} not looked at`] : []),
    ...(count("unknown") > 0 ? [`${count("unknown")} could not be checked`] : []),
  ];
  return `${report.url}, behind ${report.front}\n\n${lines.join("\n")}\n\n${summary.join(", ")}.`;
}
