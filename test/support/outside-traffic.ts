import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { type ClientKind, type ConnectOptions, connect, type McpClient } from "./mcp-clients.ts";
import type { Stack } from "./stack.ts";

/** What a connected client is, besides one of the current protocol whose user cannot be asked. */
export interface ConnectAsOptions {
  readonly kind?: ClientKind;
  readonly elicit?: ConnectOptions["elicit"];
}

/** Connects a client with a token of this user, past the pages of a sign-in. */
export async function connectAs(stack: Stack, user: string, options: ConnectAsOptions = {}): Promise<McpClient> {
  const { kind = "sdk v2 (2026-07-28)", elicit } = options;
  const token = await stack.entra.issueAccessToken({
    user,
    client: CONTOSO.sampleClientId,
    scope: `${stack.mcpUrl}/${CONTOSO.scope}`,
  });
  return connect(kind, stack.mcpUrl, { token, ...(elicit && { elicit }) });
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
