import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ASKING, howItAsked, type InteropClient, mustShow, PERSON, type Target, TOOL } from "../client.ts";
import { install, PLATFORM } from "../install.ts";
import { MODEL, startModel, type ToolUse } from "../model.ts";
import { run } from "../process.ts";

const VERSION = "1.18.33";

/** opencode: `mcp auth`, `mcp list`, and a run with a stand-in for its model. */
export const OPENCODE: InteropClient = {
  name: "opencode",
  version: VERSION,
  async drive(target) {
    const { sandbox } = target;
    const name = `opencode-${PLATFORM}`;
    const modules = await install(sandbox, { [name]: VERSION });
    const wanted: ToolUse = { name: TOOL, arguments: {} };
    const model = await startModel(wanted);
    await writeFile(
      join(sandbox.home, "opencode.json"),
      JSON.stringify({
        autoupdate: false,
        share: "disabled",
        model: `local/${MODEL}`,
        small_model: `local/${MODEL}`,
        enabled_providers: ["local"],
        provider: {
          local: {
            npm: "@ai-sdk/openai-compatible",
            options: { baseURL: `${model.origin}/v1`, apiKey: "none" },
            models: { [MODEL]: { tool_call: true } },
          },
        },
        mcp: { "azure-graph": connection(target) },
      }),
    );
    const environment = {
      ...sandbox.environment,
      OPENCODE_DISABLE_AUTOUPDATE: "true",
      OPENCODE_DISABLE_MODELS_FETCH: "true",
      OPENCODE_DISABLE_DEFAULT_PLUGINS: "true",
      OPENCODE_DISABLE_LSP_DOWNLOAD: "true",
    };
    const opencode = (...args: string[]) =>
      run(join(modules, name, "bin/opencode"), args, {
        cwd: sandbox.home,
        environment,
        signIn: "signIn" in target ? target.signIn : undefined,
      });
    try {
      if (!("command" in target)) await opencode("mcp", "auth", "azure-graph");
      mustShow(await opencode("mcp", "list"), "connected");
      const call = mustShow(await opencode("run", "Who am I?"), PERSON);
      Object.assign(wanted, ASKING);
      // The model sees a tool only when the list was read.
      return { list: true, call, elicitation: howItAsked(await opencode("run", "Write to Megan")) };
    } finally {
      await model.close();
    }
  },
};

function connection(target: Target) {
  if ("command" in target) return { type: "local", command: [target.command, ...target.args] };
  const { mcpUrl, clientId } = target;
  return { type: "remote", url: mcpUrl, ...(clientId !== undefined && { oauth: { clientId } }) };
}
