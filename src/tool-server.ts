import type { McpServerFactory } from "@modelcontextprotocol/server";
import type { AccessRules } from "./auth/access-policy.ts";
import type { Config } from "./config.ts";
import type { Audit, Log, Telemetry } from "./diagnostics.ts";
import { createExtractor } from "./extract/extractor.ts";
import { createGraphClient } from "./graph/client.ts";
import type { AcquireGraphToken, GraphTransport } from "./graph/graph.ts";
import type { CallLimits } from "./mcp/call-limits.ts";
import type { ClaimOnce } from "./mcp/claim-once.ts";
import { createConfirmations, type PrincipalOf } from "./mcp/confirmation.ts";
import { createCursorSealer } from "./mcp/cursor.ts";
import { createGate, type Gate } from "./mcp/gate.ts";
import type { KeyRing } from "./mcp/key-ring.ts";
import { digestTools, findUnreviewed } from "./mcp/manifest.ts";
import { createMcpServerFactory } from "./mcp/server.ts";
import type { Tool } from "./mcp/tool.ts";
import { prompts } from "./prompts/index.ts";
import type { Protect } from "./safety/protect.ts";
import type { CheckArguments } from "./safety/shield-arguments.ts";
import { StartError } from "./start-error.ts";
import { toolsets } from "./tools/index.ts";
import lock from "./tools.lock.json" with { type: "json" };
import { VERSION } from "./version.ts";

/** What the tools are served with, wherever they are served. */
export interface ToolServerOptions {
  readonly config: Pick<
    Config,
    "toolsets" | "extraPermissions" | "graphEndpoint" | "downloadHosts" | "toolTimeoutMs"
  > & { readonly access: AccessRules };
  readonly acquireToken: AcquireGraphToken;
  readonly send: GraphTransport;
  readonly keyRing: KeyRing;
  readonly claimOnce: ClaimOnce;
  /** Of the instances that share `claimOnce`, and no others: an approval that another one opens would count there again. Without it, `keyRing`. */
  readonly approvalKeys?: KeyRing | undefined;
  /** Absent: what comes from outside is cleaned and marked, and sent to no shield. */
  readonly protect?: Protect | undefined;
  readonly checkArguments?: CheckArguments | undefined;
  /** Where callers do not come with requests: who a call is made for, and what is done before the gate to find out. */
  readonly local?: { readonly principalOf: PrincipalOf; readonly guard: (gate: Gate) => Gate };
  /** Scopes, in full, of a call that changes data; where there are any besides the one that every token has. */
  readonly writeScopes?: readonly [string, ...string[]] | undefined;
  /** How much one caller may do; without it, as much as they like. */
  readonly limits?: CallLimits | undefined;
  readonly telemetry?: Telemetry | undefined;
  readonly log: Log & { readonly audit: Audit };
}

/** Longest time that reading the text of one file may take. */
const EXTRACTION_MS = 10_000;

/**
 * Builds the MCP servers of the configured toolsets, with the gate that every call goes through: the same over HTTP and
 * stdio. Throws {@link StartError} where a tool is not the one that was reviewed.
 */
export function createToolServer(options: ToolServerOptions): McpServerFactory {
  const {
    config,
    acquireToken,
    send,
    keyRing,
    claimOnce,
    approvalKeys = keyRing,
    protect,
    checkArguments,
    local,
    writeScopes,
    limits,
    telemetry,
    log,
  } = options;
  const digests = digestReviewed(toolsOf(config));
  const confirmations = createConfirmations(approvalKeys, claimOnce, local?.principalOf);
  const gate = createGate({
    rules: config.access,
    confirmations,
    connectGraph: createGraphClient({
      endpoint: new URL(config.graphEndpoint),
      acquireToken,
      send,
      downloadHosts: config.downloadHosts,
    }),
    extractText: createExtractor({ worker: new URL("./extract/worker.js", import.meta.url), timeoutMs: EXTRACTION_MS }),
    sealCursors: createCursorSealer(keyRing),
    extraPermissions: config.extraPermissions,
    timeoutMs: config.toolTimeoutMs,
    protect,
    checkArguments,
    limits,
    digests,
    audit: log.audit,
    telemetry,
    log,
  });
  return createMcpServerFactory({
    info: { name: "azure-graph", title: "Microsoft Graph", version: VERSION },
    tools: toolsOf(config),
    prompts,
    rules: config.access,
    gate: local ? local.guard(gate) : gate,
    digests,
    verifyRequestState: confirmations.verify,
    stepUp: writeScopes && { scopes: writeScopes, audit: log.audit },
  });
}

/** Digests of tools that all are what somebody reviewed. */
function digestReviewed(tools: readonly Tool[]): Map<string, string> {
  const digests = digestTools(tools);
  const unreviewed = findUnreviewed(digests, lock);
  if (unreviewed.length === 0) return digests;
  throw new StartError(
    `The definition of ${unreviewed.join(", ")} is not the one in src/tools.lock.json. If the change is wanted, write the ` +
      "lock anew with `npm run lock`, let somebody review it, and deploy both together.",
  );
}

/** Permissions that reading needs, and all that the configured tools may use; each once, sorted. */
export function permissionsOf(config: ToolServerOptions["config"]): {
  readonly read: string[];
  readonly all: string[];
} {
  const tools = toolsOf(config);
  const read = collect(tools.filter(({ effect }) => effect === "read"));
  return { read, all: config.access.allowWrites ? collect(tools) : read };

  function collect(some: readonly Tool[]): string[] {
    const optional = new Set(some.flatMap((tool) => tool.optionalPermissions));
    const extra = config.extraPermissions.filter((permission) => optional.has(permission));
    return [...new Set([...some.flatMap((tool) => tool.permissions), ...extra])].sort();
  }
}

/** The tools of the configured toolsets. */
export function toolsOf(config: Pick<Config, "toolsets">): Tool[] {
  return config.toolsets.flatMap((name) => toolsets[name] ?? []);
}
