import { join } from "node:path";
import { ASKING, howItAsked, type InteropClient, mustShow, PERSON, TOOL } from "../client.ts";
import { install, modernNode } from "../install.ts";
import { run } from "../process.ts";

const PACKAGE = "@modelcontextprotocol/inspector";
const VERSION = "2.12.0";

/** The Inspector's command line in each of its eras. */
export const INSPECTORS: readonly InteropClient[] = ["auto", "modern", "legacy"].map((era) => ({
  name: `MCP Inspector CLI, ${era}`,
  version: VERSION,
  async drive({ mcpUrl, clientId, signIn, sandbox }) {
    const modules = await install(sandbox, { [PACKAGE]: VERSION });
    const node = await modernNode({ ...sandbox, folder: join(sandbox.folder, "node") });
    const launcher = join(modules, PACKAGE, "clients/launcher/build/index.js");
    const target = ["--cli", mcpUrl, "--transport", "http", "--protocol-era", era, "--client-id", clientId];
    const inspect = (...args: string[]) =>
      run(node, [launcher, ...target, ...args], {
        cwd: sandbox.home,
        environment: {
          ...sandbox.environment,
          // Otherwise it signs in on a terminal only.
          MCP_AUTO_OPEN_ENABLED: "true",
          MCP_INSPECTOR_SECRET_STORE: "file",
        },
        signIn,
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
