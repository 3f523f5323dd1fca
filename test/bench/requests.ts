/** Protocol eras, and whether a 2025-era client has a session, as real ones do. */
export const ERAS = ["2026-07-28", "2025-11-25", "2025-11-25, session"] as const;

/** One of {@link ERAS}. */
export type Era = (typeof ERAS)[number];

/** A request to repeat, with what a right answer holds. */
export interface BenchRequest {
  readonly headers: Record<string, string>;
  readonly body: string;
  readonly expect: string;
}

const JSON_RPC = { "content-type": "application/json", accept: "application/json, text/event-stream" };
const INFO = { name: "bench", version: "1.0.0" };

/** `tools/list` or a call of `get_my_profile`, in one era. */
export function benchRequest(method: "tools/list" | "tools/call", era: Era): BenchRequest {
  const call = method === "tools/call" ? { name: "get_my_profile", arguments: {} } : {};
  const expect = method === "tools/call" ? "Adele Vance" : "get_my_profile";
  if (era !== "2026-07-28") {
    const headers = { ...JSON_RPC, "mcp-protocol-version": "2025-11-25" };
    return { headers, body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: call }), expect };
  }
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": era,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": INFO,
  };
  return {
    headers: {
      ...JSON_RPC,
      "mcp-protocol-version": era,
      "mcp-method": method,
      ...(method === "tools/call" ? { "mcp-name": "get_my_profile" } : {}),
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: { ...call, _meta } }),
    expect,
  };
}

/** Begins a 2025-era session and returns its id. */
export async function beginSession(port: number, headers: Readonly<Record<string, string>>): Promise<string> {
  const response = await fetch(`http://localhost:${port}/mcp`, {
    method: "POST",
    headers: { ...JSON_RPC, ...headers },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 0,
      method: "initialize",
      params: { protocolVersion: "2025-11-25", capabilities: { elicitation: {} }, clientInfo: INFO },
    }),
  });
  await response.text();
  const id = response.headers.get("mcp-session-id");
  if (id === null) throw new Error(`No session: ${response.status}`);
  return id;
}
