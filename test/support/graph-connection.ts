import { inject } from "vitest";
import { CONTOSO, createContoso } from "../../emulators/contoso/tenant.ts";
import { people } from "../../emulators/contoso/users.ts";
import type { Tenant } from "../../emulators/directory.ts";
import { type GraphEmulator, startGraph } from "../../emulators/graph/index.ts";
import { createGraphClient, type GraphClientOptions } from "../../src/graph/client.ts";
import type { AcquireGraphToken, ConnectGraph, Graph, GraphCall } from "../../src/graph/graph.ts";
import { createCursorSealer } from "../../src/mcp/cursor.ts";
import { createProcessKeyRing } from "../../src/mcp/key-ring.ts";
import { createGraphTransport } from "../../src/platform/graph-transport.ts";
import { ADELE, callerWith } from "./callers.ts";
import { startTokenIssuer } from "./token-issuer.ts";

/** The emulated Graph of Contoso with the server's client on it, over real sockets. */
export interface GraphConnection {
  readonly emulator: GraphEmulator;
  readonly tenant: Tenant;
  readonly transport: Pick<ReturnType<typeof createGraphTransport>, "send">;
  /** What the client gave to `acquireToken`, call by call. */
  readonly acquired: readonly { readonly permissions: readonly string[]; readonly claims: string | undefined }[];
  /** A Graph token of Adele; `claims` replace its own. */
  sign(claims?: Readonly<Record<string, unknown>>): Promise<string>;
  /** Makes the `ConnectGraph` that the gate works with; what is left out is real and acts as Adele. */
  createClient(options?: Partial<GraphClientOptions>): ConnectGraph;
  /** Connects as Adele, for one tool call. */
  connect(call?: Partial<GraphCall>, options?: Partial<GraphClientOptions>): Graph;
  close(): Promise<void>;
}

/** Permissions that the token of a {@link GraphConnection} carries. */
export const PERMISSIONS = ["User.Read", "User.ReadBasic.All", "People.Read", "MailboxSettings.Read"];

/** Starts Graph for Contoso. */
export async function startGraphConnection(): Promise<GraphConnection> {
  const issuer = await startTokenIssuer();
  const emulator = await startGraph({
    tenant: () => tenant,
    entraOrigin: issuer.origin,
    certificates: inject("certificates"),
  });
  const tenant = createContoso({
    mcpUrl: "http://localhost:3000/mcp",
    entraOrigin: issuer.origin,
    graphOrigin: emulator.origin,
  });
  const transport = createGraphTransport(5_000);
  const acquired: { permissions: readonly string[]; claims: string | undefined }[] = [];
  const sign: GraphConnection["sign"] = (claims) =>
    issuer.sign({
      aud: emulator.origin,
      tid: tenant.id,
      oid: people.normal.id,
      appid: CONTOSO.serverAppId,
      scp: PERMISSIONS.join(" "),
      xms_cc: ["cp1"],
      ...claims,
    });
  const acquireToken: AcquireGraphToken = async (_caller, permissions, { claims }) => {
    acquired.push({ permissions, claims });
    return sign();
  };
  const createClient: GraphConnection["createClient"] = (options) =>
    createGraphClient({
      endpoint: new URL(emulator.origin),
      acquireToken,
      send: transport.send,
      downloadHosts: [],
      ...options,
    });
  return {
    emulator,
    tenant,
    transport,
    acquired,
    sign,
    createClient,
    connect: (call, options) =>
      createClient(options)({
        caller: callerWith("the caller's own token"),
        permissions: PERMISSIONS,
        signal: new AbortController().signal,
        cursors: createCursorSealer(createProcessKeyRing())({ principal: ADELE, tool: "a_tool", input: {} }),
        ...call,
      }),
    async close() {
      await transport.close();
      await emulator.close();
      await issuer.close();
    },
  };
}
