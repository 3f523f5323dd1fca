import { inject } from "vitest";
import { CONTOSO, createContoso } from "../../emulators/contoso/tenant.ts";
import { people } from "../../emulators/contoso/users.ts";
import type { Tenant } from "../../emulators/directory.ts";
import { type GraphEmulator, type GraphSwitches, startGraph } from "../../emulators/graph/index.ts";
import { startTokenIssuer, type TokenIssuer } from "../support/token-issuer.ts";

/** An error or a result of Graph, loosely typed because tests compare it with literals. */
export interface GraphBody {
  readonly error?: { readonly code: string; readonly message: string; readonly [inner: string]: unknown };
  readonly value?: readonly Readonly<Record<string, unknown>>[];
  readonly responses?: readonly { readonly id: string; readonly status: number; readonly body?: GraphBody }[];
  readonly [name: string]: unknown;
}

/** An answer of Graph, read to its end. */
export interface GraphAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: GraphBody;
}

/** The emulated Graph of Contoso and somebody who signs tokens for it. */
export interface GraphFixture {
  readonly graph: GraphEmulator;
  readonly tenant: Tenant;
  readonly issuer: TokenIssuer;
  /** Signs a token: Adele's, with the permissions that the sample server was granted, unless the claims differ. */
  sign(claims?: Readonly<Record<string, unknown>>): Promise<string>;
  /** Sends GET below `/v1.0`, or to an absolute url, with {@link sign}'s token. */
  get(
    path: string,
    options?: {
      readonly claims?: Readonly<Record<string, unknown>>;
      readonly headers?: Readonly<Record<string, string>>;
    },
  ): Promise<GraphAnswer>;
  batch(body: unknown, claims?: Readonly<Record<string, unknown>>): Promise<GraphAnswer>;
  close(): Promise<void>;
}

/** Names of what `value` holds, in order. */
export const names = ({ body }: GraphAnswer) => body.value?.map(({ displayName }) => displayName);

/** Status, code and message of an error. */
export const problem = ({ status, body }: GraphAnswer) => [status, body.error?.code, body.error?.message];

/** The header that directory search and count need. */
export const EVENTUAL = { ConsistencyLevel: "eventual" };

const SCOPES = "User.Read User.ReadBasic.All People.Read MailboxSettings.Read";

/** Starts the emulated Graph of Contoso. */
export async function startGraphFixture(switches: Partial<GraphSwitches> = {}): Promise<GraphFixture> {
  const issuer = await startTokenIssuer();
  const graph = await startGraph({
    tenant: () => tenant,
    entraOrigin: issuer.origin,
    certificates: inject("certificates"),
    switches,
  });
  const tenant = createContoso({
    mcpUrl: "http://localhost:3000/mcp",
    entraOrigin: issuer.origin,
    graphOrigin: graph.origin,
  });
  const sign: GraphFixture["sign"] = (claims) =>
    issuer.sign({
      aud: graph.origin,
      tid: tenant.id,
      oid: people.normal.id,
      appid: CONTOSO.serverAppId,
      scp: SCOPES,
      ...claims,
    });
  const read = async (response: Response): Promise<GraphAnswer> => ({
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as GraphBody,
  });
  return {
    graph,
    tenant,
    issuer,
    sign,
    async get(path, { claims, headers } = {}) {
      const url = path.startsWith("https:") ? path : `${graph.origin}/v1.0${path}`;
      return read(await fetch(url, { headers: { Authorization: `Bearer ${await sign(claims)}`, ...headers } }));
    },
    async batch(body, claims) {
      const headers = { Authorization: `Bearer ${await sign(claims)}`, "Content-Type": "application/json" };
      return read(await fetch(`${graph.origin}/v1.0/$batch`, { method: "POST", headers, body: JSON.stringify(body) }));
    },
    async close() {
      await graph.close();
      await issuer.close();
    },
  };
}
