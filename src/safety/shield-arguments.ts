import { ToolError } from "../mcp/tool-error.ts";
import type { Passage, PromptShield } from "./prompt-shield.ts";
import type { ContentCheck } from "./protect.ts";

/** Arguments on their way to a tool. */
export interface Incoming {
  readonly args: Readonly<Record<string, unknown>>;
  readonly signal: AbortSignal;
  /** Told of what the shield found, or that it could not look; before anything is thrown. */
  readonly report: (check: ContentCheck) => void;
}

/** Lets arguments through. Throws `ToolError` where the policy forbids to act on them: nothing was done then. */
export type CheckArguments = (incoming: Incoming) => Promise<void>;

/** Builds the check of what a model passes to a tool: one that was taken over passes on what took it over. */
export function createArgumentCheck(shield: PromptShield): CheckArguments {
  return async ({ args, signal, report }) => {
    const passages = textsIn(args, "");
    if (passages.length === 0) return;
    const started = performance.now();
    const note = (reason: ContentCheck["reason"], decision: ContentCheck["decision"], fields: number): void =>
      report({ part: "arguments", reason, decision, fields, durationMs: Math.round(performance.now() - started) });
    let found: ReadonlySet<string>;
    try {
      found = await shield.find(passages, signal);
    } catch (cause) {
      signal.throwIfAborted();
      note("unavailable", shield.onFailure === "open" ? "passed" : "refused", passages.length);
      if (shield.onFailure === "open") return;
      throw new ToolError(
        "unavailable",
        "Prompt Shields could not be asked about these arguments, and nothing is done unchecked. Try again in a minute.",
        { cause },
      );
    }
    if (found.size === 0) return;
    note("attack", shield.policy === "block" ? "refused" : "annotated", found.size);
    if (shield.policy !== "block") return;
    throw new ToolError(
      "forbidden",
      `Prompt Shields found an attack in these arguments: ${[...found].join(", ")}. Nothing was done.`,
    );
  };
}

/** Every text of some arguments, with its place in them. */
function textsIn(value: unknown, path: string): Passage[] {
  if (typeof value === "string") return value === "" ? [] : [{ path, text: value }];
  if (Array.isArray(value)) return value.flatMap((item, index) => textsIn(item, `${path}[${index}]`));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, item]) => textsIn(item, path === "" ? name : `${path}.${name}`));
}
