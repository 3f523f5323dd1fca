import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { OAuthSession } from "../../support/mcp-clients.ts";
import { ASKING, howItAsked, type InteropClient, type LocalServer, mustShow, PERSON, TOOL } from "../client.ts";
import { install } from "../install.ts";
import { type Auth, createSession, signInFor } from "../library-sign-in.ts";

interface Tool {
  readonly name: string;
  invoke(input: object): Promise<unknown>;
}

type Connection =
  | { transport: "http"; url: string; authProvider: OAuthSession }
  | ({ transport: "stdio" } & LocalServer);

/** What is used of `@langchain/mcp-adapters`, which is not installed when this is compiled. */
interface LangChain {
  readonly MultiServerMCPClient: new (
    servers: Record<string, Connection>,
  ) => {
    getTools(): Promise<readonly Tool[]>;
    close(): Promise<void>;
  };
}

const VERSION = "1.1.4";

/** LangChain's adapters, which use SDK v1. */
export const LANGCHAIN: InteropClient = {
  name: "@langchain/mcp-adapters",
  version: VERSION,
  async drive(target) {
    const modules = await install(target.sandbox, { "@langchain/mcp-adapters": VERSION });
    const load = (file: string) => import(pathToFileURL(join(modules, file)).href) as Promise<unknown>;
    const { MultiServerMCPClient } = (await load("@langchain/mcp-adapters/dist/index.js")) as LangChain;
    const using = async <T>(connection: Connection, use: (tools: readonly Tool[]) => Promise<T>): Promise<T> => {
      const servers = new MultiServerMCPClient({ "azure-graph": connection });
      try {
        return await use(await servers.getTools());
      } finally {
        await servers.close();
      }
    };
    const connect = async (): Promise<Connection> => {
      if ("command" in target) return { transport: "stdio", command: target.command, args: target.args };
      const { auth } = (await load("@modelcontextprotocol/sdk/dist/esm/client/auth.js")) as Auth;
      const authProvider = createSession(target);
      const connection = { transport: "http", url: target.mcpUrl, authProvider } as const;
      await signInFor(authProvider, target, { auth, attempt: () => using(connection, async () => undefined) });
      return connection;
    };
    return using(await connect(), async (tools) => {
      const answer = await tools.find(({ name }) => name === TOOL)?.invoke({});
      // What a tool refuses is thrown.
      const asking = tools
        .find(({ name }) => name === ASKING.name)
        ?.invoke(ASKING.arguments)
        .then(JSON.stringify, String);
      return {
        list: mustShow(JSON.stringify(tools.map(({ name }) => name)), TOOL),
        call: mustShow(JSON.stringify(answer), PERSON),
        elicitation: howItAsked((await asking) ?? ""),
      };
    });
  },
};
