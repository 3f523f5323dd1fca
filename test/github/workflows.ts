import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

/** A step of a job: it uses an action or runs a script. */
export interface Step {
  readonly uses?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly run?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** What GitHub runs on one machine. */
export interface Job {
  readonly if?: string;
  readonly "timeout-minutes"?: number;
  readonly environment?: unknown;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly strategy?: { readonly matrix: Readonly<Record<string, readonly unknown[]>> };
  readonly steps: readonly Step[];
}

/** A file of `.github/workflows`, as written and as read. */
export interface Workflow {
  readonly file: string;
  readonly text: string;
  readonly content: {
    readonly on: Readonly<Record<string, unknown>>;
    readonly permissions?: unknown;
    readonly concurrency?: { readonly group: string };
    readonly jobs: Readonly<Record<string, Job>>;
  };
}

/** The root of the repository. */
export const ROOT = join(import.meta.dirname, "../..");

/** Reads every workflow of the repository. */
export function readWorkflows(): Workflow[] {
  const folder = join(ROOT, ".github/workflows");
  return readdirSync(folder).map((file) => {
    const text = readFileSync(join(folder, file), "utf8");
    return { file, text, content: parse(text) as Workflow["content"] };
  });
}
