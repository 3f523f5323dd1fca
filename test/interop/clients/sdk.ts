import { type ClientKind, connect } from "../../support/mcp-clients.ts";
import { APPROVED, ASKING, howItAsked, type InteropClient, mustShow, PERSON, TOOL } from "../client.ts";

/** Development dependencies of the project, at the versions that are named: nothing is installed for them. */
export const SDKS: readonly InteropClient[] = [
  sdk("sdk v1 (2025-11-25)", "@modelcontextprotocol/sdk", "1.32.2"),
  sdk("sdk v2 (auto)", "@modelcontextprotocol/client, auto", "2.4.0"),
  sdk("sdk v2 (2026-07-28)", "@modelcontextprotocol/client, modern", "2.4.0"),
  sdk("sdk v2 (2025-11-25)", "@modelcontextprotocol/client, legacy", "2.4.0"),
];

function sdk(kind: ClientKind, name: string, version: string): InteropClient {
  return {
    name,
    version,
    async drive({ mcpUrl, clientId, signIn }) {
      const client = await connect(kind, mcpUrl, { clientId, signIn, elicit: () => APPROVED });
      try {
        return {
          list: mustShow(JSON.stringify(await client.listTools()), TOOL),
          call: mustShow(JSON.stringify(await client.call(TOOL)), PERSON),
          elicitation: howItAsked(JSON.stringify(await client.call(ASKING.name, ASKING.arguments))),
        };
      } finally {
        await client.close();
      }
    },
  };
}
