import { Client, InMemoryTransport } from "@modelcontextprotocol/client";
import type { Caller } from "../../src/auth/principal.ts";
import { toAuthInfo } from "../../src/mcp/auth-info.ts";
import { createConfirmations } from "../../src/mcp/confirmation.ts";
import { createCursorSealer } from "../../src/mcp/cursor.ts";
import { createGate, type GateOptions } from "../../src/mcp/gate.ts";
import { createProcessKeyRing } from "../../src/mcp/key-ring.ts";
import { createMcpServerFactory } from "../../src/mcp/server.ts";
import type { Tool } from "../../src/mcp/tool.ts";
import { createInProcessClaims } from "../../src/platform/in-process-claims.ts";
import { callerWith } from "./callers.ts";
import { extractText } from "./extractor.ts";
import type { GraphConnection } from "./graph-connection.ts";
import type { CallResult } from "./mcp-clients.ts";
import { createRecordedLog, type RecordedLog } from "./recorded-log.ts";

/** What a {@link ToolBench} differs in from a server that only reads, with calls by Adele. */
export interface ToolBenchOptions extends Partial<Pick<GateOptions, "rules" | "timeoutMs" | "extraPermissions">> {
  readonly caller?: Caller;
}

/** A real client, connected within this process to the server's MCP side with one tool in it. */
export interface ToolBench {
  readonly log: RecordedLog;
  readonly call: (input?: Record<string, unknown>, signal?: AbortSignal) => Promise<CallResult>;
  close(): Promise<void>;
}

/** Reference under which the calls of a {@link ToolBench} are logged. */
export const REQUEST_ID = "3f0c8f1e-6d6b-4d3a-8d0e-0a1b2c3d4e5f";

/** Puts `tool` behind the gate, with Graph as it is reached through `connection`. */
export async function createToolBench(
  tool: Tool,
  connection: GraphConnection,
  options: ToolBenchOptions = {},
): Promise<ToolBench> {
  const { rules = { allowWrites: false, writeRole: "Mcp.Write" }, caller = callerWith("the caller's own token") } =
    options;
  const log = createRecordedLog();
  const keyRing = createProcessKeyRing();
  const confirmations = createConfirmations(keyRing, createInProcessClaims());
  const gate = createGate({
    rules,
    connectGraph: connection.createClient(),
    extractText,
    confirmations,
    sealCursors: createCursorSealer(keyRing),
    extraPermissions: options.extraPermissions ?? [],
    timeoutMs: options.timeoutMs ?? 5_000,
    audit: log.audit,
    log,
  });
  const createServer = createMcpServerFactory({
    info: { name: "bench", version: "1.0.0" },
    tools: [tool],
    prompts: [],
    rules,
    gate,
    verifyRequestState: confirmations.verify,
  });
  const resource = { resource: "https://mcp.contoso.com/mcp", resourceMetadataUrl: "https://mcp.contoso.com/prm" };
  const server = await createServer({
    era: "legacy",
    authInfo: toAuthInfo({ caller, requestId: REQUEST_ID }, resource),
  });
  const [clientSide, serverSide] = InMemoryTransport.createLinkedPair();
  const client = new Client({ name: "bench", version: "1.0.0" }, { versionNegotiation: { mode: "legacy" } });
  await server.connect(serverSide);
  await client.connect(clientSide);
  return {
    log,
    call: async (input = {}, signal) =>
      (await client.callTool({ name: tool.name, arguments: input }, signal && { signal })) as unknown as CallResult,
    close: () => client.close(),
  };
}
