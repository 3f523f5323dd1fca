import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type InteropClient, mustShow, type Target } from "../client.ts";
import { install } from "../install.ts";
import { run } from "../process.ts";

const PACKAGE = "@google/gemini-cli";
const VERSION = "0.61.0";

/** Gemini CLI: the health check of `mcp list`; its sign-in needs a running session, and that an account. */
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
        mcpServers: { "azure-graph": await connection(target) },
      }),
    );
    const output = await run(process.execPath, [join(modules, PACKAGE, "bundle/gemini.js"), "mcp", "list"], {
      cwd: sandbox.home,
      environment: { ...sandbox.environment, GEMINI_CLI_TRUST_WORKSPACE: "true" },
    });
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
  const token = await target.token("Signs in only in a session, and that needs an account.");
  return { httpUrl: target.mcpUrl, headers: { Authorization: `Bearer ${token}` } };
}
