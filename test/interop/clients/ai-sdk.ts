import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { OAuthSession } from "../../support/mcp-clients.ts";
import { APPROVED, ASKING, howItAsked, type InteropClient, mustShow, PERSON, TOOL } from "../client.ts";
import { install } from "../install.ts";
import { type Auth, createSession, signInFor } from "../library-sign-in.ts";

/** What is used of `@ai-sdk/mcp`, which is not installed when this is compiled. */
interface AiSdk extends Auth {
  readonly createMCPClient: (config: { transport: object; capabilities: object }) => Promise<{
    listTools(): Promise<unknown>;
    callTool(call: object): Promise<unknown>;
    onElicitationRequest(schema: unknown, answer: () => unknown): void;
    close(): Promise<void>;
  }>;
  readonly ElicitationRequestSchema: unknown;
}

interface AiSdkStdio {
  readonly Experimental_StdioMCPTransport: new (server: object) => object;
}

const VERSION = "2.0.99";

/** The MCP client of Vercel's AI SDK. */
export const AI_SDK: InteropClient = {
  name: "@ai-sdk/mcp",
  version: VERSION,
  async drive(target) {
    const modules = await install(target.sandbox, { "@ai-sdk/mcp": VERSION, zod: "4.6.7" });
    const load = (file: string) => import(pathToFileURL(join(modules, "@ai-sdk/mcp/dist", file)).href);
    const { createMCPClient, ElicitationRequestSchema, auth } = (await load("index.js")) as AiSdk;
    const connect = (transport: object) => createMCPClient({ transport, capabilities: { elicitation: { form: {} } } });
    const open = async () => {
      if ("command" in target) {
        const { Experimental_StdioMCPTransport: Stdio } = (await load("mcp-stdio/index.js")) as AiSdkStdio;
        return connect(new Stdio({ command: target.command, args: target.args }));
      }
      const { mcpUrl, clientId, token } = target;
      if (clientId !== undefined) {
        const why = "Signs in only where the discovery document names S256, which Entra's does not.";
        const headers = { Authorization: `Bearer ${await token(why)}` };
        return connect({ type: "http", url: mcpUrl, headers });
      }
      const authProvider: OAuthSession = createSession(target);
      const transport = { type: "http", url: mcpUrl, authProvider };
      await signInFor(authProvider, target, { auth, attempt: () => connect(transport) });
      return connect(transport);
    };
    const client = await open();
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
