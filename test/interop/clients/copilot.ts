import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ASKING, howItAsked, type InteropClient, mustShow, PERSON, type Target, TOOL } from "../client.ts";
import { install, PLATFORM } from "../install.ts";
import { MODEL, startModel, type ToolUse } from "../model.ts";
import { run } from "../process.ts";

const VERSION = "1.0.102";

/** GitHub Copilot CLI without an account: its model is a stand-in that calls the tool. */
export const COPILOT: InteropClient = {
  name: "GitHub Copilot CLI",
  version: VERSION,
  async drive(target) {
    const { sandbox } = target;
    const name = `@github/copilot-${PLATFORM}`;
    const modules = await install(sandbox, { [name]: VERSION });
    const servers = { mcpServers: { "azure-graph": { ...(await connection(target)), tools: ["*"] } } };
    await writeFile(join(sandbox.home, "mcp.json"), JSON.stringify(servers));
    const wanted: ToolUse = { name: TOOL, arguments: {} };
    const model = await startModel(wanted);
    const ask = (question: string) =>
      run(
        join(modules, name, "copilot"),
        [
          "-p",
          question,
          "--allow-all-tools",
          "--disable-builtin-mcps",
          "--no-auto-update",
          "--additional-mcp-config",
          "@mcp.json",
        ],
        {
          cwd: sandbox.home,
          environment: {
            ...sandbox.environment,
            COPILOT_OFFLINE: "true",
            COPILOT_PROVIDER_BASE_URL: `${model.origin}/v1`,
            COPILOT_MODEL: MODEL,
          },
        },
      );
    try {
      const call = mustShow(await ask("Who am I?"), PERSON);
      Object.assign(wanted, ASKING);
      // The model sees a tool only when the list was read.
      return { list: true, call, elicitation: howItAsked(await ask("Write to Megan")) };
    } finally {
      await model.close();
    }
  },
};

async function connection(target: Target) {
  if ("command" in target) return { type: "local", command: target.command, args: target.args };
  const why =
    target.clientId === undefined
      ? "Its sign-in, in a session only, names a metadata document on github.com, which is out of reach here."
      : "Its sign-in needs a session, and was not tried.";
  const token = await target.token(why);
  return { type: "http", url: target.mcpUrl, headers: { Authorization: `Bearer ${token}` } };
}
