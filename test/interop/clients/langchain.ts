import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { OAuthSession } from "../../support/mcp-clients.ts";
import { ASKING, howItAsked, type InteropClient, mustShow, PERSON, type Target, TOOL } from "../client.ts";
import { install } from "../install.ts";

interface Tool {
  readonly name: string;
  invoke(input: object): Promise<unknown>;
}

interface Servers {
  getTools(): Promise<readonly Tool[]>;
  close(): Promise<void>;
}

/** What is used of `@langchain/mcp-adapters`, which is not installed when this is compiled. */
interface LangChain {
  readonly MultiServerMCPClient: new (
    servers: Record<string, { transport: "http"; url: string; authProvider: OAuthSession }>,
  ) => Servers;
}

/** The half of a sign-in that the adapters leave to whoever uses them, in the SDK that they use. */
interface SdkAuth {
  auth(session: OAuthSession, options: { serverUrl: string; authorizationCode: string }): Promise<unknown>;
}

const VERSION = "1.1.4";
const REDIRECT_URI = "http://localhost:53682/callback";

/** LangChain's adapters, which use SDK v1. */
export const LANGCHAIN: InteropClient = {
  name: "@langchain/mcp-adapters",
  version: VERSION,
  async drive(target) {
    const modules = await install(target.sandbox, { "@langchain/mcp-adapters": VERSION });
    const load = (file: string) => import(pathToFileURL(join(modules, file)).href) as Promise<unknown>;
    const { MultiServerMCPClient } = (await load("@langchain/mcp-adapters/dist/index.js")) as LangChain;
    const sdk = (await load("@modelcontextprotocol/sdk/dist/esm/client/auth.js")) as SdkAuth;
    const session = new OAuthSession(target.clientId, REDIRECT_URI);
    const connect = () =>
      new MultiServerMCPClient({ "azure-graph": { transport: "http", url: target.mcpUrl, authProvider: session } });

    await signIn(connect(), session, sdk, target);
    const servers = connect();
    try {
      const tools = await servers.getTools();
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
    } finally {
      await servers.close();
    }
  },
};

/** The first attempt to connect ends where a person has to sign in; the session has their tokens afterwards. */
async function signIn(servers: Servers, session: OAuthSession, sdk: SdkAuth, { mcpUrl, signIn }: Target) {
  const refused = await servers.getTools().catch((error: unknown) => error);
  await servers.close();
  if (!session.authorizationUrl) throw new Error("No sign-in was asked for", { cause: refused });
  const callback = await signIn(session.authorizationUrl);
  await sdk.auth(session, { serverUrl: mcpUrl, authorizationCode: callback.searchParams.get("code") ?? "" });
}
