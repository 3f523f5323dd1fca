import { join } from "node:path";
import { type InteropClient, mustShow, type Target } from "../client.ts";
import { install, PLATFORM } from "../install.ts";
import { run } from "../process.ts";

const VERSION = "2.1.330";

/** Claude Code: `mcp add`, `mcp login` on a terminal that `script` (util-linux) makes, and the health check of `mcp list`. */
export const CLAUDE_CODE: InteropClient = {
  name: "Claude Code, `claude mcp list`",
  version: VERSION,
  async drive(target) {
    const { wire, sandbox } = target;
    const name = `@anthropic-ai/claude-code-${PLATFORM}`;
    const program = join(await install(sandbox, { [name]: VERSION }), name, "claude");
    const options = {
      cwd: sandbox.home,
      environment: {
        ...sandbox.environment,
        ...("documentUrl" in target && { MCP_OAUTH_CLIENT_METADATA_URL: target.documentUrl }),
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
        DISABLE_AUTOUPDATER: "1",
        DISABLE_TELEMETRY: "1",
      },
    };
    await run(program, ["mcp", "add", ...connection(target)], options);
    if (!("command" in target)) {
      const login = `'${program}' mcp login azure-graph --no-browser`;
      const { signIn } = target;
      await run("script", ["--quiet", "--return", "--command", login, "/dev/null"], { ...options, signIn });
    }
    mustShow(await run(program, ["mcp", "list"], options), "Connected");
    return {
      list: wire.methods().includes("tools/list") || "`claude mcp list` connects, no more.",
      call: "Needs an account.",
      elicitation: "Needs an account.",
    };
  },
};

function connection(target: Target): string[] {
  if ("command" in target) return ["azure-graph", "--", target.command, ...target.args];
  const { mcpUrl, clientId } = target;
  const identity = clientId === undefined ? [] : ["--client-id", clientId];
  return ["--transport", "http", "azure-graph", mcpUrl, ...identity];
}
