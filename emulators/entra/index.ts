import express from "express";
import type { ManagedIdentity, Tenant } from "../directory.ts";
import type { Certificates } from "../kernel/certificates.ts";
import { type Listener, listen } from "../kernel/listener.ts";
import { Traffic } from "../kernel/traffic.ts";
import { createAuthority, findClient, type Origins, tenantFor } from "./authority.ts";
import {
  type AccessTokenRequest,
  type AppTokenRequest,
  type IdTokenRequest,
  type IssuedToken,
  issueAccessToken,
  issueAppToken,
  issueIdToken,
  issueManagedIdentityToken,
} from "./issue.ts";
import { type QuickToken, quickToken } from "./quick-token.ts";
import { addIdentifierUri } from "./registrations.ts";
import { routes } from "./routes.ts";
import { DEFAULT_SWITCHES, type EntraSwitches } from "./switches.ts";

export { EntraError } from "./errors.ts";
export type { AccessTokenRequest, AppTokenRequest, IdTokenRequest, IssuedToken } from "./issue.ts";
export { RegistrationPolicyError } from "./registrations.ts";
export type { EntraSwitches } from "./switches.ts";
export type { Origins, QuickToken };

/** How to start the Entra emulator. */
export interface EntraOptions {
  /** Makes the tenants, once the origins are known that federated credentials and discovery name. */
  readonly tenants: (origins: Origins) => readonly Tenant[];
  /** For the https origin. */
  readonly certificates: Certificates;
  /** Default: free ports. */
  readonly ports?: { readonly http?: number; readonly https?: number };
  readonly switches?: Partial<EntraSwitches>;
  /** Turns `GET /emulator/token?user=` on, which answers an access token as plain text. */
  readonly quickToken?: QuickToken;
}

/** A running Entra emulator: one set of tenants, keys and sign-ins behind two origins. */
export interface Entra {
  /** For MCP clients and browsers, which need no certificate there; every issuer names it. */
  readonly httpOrigin: string;
  /** For the Azure SDKs, which refuse plain http. */
  readonly httpsOrigin: string;
  readonly tenants: readonly Tenant[];
  /** Requests and faults of both origins. */
  readonly traffic: Traffic;
  /** May be changed at any time. */
  readonly switches: EntraSwitches;
  /** What the managed identity endpoint of App Service obtains; an identity unknown to the tenant is system-assigned. */
  issueManagedIdentityToken(identity: ManagedIdentity, resource: string, tenantId?: string): Promise<IssuedToken>;
  /** An access token as if a user had signed in to a client; `claims` let tests forge it. */
  issueAccessToken(request: AccessTokenRequest): Promise<string>;
  issueIdToken(request: IdTokenRequest): Promise<string>;
  issueAppToken(request: AppTokenRequest): Promise<string>;
  /** Adds an identifier URI as Microsoft Graph would. Throws {@link RegistrationPolicyError}. */
  addIdentifierUri(appId: string, uri: string, tenantId?: string): void;
  /** Signs with a new key; the old ones stay published until {@link Entra.retireOldKeys}. */
  rotateKeys(): Promise<void>;
  retireOldKeys(): void;
  close(): Promise<void>;
}

async function listenTwice(app: express.Express, { ports, certificates }: EntraOptions): Promise<[Listener, Listener]> {
  const http = await listen("the Entra emulator (http)", app, { port: ports?.http ?? 0 });
  try {
    return [http, await listen("the Entra emulator (https)", app, { port: ports?.https ?? 0, certificates })];
  } catch (error) {
    await http.close();
    throw error;
  }
}

/** Starts the Entra emulator. Throws `PortBusyError` when one of the ports is taken. */
export async function startEntra(options: EntraOptions): Promise<Entra> {
  const traffic = new Traffic();
  const app = express().disable("x-powered-by").use(traffic.middleware);
  const [http, https] = await listenTwice(app, options);
  const origins = { http: http.origin, https: https.origin };
  const switches = { ...DEFAULT_SWITCHES, ...options.switches };
  const authority = await createAuthority(origins, options.tenants(origins), switches);

  if (options.quickToken) app.get("/emulator/token", quickToken(authority, options.quickToken));
  app.use(routes(authority));

  return {
    httpOrigin: origins.http,
    httpsOrigin: origins.https,
    tenants: authority.tenants,
    traffic,
    switches,
    issueManagedIdentityToken: (...request) => issueManagedIdentityToken(authority, ...request),
    issueAccessToken: (request) => issueAccessToken(authority, request),
    issueIdToken: (request) => issueIdToken(authority, request),
    issueAppToken: (request) => issueAppToken(authority, request),
    addIdentifierUri(appId, uri, tenantId) {
      const tenant = tenantFor(authority, tenantId);
      addIdentifierUri(switches["entra.identifierUriPolicy"], tenant, findClient(tenant, appId), uri);
    },
    rotateKeys: () => authority.keys.rotate(),
    retireOldKeys: () => authority.keys.retireOld(),
    async close() {
      await Promise.all([http.close(), https.close()]);
    },
  };
}
