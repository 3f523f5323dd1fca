import { type CallToolResult, type InputRequiredResult, isInputRequiredResult } from "@modelcontextprotocol/server";
import type { Audit, AuditEvent, Telemetry } from "../diagnostics.ts";
import type { CallWatch } from "../graph/graph.ts";
import type { Protect } from "../safety/protect.ts";
import type { ToolCall } from "./gate.ts";

/** What of a call is kept, for the audit and for telemetry: who, what, when and how it ended, and never its contents. */
export interface Trail extends CallWatch {
  readonly confirmation: (decision: "asked" | "approved" | "declined") => void;
  readonly contentCheck: Parameters<Protect>[0]["report"];
  /** Ends it; `admitted` says whether the caller was let through to the tool, `reason` is the code of an expected failure. */
  readonly end: (ending: {
    readonly admitted: boolean;
    readonly result: CallToolResult | InputRequiredResult;
    readonly reason: string | undefined;
  }) => void;
}

/** Where a {@link Trail} leads. */
export interface TrailOptions {
  readonly audit: Audit;
  readonly digests?: ReadonlyMap<string, string> | undefined;
  readonly telemetry?: Telemetry | undefined;
}

const GUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;
/** Version, trace id, parent id, flags (W3C Trace Context, section 3.2). */
const TRACEPARENT = /^00-([\da-f]{32})-[\da-f]{16}-[\da-f]{2}$/;
const CHARACTERS_PER_TOKEN = 4;

/** Begins the trail of a call. What a client or Graph put into words is kept only where it has the form of an id. */
export function createTrail({ tool, caller, requestId, exchange }: ToolCall, options: TrailOptions): Trail {
  const { audit, digests, telemetry } = options;
  const started = performance.now();
  const { userId, tenantId, clientId } = caller.principal;
  const facts = {
    tool: tool.name,
    toolDigest: digests?.get(tool.name),
    requestId,
    tokenId: caller.tokenId,
    userId,
    tenantId,
    clientId,
  };
  const { id, _meta: meta } = exchange.mcpReq;
  const named: unknown = meta?.["traceparent"];
  const traceparent = typeof named === "string" ? TRACEPARENT.exec(named) : null;
  const span = telemetry?.beginCall(tool.name, traceparent?.[0]);
  let graphRequestId: string | undefined;

  return {
    request(method) {
      const step = span?.begin("Microsoft Graph", { "http.request.method": method });
      return ({ status, id: answered = "", error }) => {
        if (GUID.test(answered)) graphRequestId = answered;
        step?.end({ "http.response.status_code": status, error: error ?? errorOf(status) });
      };
    },
    token(source) {
      telemetry?.countToken(source);
      const step = source === "exchange" ? span?.begin("Entra ID") : undefined;
      return ({ error }) => step?.end({ error });
    },
    confirmation: (decision) => audit({ event: "confirmation", decision, ...facts }),
    contentCheck: (check) => audit({ event: "content_check", ...check, ...facts }),
    end({ admitted, result, reason: code }) {
      const outcome = isInputRequiredResult(result) ? "input_required" : result.isError ? "error" : "success";
      const reason = outcome === "error" ? (code ?? "internal") : undefined;
      span?.end({ error: reason });
      const event: AuditEvent = {
        event: "tool_call",
        decision: admitted ? "allowed" : "denied",
        outcome,
        reason,
        ...facts,
        durationMs: Math.round(performance.now() - started),
        resultTokens: outcome === "success" ? tokensOf(result) : undefined,
        clientRequestId: typeof id === "number" || GUID.test(id) ? id : undefined,
        traceId: traceparent?.[1],
        graphRequestId,
      };
      audit(event);
    },
  };
}

function errorOf(status = 0): string | undefined {
  return status >= 400 ? String(status) : undefined;
}

/** Text and structured content say the same; a model reads one of them. */
function tokensOf(result: CallToolResult | InputRequiredResult): number {
  const [first] = "content" in result ? (result as CallToolResult).content : [];
  return first?.type === "text" ? Math.ceil(first.text.length / CHARACTERS_PER_TOKEN) : 0;
}
