import {
  CLIENT_CAPABILITIES_META_KEY,
  type ClientCapabilities,
  type Implementation,
  type JSONRPCRequest,
  McpServer,
  type McpServerFactory,
  ProtocolError,
  ProtocolErrorCode,
  type ServerContext,
  type ServerOptions,
} from "@modelcontextprotocol/server";
import { type AccessRules, decideAccess, lacksScope } from "../auth/access-policy.ts";
import type { Audit } from "../diagnostics.ts";
import { type RequestContext, requestContextOf } from "./auth-info.ts";
import type { Confirmations } from "./confirmation.ts";
import { publish } from "./definition.ts";
import type { Gate } from "./gate.ts";
import { DIGESTS_META_KEY } from "./manifest.ts";
import type { Prompt } from "./prompt.ts";
import { handlePrompts } from "./prompt-handlers.ts";
import type { Tool } from "./tool.ts";

/** What the server offers and through which gate. */
export interface McpServerOptions {
  readonly info: Implementation;
  readonly tools: readonly Tool[];
  readonly prompts: readonly Prompt[];
  readonly rules: AccessRules;
  readonly gate: Gate;
  /** Digests of the tools by name (see `manifest.ts`): clients may pin what their people reviewed. */
  readonly digests?: ReadonlyMap<string, string> | undefined;
  /** Checks the state that comes back with a person's answer. */
  readonly verifyRequestState: Confirmations["verify"];
  /** What a client is told when it lacks the rules' `writeScope`: all scopes that it then needs, spelled out in full. */
  readonly stepUp?: { readonly scopes: readonly [string, ...string[]]; readonly audit: Audit } | undefined;
}

const INSTRUCTIONS =
  "Microsoft Graph as the signed-in user. Start from get_my_profile when a question says 'me' or 'my'. " +
  "Follow `next` as cursor, with the same arguments, for more results.";
/** A catalogue changes with a deployment or a role, not within minutes. */
const LIST_TTL_MS = 5 * 60 * 1000;

/**
 * Builds the factory of MCP servers: one server per request, for the protocol of 2026-07-28 and the older ones alike.
 *
 * `tools/list` shows what the caller may call; a call of anything else that exists goes to the gate too, which refuses
 * and audits it. The handlers are set on the SDK's protocol layer: its tool registry would convert schemas on every
 * request and validate before anything is authorised.
 */
export function createMcpServerFactory(options: McpServerOptions): McpServerFactory {
  const { info, tools, rules, gate, digests, verifyRequestState, stepUp } = options;
  const byName = new Map(tools.map((tool) => [tool.name, tool]));
  const prompts = new Map(
    options.prompts
      .filter((prompt) => (prompt.tools ?? []).every((name) => byName.has(name)))
      .map((prompt) => [prompt.name, prompt]),
  );
  const published = new Map(tools.map((tool) => [tool, publish(tool)]));

  const serverOptions: ServerOptions = {
    instructions: INSTRUCTIONS,
    capabilities: { tools: { listChanged: false }, prompts: { listChanged: false }, completions: {} },
    requestState: { verify: verifyRequestState },
    cacheHints: { "tools/list": { ttlMs: LIST_TTL_MS, cacheScope: "private" } },
  };

  return ({ authInfo }) => {
    const context = requestContextOf(authInfo);
    const mcp = new McpServer(info, serverOptions);
    // The SDK compares `Mcp-Param-*` headers with this schema before it dispatches; its own registry is empty here.
    mcp.toolInputSchemaJson = (name) => {
      const tool = byName.get(name);
      return tool && published.get(tool)?.inputSchema;
    };
    // Before anything is dispatched: the answer is 403 `insufficient_scope`, at which clients ask for more and try again.
    mcp.resolveScopeChallenge = ({ request }) => {
      const tool = request.method === "tools/call" ? byName.get(String(request.params?.["name"])) : undefined;
      const { principal } = context.caller;
      if (!tool || !stepUp || !lacksScope(tool, principal, rules)) return undefined;
      const facts = { tool: tool.name, toolDigest: digests?.get(tool.name) };
      stepUp.audit({ ...denied(context), ...facts, reason: "insufficient_scope" });
      return { scopes: stepUp.scopes, errorDescription: `${tool.name} changes data and needs another scope.` };
    };
    mcp.server.setRequestHandler("tools/list", () => {
      const tools = [...published]
        .filter(([tool]) => decideAccess(tool, context.caller.principal, rules).allowed)
        .map(([, shown]) => shown);
      if (!digests) return { tools };
      // Not in each tool: some clients hand a tool to the model as it comes.
      return {
        tools,
        _meta: { [DIGESTS_META_KEY]: Object.fromEntries(tools.map(({ name }) => [name, digests.get(name)])) },
      };
    });
    mcp.server.setRequestHandler("tools/call", ({ params }, exchange) => {
      const tool = byName.get(params.name);
      if (!tool) throw new ProtocolError(ProtocolErrorCode.InvalidParams, "Unknown tool; tools/list has the names.");
      // The server of a connection (stdio) lives longer than a request: since 2026 each says what its client can do.
      const capabilities = declaredIn(exchange) ?? mcp.server.getClientCapabilities();
      return gate({
        ...context,
        tool,
        input: params.arguments,
        exchange,
        clientCanAsk: showsForms(capabilities),
        clientOpensUrls: capabilities?.elicitation?.url !== undefined,
      });
    });
    handlePrompts(mcp.server, prompts, gate, context);
    return mcp;
  };
}

/**
 * Tells of a request whether its server may have something to say to the client before the result, a question above all;
 * only such requests of the 2025 era need a stream.
 */
export function createTalkative(tools: readonly Tool[]): (request: JSONRPCRequest) => boolean {
  const talkative = new Set<unknown>(tools.filter((tool) => "confirm" in tool || tool.talks).map(({ name }) => name));
  return ({ method, params }) => method === "tools/call" && talkative.has(params?.["name"]);
}

/** The audit of a call that never reached the gate. */
function denied({ caller: { principal, tokenId }, requestId }: RequestContext) {
  const { userId, tenantId, clientId } = principal;
  const facts = { event: "tool_call", decision: "denied", outcome: "error", durationMs: 0 } as const;
  return { ...facts, requestId, tokenId, userId, tenantId, clientId };
}

function declaredIn({ mcpReq }: ServerContext): ClientCapabilities | undefined {
  const envelope: { readonly [CLIENT_CAPABILITIES_META_KEY]?: ClientCapabilities } = mcpReq.envelope ?? {};
  return envelope[CLIENT_CAPABILITIES_META_KEY];
}

/** A client that declares elicitation without saying how shows forms (MCP, "Elicitation", capabilities). */
function showsForms({ elicitation }: ClientCapabilities = {}): boolean {
  return elicitation !== undefined && (elicitation.form !== undefined || elicitation.url === undefined);
}
