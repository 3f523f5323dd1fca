import {
  type CallToolResult,
  type InputRequiredResult,
  isInputRequiredResult,
  type ServerContext,
} from "@modelcontextprotocol/server";
import type * as z from "zod";
import { type AccessRules, decideAccess, lacksScope } from "../auth/access-policy.ts";
import { type Caller, userKey } from "../auth/principal.ts";
import type { Audit, Log, Telemetry } from "../diagnostics.ts";
import type { ConnectGraph } from "../graph/graph.ts";
import { cleanMessage, createProtect, type Protect } from "../safety/protect.ts";
import type { CheckArguments } from "../safety/shield-arguments.ts";
import { untilAborted } from "./abort.ts";
import type { CallLimits } from "./call-limits.ts";
import type { Confirmations } from "./confirmation.ts";
import type { CursorScope } from "./cursor.ts";
import { type Deadline, startDeadline } from "./deadline.ts";
import { digestOf } from "./digest.ts";
import type { ExtractText } from "./extract-text.ts";
import { createProgress } from "./progress.ts";
import type { Tool, ToolContext } from "./tool.ts";
import { ToolError } from "./tool-error.ts";
import { createTrail, type Trail } from "./trail.ts";

/** A tool call as it comes in: nothing in it is trusted yet. */
export interface ToolCall {
  readonly tool: Tool;
  readonly input: unknown;
  readonly caller: Caller;
  /** Names this call in the log, the audit and in what the caller is told about faults. */
  readonly requestId: string;
  /** The protocol's context of this call: its abort signal, and the answers to questions asked in an earlier round. */
  readonly exchange: ServerContext;
  /** Whether the client said that it can show a form to its user. */
  readonly clientCanAsk: boolean;
  /** Whether the client said that it can lead its user to an address. */
  readonly clientOpensUrls: boolean;
}

/** What the gate works with. */
export interface GateOptions {
  readonly rules: AccessRules;
  readonly connectGraph: ConnectGraph;
  readonly extractText: ExtractText;
  readonly confirmations: Confirmations;
  readonly sealCursors: (scope: CursorScope) => Parameters<ConnectGraph>[0]["cursors"];
  /** Optional permissions that the operator switched on. */
  readonly extraPermissions: readonly string[];
  readonly timeoutMs: number;
  /** Cleans and marks what came from outside; without one given nothing is sent to a shield. */
  readonly protect?: Protect | undefined;
  /** Looks at what a tool is called with; absent: nothing is sent anywhere. */
  readonly checkArguments?: CheckArguments | undefined;
  /** How much one caller may do; without it, as much as they like. */
  readonly limits?: CallLimits | undefined;
  /** Digests of the tools by name (see `manifest.ts`), for the audit. */
  readonly digests?: ReadonlyMap<string, string> | undefined;
  readonly audit: Audit;
  readonly telemetry?: Telemetry | undefined;
  readonly log: Log;
}

/** `_meta` key under which an error result carries its code and facts. */
export const ERROR_META_KEY = "azure-graph-mcp/error";
const MAX_RESULT_BYTES = 200_000;
const MAX_ISSUES = 5;

/**
 * The one path of a tool call. Never throws: every failure is a result with `isError`. Text and structured content of
 * a success say the same, from one value.
 */
export type Gate = (call: ToolCall) => Promise<CallToolResult | InputRequiredResult>;

/**
 * Builds the gate: authorise, validate input, ask the person where the tool demands it, run the handler with a Graph
 * client bound to the caller, validate output, clean and mark it, audit. A duty that every call has is done here and
 * not by a tool.
 */
