import {
  type Attributes,
  context,
  diag,
  metrics,
  type Span as OtelSpan,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { logs } from "@opentelemetry/api-logs";
import { shutdownAzureMonitor, useAzureMonitor } from "applicationinsights";
import type { Config } from "../config.ts";
import {
  AUDIT_VERSION,
  type Audit,
  type AuditEvent,
  type LogFields,
  type Span,
  type Telemetry,
} from "../diagnostics.ts";
import { VERSION } from "../version.ts";
import type { createManagedIdentity } from "./azure-credentials.ts";

/** Where telemetry goes, and who sends it. */
export type AzureMonitorOptions = NonNullable<Config["telemetry"]> & {
  /** The managed identity; it needs the role Monitoring Metrics Publisher. */
  readonly credential: ReturnType<typeof createManagedIdentity>;
};

/** Telemetry that leaves this machine. */
export interface AzureMonitor extends Telemetry {
  /** Counts what the audit says; what was refused, asked or found is sent as an event too. */
  readonly audit: Audit;
  /** How many times telemetry could not be delivered. */
  readonly failures: () => number;
  /** Sends what waits, for at most two seconds. */
  close(): Promise<void>;
}

const SCOPE = "azure-graph-mcp";
const SEND_MS = 10_000;
const CLOSE_MS = 2_000;
/** Seconds; as OpenTelemetry's conventions for MCP have them. */
const DURATION_BUCKETS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300];
const TRACEPARENT = /^00-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})$/;

/**
 * Starts the Application Insights SDK with what this server says itself and nothing else: its instrumentations would put
 * addresses of Graph, with ids and search words, into telemetry.
 *
 * Names follow OpenTelemetry's semantic conventions for MCP. Never throws afterwards; what cannot be delivered is
 * dropped and counted.
 */
export function startAzureMonitor(options: AzureMonitorOptions): AzureMonitor {
  let failures = 0;
  useAzureMonitor({
    azureMonitorExporterOptions: {
      connectionString: options.connectionString,
      credential: options.credential,
      disableOfflineStorage: true,
      retryOptions: { maxRetries: 1 },
      additionalPolicies: [
        {
          position: "perCall",
          policy: {
            name: "countFailures",
            async sendRequest(request, next) {
              request.timeout = SEND_MS;
              const response = await next(request).catch((error: unknown) => {
                failures += 1;
                throw error;
              });
              if (response.status >= 300) failures += 1;
              return response;
            },
          },
        },
      ],
    },
    tracesPerSecond: options.tracesPerSecond,
    enableLiveMetrics: options.liveMetrics,
    enablePerformanceCounters: false,
    enableAutoCollectExceptions: false,
    enableAutoCollectPerformance: false,
    instrumentationOptions: Object.fromEntries(
      ["http", "azureSdk", "mongoDb", "mySql", "postgreSql", "redis", "redis4", "bunyan", "winston"].map((name) => [
        name,
        { enabled: false },
      ]),
    ),
  });
  // The SDK would print its troubles, which quote what it could not send, between the lines of the log.
  diag.disable();

  const tracer = trace.getTracer(SCOPE, VERSION);
  // Its bridge to the Azure SDKs cannot be switched off by an option: from here on only this tracer has somewhere to send.
  trace.disable();
  const meter = metrics.getMeter(SCOPE, VERSION);
  const events = logs.getLogger(SCOPE, VERSION);
  const duration = meter.createHistogram("mcp.server.operation.duration", {
    unit: "s",
    advice: { explicitBucketBoundaries: DURATION_BUCKETS },
  });
  const resultTokens = meter.createHistogram("mcp.tool.result.tokens", { unit: "{token}" });
  const graphTokens = meter.createCounter("graph.tokens");
  const throttled = meter.createCounter("mcp.throttled");
  const findings = meter.createCounter("mcp.content.findings");

  function begin(
    name: string,
    kind: SpanKind,
    parent: OtelSpan | undefined,
    attributes: Attributes,
    traceparent?: string,
  ) {
    const from = parent ? trace.setSpan(ROOT_CONTEXT, parent) : remoteContext(traceparent);
    return asSpan(tracer.startSpan(name, { kind, attributes }, from));
  }

  function asSpan(span: OtelSpan): Span {
    return {
      begin: (service, fields = {}) =>
        begin(service, SpanKind.CLIENT, span, { "peer.service": service, ...defined(fields) }),
      end({ error, ...fields } = {}) {
        span.setAttributes(defined(fields));
        if (error !== undefined) {
          span.setAttribute("error.type", error);
          span.setStatus({ code: SpanStatusCode.ERROR });
        }
        span.end();
      },
    };
  }

  function count(event: AuditEvent): void {
    switch (event.event) {
      case "tool_call": {
        const { tool, outcome, reason, durationMs } = event;
        const about = { "mcp.method.name": "tools/call", "gen_ai.tool.name": tool };
        duration.record(durationMs / 1000, defined({ ...about, "mcp.outcome": outcome, "error.type": reason }));
        if (event.resultTokens !== undefined) resultTokens.record(event.resultTokens, about);
        if (reason === "throttled") throttled.add(1, { by: event.decision === "denied" ? "calls" : "Microsoft Graph" });
        return;
      }
      case "flood":
        throttled.add(1, { by: "flood" });
        return;
      case "content_check":
        findings.add(1, { reason: event.reason, decision: event.decision, "gen_ai.tool.name": event.tool });
        return;
      case "sign_in":
      case "grant":
      case "confirmation":
        return;
    }
  }

  return {
    beginCall: (tool, traceparent) =>
      begin(
        `tools/call ${tool}`,
        SpanKind.SERVER,
        undefined,
        { "mcp.method.name": "tools/call", "gen_ai.tool.name": tool, "rpc.system": "jsonrpc" },
        traceparent,
      ),
    countToken: (source) => graphTokens.add(1, { source }),
    audit(event) {
      count(event);
      // Calls that were let in are many: they are counted, traced by sample, and whole in the log.
      if (event.event === "tool_call" && event.decision === "allowed") return;
      const { event: name, ...facts } = event;
      const attributes = { "microsoft.custom_event.name": `mcp.${name}`, version: AUDIT_VERSION, ...defined(facts) };
      events.emit({ attributes, context: context.active() });
    },
    failures: () => failures,
    async close() {
      const patience = new Promise((resolve) => {
        setTimeout(resolve, CLOSE_MS).unref();
      });
      // Rejects when nothing could be delivered, which was counted.
      await Promise.race([shutdownAzureMonitor().catch(() => undefined), patience]);
    },
  };
}

/** The context of a client's span; whether it is sampled is decided here, whatever the client says. */
function remoteContext(traceparent = "") {
  const [, traceId = "", spanId = ""] = TRACEPARENT.exec(traceparent) ?? [];
  if (!traceId) return ROOT_CONTEXT;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: 1, isRemote: true });
}

function defined(fields: LogFields): Attributes {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
