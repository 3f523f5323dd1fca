import type { Answer, Probe } from "./probe.ts";

/** The two protocol eras, by the revision that speaks for each. */
export const ERAS = ["2026-07-28", "2025-11-25"] as const;

/** One of the protocol eras. */
export type Era = (typeof ERAS)[number];

const CLIENT = { name: "azure-graph-mcp-verify", version: "1" };
const META = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": CLIENT,
  "io.modelcontextprotocol/clientCapabilities": {},
};

/** A correct request of an era, with `headers` of the caller's besides. */
export function mcpProbe(
  era: Era,
  {
    method,
    params = {},
    headers = {},
  }: { method: string; params?: Record<string, unknown>; headers?: Probe["headers"] },
): Probe {
  const modern = era === "2026-07-28";
  const { name } = params;
  return {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": era,
      ...(modern ? { "mcp-method": method, ...(typeof name === "string" ? { "mcp-name": name } : {}) } : {}),
      ...headers,
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      // A notification has no id.
      ...(method.startsWith("notifications/") ? {} : { id: 1 }),
      method,
      params: modern ? { ...params, _meta: META } : params,
    }),
  };
}

/** What a client of an era says first. */
export function firstProbe(era: Era, headers: Probe["headers"] = {}): Probe {
  if (era === "2026-07-28") return mcpProbe(era, { method: "tools/list", headers });
  const params = { protocolVersion: era, capabilities: {}, clientInfo: CLIENT };
  return mcpProbe(era, { method: "initialize", params, headers });
}

/** The JSON object in an answer, from a JSON body or from the last event of a stream; undefined where there is none. */
export function objectIn({ headers, body }: Answer): Readonly<Record<string, unknown>> | undefined {
  const isStream = headers["content-type"]?.startsWith("text/event-stream") === true;
  const text = isStream
    ? body
        .split("\n")
        .findLast((line) => line.startsWith("data:"))
        ?.slice("data:".length)
    : body;
  try {
    const value: unknown = JSON.parse(text ?? "");
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