export function createGate(options: GateOptions): Gate {
  const { rules, connectGraph, extractText, confirmations, sealCursors, extraPermissions, timeoutMs, limits, log } =
    options;
  const protect = options.protect ?? createProtect({ datamark: false });

  async function run(
    { tool, input, caller, requestId, exchange, clientCanAsk }: ToolCall,
    trail: Trail,
    signal: AbortSignal,
  ) {
    const args = parseInput(tool, input);
    await options.checkArguments?.({ args, signal, report: trail.contentCheck });
    const optional = (tool.optionalPermissions ?? []).filter((permission) => extraPermissions.includes(permission));
    const progress = createProgress(exchange);
    const graph = connectGraph({
      caller,
      permissions: [...tool.permissions, ...optional],
      signal,
      cursors: sealCursors({ principal: caller.principal, tool: tool.name, input: args }),
      onWait: (ms) => progress(`Microsoft Graph asks to wait ${Math.ceil(ms / 1000)} s`),
      requestId,
      watch: trail,
    });
    const { tenantId, userId } = caller.principal;
    const context: ToolContext & { approvedVersion: string | undefined } = {
      graph,
      approvedVersion: undefined,
      permits: (permission) => optional.includes(permission),
      // Few tools ask for it.
      get callKey() {
        return digestOf([tenantId, userId, tool.name, args]);
      },
      extractText: (file) => extractText(file, { signal, user: userKey(caller.principal) }),
      exchange,
    };
    const question = await tool.confirm?.(args, context);
    if (question) {
      const round = { tool, input: args, question, exchange, clientCanAsk };
      const toAsk = await confirmations.settle(round).catch((error: unknown) => {
        if (error instanceof ToolError && error.code === "not_confirmed") trail.confirmation("declined");
        throw error;
      });
      trail.confirmation(toAsk ? "asked" : "approved");
      if (toAsk) return toAsk;
    }
    context.approvedVersion = question?.version;
    const output = await tool.handler(args, context);
    if (isInputRequiredResult(output)) return output;
    const shown = await protect({
      tool: tool.name,
      effect: tool.effect,
      schema: tool.output,
      output: tool.output.parse(output),
      signal,
      report: trail.contentCheck,
    });
    return success(tool, shown);
  }

  return async (call) => {
    const { tool, caller, requestId, exchange } = call;
    const trail = createTrail(call, options);
    const deadline = startDeadline(exchange.mcpReq.signal, timeoutMs);
    const access = decideAccess(tool, caller.principal, rules);
    let admitted = false;
    let leave: (() => void) | undefined;
    let failure: ToolError | undefined;
    let result: CallToolResult | InputRequiredResult;
    try {
      leave = await limits?.enter(caller.principal);
      if (!access.allowed) throw new ToolError("forbidden", access.denied);
      // Only where a transport has no way to ask for more, or did not: over HTTP the client was told before.
      if (lacksScope(tool, caller.principal, rules)) {
        throw new ToolError(
          "forbidden",
          `${tool.name} changes data and needs another scope. Sign in again and allow it.`,
        );
      }
      admitted = true;
      // Also for a tool that waits for something which knows nothing of the signal.
      result = await untilAborted(run(call, trail, deadline.signal), deadline.signal);
    } catch (error) {
      failure = expected(error, tool, deadline);
      if (!failure) log.error("A tool failed unexpectedly", { requestId, tool: tool.name, error: describe(error) });
      result = failed(failure, requestId);
    } finally {
      deadline.end();
      leave?.();
    }
    trail.end({ admitted, result, reason: failure?.code });
    return result;
  };
}

function parseInput(tool: Tool, input: unknown): Record<string, unknown> {
  const parsed = tool.input.safeParse(input ?? {});
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues
    .slice(0, MAX_ISSUES)
    .map((issue) => `${issue.path.join(".") || "arguments"}: ${issue.message}`);
  throw new ToolError(
    "invalid_arguments",
    `The arguments of ${tool.name} are not valid. ${issues.join("; ").slice(0, 1000)}`,
  );
}

function success(tool: Tool, output: z.output<z.ZodObject>): CallToolResult {
  const text = JSON.stringify(output);
  if (Buffer.byteLength(text) > MAX_RESULT_BYTES) {
    throw new ToolError("invalid_arguments", "The result is too large. Ask for fewer items or less text.");
  }
  return { content: [{ type: "text", text }, ...(tool.content?.(output) ?? [])], structuredContent: output };
}

/** The expected failure behind an error, or undefined for a fault of this server. */
function expected(error: unknown, tool: Tool, { cancelled, timedOut }: Deadline): ToolError | undefined {
  if (error instanceof ToolError) return error;
  if (cancelled()) return new ToolError("cancelled", "The call was cancelled.", { cause: error });
  if (timedOut() && tool.effect !== "read") {
    return new ToolError(
      "outcome_unknown",
      "Microsoft Graph took too long, and may have done this or not. Look before you try again.",
      { cause: error },
    );
  }
  if (timedOut()) {
    return new ToolError(
      "unavailable",
      "Microsoft Graph took too long. Try again, with a smaller limit if there is one.",
      { cause: error },
    );
  }
  return undefined;
}

/** The result of a call that failed; without an expected failure a fixed sentence with the reference of the call. */
export function failed(failure: ToolError | undefined, requestId: string): CallToolResult {
  const text = failure
    ? cleanMessage(failure.message)
    : `Something went wrong in this server. If it happens again, report this reference: ${requestId}`;
  return {
    content: [{ type: "text", text }],
    isError: true,
    _meta: { [ERROR_META_KEY]: { code: failure?.code ?? "internal", requestId, ...failure?.meta } },
  };
}

/** Class and place of a fault, without its message: that may hold a caller's data. */
export function describe(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const { stack = "", message } = error;
  // The stack begins with the message, which may have lines of its own that look like places.
  const places = stack.includes(message) ? stack.slice(stack.indexOf(message) + message.length) : "";
  const place = /\n\s+at (?:.* \()?(?:file:\/\/)?([^()\s]+)/.exec(places)?.[1];
  return `${error.name}${place ? ` at ${place}` : ""}`;
}
