import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type InteropClient, mustShow, type Target } from "../client.ts";
import { install } from "../install.ts";
import { run } from "../process.ts";

const PACKAGE = "@google/gemini-cli";
const VERSION = "0.61.0";

/** Gemini CLI: `/mcp auth` in a session on a terminal that `script` (util-linux) makes, and the health check of `mcp list`. */
export const GEMINI: InteropClient = {
  name: "Gemini CLI, `gemini mcp list`",
  version: VERSION,
  async drive(target) {
    const { wire, sandbox } = target;
    const modules = await install(sandbox, { [PACKAGE]: VERSION });
    await mkdir(join(sandbox.home, ".gemini"));
    await writeFile(
      join(sandbox.home, ".gemini/settings.json"),
      JSON.stringify({
        general: { enableAutoUpdate: false },
        privacy: { usageStatisticsEnabled: false },
        telemetry: { enabled: false },
        security: { auth: { selectedType: "gemini-api-key" } },
        mcpServers: { "azure-graph": await connection(target) },
      }),
    );
    const program = join(modules, PACKAGE, "bundle/gemini.js");
    const options = {
      cwd: sandbox.home,
      // A session starts with any key, as long as it asks the model nothing.
      environment: { ...sandbox.environment, GEMINI_CLI_TRUST_WORKSPACE: "true", GEMINI_API_KEY: "none" },
    };
    if ("mcpUrl" in target && target.clientId === undefined) {
      const session = `stty columns 2000; '${process.execPath}' '${program}' -i '/mcp auth azure-graph'`;
      await run("script", ["--quiet", "--return", "--command", session, "/dev/null"], {
        ...options,
        signIn: target.signIn,
        session: { question: "Do you want to continue?", done: "Successfully authenticated" },
      });
    }
    const output = await run(process.execPath, [program, "mcp", "list"], options);
    mustShow(output, "Connected");
    return {
      list: wire.methods().includes("tools/list") || "`gemini mcp list` connects and pings, no more.",
      call: "Needs an account.",
      elicitation: "Needs an account.",
    };
  },
};

async function connection(target: Target) {
  if ("command" in target) return { command: target.command, args: target.args };
  const { mcpUrl, clientId, token } = target;
  if (clientId === undefined) return { httpUrl: mcpUrl };
  const headers = {
    Authorization: `Bearer ${await token("Its own sign-in with Entra was not seen to come to an end, see below.")}`,
  };
  return { httpUrl: mcpUrl, headers };
}
