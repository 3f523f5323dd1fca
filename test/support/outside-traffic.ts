import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { connect, type McpClient } from "./mcp-clients.ts";
import type { Stack } from "./stack.ts";

/** Connects a client of the current protocol with a token of this user, past the pages of a sign-in. */
export async function connectAs(stack: Stack, user: string): Promise<McpClient> {
  const token = await stack.entra.issueAccessToken({
    user,
    client: CONTOSO.sampleClientId,
    scope: `${stack.mcpUrl}/${CONTOSO.scope}`,
  });
  return connect("sdk v2 (2026-07-28)", stack.mcpUrl, { token });
}

/** What a call causes outside the server. */
export interface OutsideTraffic {
  /** Requests to Graph, for example `GET /v1.0/me`. */
  readonly graph: readonly string[];
  /** Requests to Entra, the managed identity endpoint and Key Vault together. */
  readonly identity: readonly string[];
}

/** Runs `work` and returns its result with the requests that were made meanwhile. */
export async function watch<T>(stack: Stack, work: () => Promise<T>): Promise<{ result: T; traffic: OutsideTraffic }> {
  const { graph, entra, managedIdentity, keyVault } = stack;
  const parts = [graph, entra, managedIdentity, keyVault].map(({ traffic }) => traffic);
  for (const part of parts) part.clear();
  const result = await work();
  const [toGraph = [], ...others] = parts.map(({ requests }) => requests.map(({ method, url }) => `${method} ${url}`));
  return { result, traffic: { graph: toGraph, identity: others.flat() } };
}
