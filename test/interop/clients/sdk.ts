import { openLocal } from "../../local/local-server.ts";
import { type ClientKind, connect } from "../../support/mcp-clients.ts";
import { APPROVED, ASKING, howItAsked, type InteropClient, mustShow, PERSON, type Target, TOOL } from "../client.ts";
import { createSession } from "../library-sign-in.ts";

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
    async drive(target) {
      const client = await open(kind, target);
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

function open(kind: ClientKind, target: Target) {
  if (!("command" in target)) {
    const { mcpUrl, signIn } = target;
    return connect(kind, mcpUrl, { oauth: createSession(target), signIn, elicit: () => APPROVED });
  }
  const { command, args, sandbox } = target;
  return openLocal(kind, { command, args: [...args], env: { ...sandbox.environment } }, async () => APPROVED);
}
