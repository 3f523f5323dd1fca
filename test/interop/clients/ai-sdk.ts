import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { APPROVED, ASKING, howItAsked, type InteropClient, mustShow, PERSON, TOOL } from "../client.ts";
import { install } from "../install.ts";

/** What is used of `@ai-sdk/mcp`, which is not installed when this is compiled. */
interface AiSdk {
  readonly createMCPClient: (config: {
    transport: { type: "http"; url: string; headers: Record<string, string> };
    capabilities: object;
  }) => Promise<{
    listTools(): Promise<unknown>;
    callTool(call: object): Promise<unknown>;
    onElicitationRequest(schema: unknown, answer: () => unknown): void;
    close(): Promise<void>;
  }>;
  readonly ElicitationRequestSchema: unknown;
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
    const { createMCPClient, ElicitationRequestSchema } = (await import(file)) as AiSdk;
    const headers = { Authorization: `Bearer ${await token()}` };
    const client = await createMCPClient({
      transport: { type: "http", url: mcpUrl, headers },
      capabilities: { elicitation: { form: {} } },
    });
    client.onElicitationRequest(ElicitationRequestSchema, () => APPROVED);
    try {
      return {
        list: mustShow(JSON.stringify(await client.listTools()), TOOL),
        call: mustShow(JSON.stringify(await client.callTool({ name: TOOL, arguments: {} })), PERSON),
        elicitation: howItAsked(JSON.stringify(await client.callTool(ASKING))),
      };
    } finally {
      await client.close();
    }
  },
};
