import { join } from "node:path";
import { ASKING, howItAsked, type InteropClient, mustShow, PERSON, type Target, TOOL } from "../client.ts";
import { install, modernNode } from "../install.ts";
import { run } from "../process.ts";

const PACKAGE = "@modelcontextprotocol/inspector";
const VERSION = "2.12.0";

/** The Inspector's command line in each of its eras. */
export const INSPECTORS: readonly InteropClient[] = ["auto", "modern", "legacy"].map((era) => ({
  name: `MCP Inspector CLI, ${era}`,
  version: VERSION,
  async drive(target) {
    const { sandbox } = target;
    const modules = await install(sandbox, { [PACKAGE]: VERSION });
    const node = await modernNode({ ...sandbox, folder: join(sandbox.folder, "node") });
    const launcher = join(modules, PACKAGE, "clients/launcher/build/index.js");
    const inspect = (...args: string[]) =>
      run(node, [launcher, "--cli", "--protocol-era", era, ...args, ...connection(target)], {
        cwd: sandbox.home,
        environment: {
          ...sandbox.environment,
          // Otherwise it signs in on a terminal only.
          MCP_AUTO_OPEN_ENABLED: "true",
          MCP_INSPECTOR_SECRET_STORE: "file",
        },
        signIn: "signIn" in target ? target.signIn : undefined,
      });
    return {
      list: mustShow(await inspect("--method", "tools/list"), TOOL),
      call: mustShow(await inspect("--method", "tools/call", "--tool-name", TOOL), PERSON),
      elicitation: howItAsked(
        await inspect(
          "--method",
          "tools/call",
          "--tool-name",
          ASKING.name,
          "--tool-args-json",
          JSON.stringify(ASKING.arguments),
        ).catch(String),
      ),
    };
  },
}));

function connection(target: Target): string[] {
  if ("command" in target) return ["--transport", "stdio", "--", target.command, ...target.args];
  const { mcpUrl, clientId } = target;
  return ["--transport", "http", ...(clientId === undefined ? [] : ["--client-id", clientId]), "--", mcpUrl];
}
