import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ASKING, howItAsked, type InteropClient, mustShow, NotRun, PERSON, type Target, TOOL } from "../client.ts";
import { install, PLATFORM } from "../install.ts";
import { MODEL, startModel, type ToolUse } from "../model.ts";
import { run, type Session } from "../process.ts";

const VERSION = "1.0.102";
const FLAGS =
  "--allow-all-tools --disable-builtin-mcps --no-auto-update --additional-mcp-config @mcp.json --screen-reader --stream off";
const CTRL_D = "\x04";

/** GitHub Copilot CLI without an account: sessions on a terminal that `script` (util-linux) makes, with a stand-in for its model. */
export const COPILOT: InteropClient = {
  name: "GitHub Copilot CLI",
  version: VERSION,
  async drive(target) {
    if (process.platform !== "linux") throw new NotRun("a terminal for its sessions is made on Linux only");
    const { sandbox } = target;
    const name = `@github/copilot-${PLATFORM}`;
    const program = join(await install(sandbox, { [name]: VERSION }), name, "copilot");
    const servers = { mcpServers: { "azure-graph": { ...connection(target), tools: ["*"] } } };
    await writeFile(join(sandbox.home, "mcp.json"), JSON.stringify(servers));
    // Where to sign in is told to the browser only.
    const browser = join(sandbox.home, "browser");
    await writeFile(browser, '#!/bin/sh\necho "$1" >"$TTY"\n', { mode: 0o700 });
    const wanted: ToolUse = { name: TOOL, arguments: {} };
    const model = await startModel(wanted);
    const options = {
      cwd: sandbox.home,
      environment: {
        ...sandbox.environment,
        BROWSER: browser,
        COPILOT_OFFLINE: "true",
        COPILOT_PROVIDER_BASE_URL: `${model.origin}/v1`,
        COPILOT_MODEL: MODEL,
        ...("documentUrl" in target && { COPILOT_MCP_CIMD_CLIENT_ID_URL: target.documentUrl }),
      },
      signIn: "signIn" in target ? target.signIn : undefined,
    };
    // A prompt does not wait for a server that it signs in to, with `-p` neither: first it has to show the tools.
    const session = `stty columns 2000 rows 50; TTY=$(tty) '${program}' ${FLAGS} -i '/mcp show azure-graph'`;
    const ask = (question: string, ...answers: NonNullable<Session["answers"]>) =>
      run("script", ["--quiet", "--return", "--command", session, "/dev/null"], {
        ...options,
        session: {
          question: "Do you trust the files in this folder?",
          answers: [
            [`${TOOL}:`, "q"],
            ["next tab", question],
            [question, "\r"],
            ...answers,
            ["The tool answered", CTRL_D],
          ],
        },
      });
    try {
      const call = mustShow(await ask("Who am I?"), PERSON);
      Object.assign(wanted, ASKING);
      const answered = await ask("Write to Megan", ["Yes, do exactly this", "\r"]);
      return { list: true, call, elicitation: howItAsked(answered) };
    } finally {
      await model.close();
    }
  },
};

function connection(target: Target) {
  if ("command" in target) return { type: "local", command: target.command, args: target.args };
  const { mcpUrl, clientId } = target;
  return { type: "http", url: mcpUrl, ...(clientId !== undefined && { oauthClientId: clientId }) };
}
