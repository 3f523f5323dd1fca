import type { InteropClient } from "../client.ts";
import { AI_SDK } from "./ai-sdk.ts";
import { CLAUDE_CODE } from "./claude-code.ts";
import { COPILOT } from "./copilot.ts";
import { GEMINI } from "./gemini.ts";
import { INSPECTORS } from "./inspector.ts";
import { LANGCHAIN } from "./langchain.ts";
import { MCP_REMOTES } from "./mcp-remote.ts";
import { OPENCODE } from "./opencode.ts";
import { SDKS } from "./sdk.ts";

/** A client and the folder below `.local/interop/` that it is installed in. */
export interface Entry {
  readonly folder: string;
  readonly client: InteropClient;
}

/** Every row of the matrix, in its order. */
export const CLIENTS: readonly Entry[] = Object.entries({
  sdk: SDKS,
  inspector: INSPECTORS,
  "mcp-remote": MCP_REMOTES,
  "ai-sdk": [AI_SDK],
  langchain: [LANGCHAIN],
  copilot: [COPILOT],
  "claude-code": [CLAUDE_CODE],
  gemini: [GEMINI],
  opencode: [OPENCODE],
}).flatMap(([folder, clients]) => clients.map((client) => ({ folder, client })));
