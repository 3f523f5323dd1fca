import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type InteropClient, mustShow, NOTHING_ASKS, PERSON, TOOL } from "../client.ts";
import { install } from "../install.ts";

/** What is used of `@ai-sdk/mcp`, which is not installed when this is compiled. */
interface AiSdk {
  readonly createMCPClient: (config: {
    transport: { type: "http"; url: string; headers: Record<string, string> };
  }) => Promise<{ listTools(): Promise<unknown>; callTool(call: object): Promise<unknown>; close(): Promise<void> }>;
}

const VERSION = "2.0.99";

/**
 * The MCP client of Vercel's AI SDK.
 *
 * With a token: its own sign-in wants S256 named in the discovery document, where Entra, as far as known, names nothing.
 */
export const AI_SDK: InteropClient = {
  name: "@ai-sdk/mcp",
  version: VERSION,
  async drive({ mcpUrl, token, sandbox }) {
    const modules = await install(sandbox, { "@ai-sdk/mcp": VERSION, zod: "4.6.7" });
    const file = pathToFileURL(join(modules, "@ai-sdk/mcp/dist/index.js")).href;
    const { createMCPClient } = (await import(file)) as AiSdk;
    const headers = { Authorization: `Bearer ${await token()}` };
    const client = await createMCPClient({ transport: { type: "http", url: mcpUrl, headers } });
    try {
      return {
        list: mustShow(JSON.stringify(await client.listTools()), TOOL),
        call: mustShow(JSON.stringify(await client.callTool({ name: TOOL, arguments: {} })), PERSON),
        elicitation: NOTHING_ASKS,
      };
    } finally {
      await client.close();
    }
  },
};
