import type { RawAnswer, RawHeader } from "./raw-http.ts";

/** The two protocol eras, by the revision that speaks for each. */
export const ERAS = ["2026-07-28", "2025-11-25"] as const;

/** One of the protocol eras. */
export type Era = (typeof ERAS)[number];

/** A JSON-RPC message over HTTP, before it is sent; tests change what they attack. */
export interface McpMessage {
  readonly headers: readonly RawHeader[];
  readonly body: string;
}

const META = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {},
};

/** A correct request of an era, with the headers that belong to it. */
export function mcpRequest(era: Era, method: string, params: Readonly<Record<string, unknown>> = {}): McpMessage {
  const modern = era === "2026-07-28";
  const name = params["name"];
  return {
    headers: [
      ["Content-Type", "application/json"],
      ["Accept", "application/json, text/event-stream"],
      ["MCP-Protocol-Version", era],
      ...(modern ? [["Mcp-Method", method] as const] : []),
      ...(modern && typeof name === "string" ? [["Mcp-Name", name] as const] : []),
    ],
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: modern ? { ...params, _meta: META } : params }),
  };
}

/** A correct `tools/call`. */
export function toolCall(
  name: string,
  args: Readonly<Record<string, unknown>> = {},
  era: Era = "2026-07-28",
): McpMessage {
  return mcpRequest(era, "tools/call", { name, arguments: args });
}

/** The JSON-RPC message in an answer, from a JSON body or from the last event of a stream. */
export function messageIn({ headers, body }: RawAnswer): unknown {
  if (!headers["content-type"]?.startsWith("text/event-stream")) return JSON.parse(body);
  const events = body.split("\n").filter((line) => line.startsWith("data: "));
  return JSON.parse((events.at(-1) ?? "").slice("data: ".length));
}
