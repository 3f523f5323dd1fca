import { join } from "node:path";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { APPROVED, ASKING, howItAsked, type InteropClient, mustShow, PERSON, TOOL } from "../client.ts";
import { install } from "../install.ts";
import { PrintedSignIn } from "../printed-sign-in.ts";

const VERSION = "0.15.1";
const HOSTS = { "2026-07-28": { pin: "2026-07-28" }, "2025-11-25": "legacy" } as const;

/** The SDK asks for the era through a second process, which nobody can listen to; of a subclass it asks the one there is. */
class OneProcess extends StdioClientTransport {}

/** mcp-remote between the server and a host of each era; the host is SDK v2 on standard input and output. */
export const MCP_REMOTES: readonly InteropClient[] = Object.entries(HOSTS).map(([era, mode]) => ({
  name: `mcp-remote, host of ${era}`,
  version: VERSION,
  async drive(target) {
    if ("command" in target) return "Is there for servers behind a URL.";
    const { mcpUrl, clientId, signIn, sandbox } = target;
    const modules = await install(sandbox, { "mcp-remote": VERSION });
    const program = join(modules, "mcp-remote/dist/proxy.js");
    const identity =
      clientId === undefined ? [] : ["--static-oauth-client-info", JSON.stringify({ client_id: clientId })];
    const printed = new PrintedSignIn(signIn);
    const host = new Client(
      { name: "interop-host", version: "1.0.0" },
      {
        versionNegotiation: { mode },
        capabilities: { elicitation: { form: {} } },
      },
    );
    host.setRequestHandler("elicitation/create", () => APPROVED);
    const transport = new OneProcess({
      command: process.execPath,
      args: [program, mcpUrl, ...identity],
      cwd: sandbox.home,
      env: { ...sandbox.environment },
      stderr: "pipe",
    });
    transport.stderr?.on("data", (chunk: Buffer) => printed.read(chunk.toString()));
    try {
      await Promise.race([host.connect(transport), printed.failure]);
      return {
        list: mustShow(JSON.stringify(await host.listTools()), TOOL),
        call: mustShow(JSON.stringify(await host.callTool({ name: TOOL, arguments: {} })), PERSON),
        elicitation: howItAsked(JSON.stringify(await host.callTool(ASKING))),
      };
    } finally {
      await host.close();
    }
  },
}));
