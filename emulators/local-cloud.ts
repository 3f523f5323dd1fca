import { randomBytes } from "node:crypto";
import { type AppInsights, startAppInsights } from "./app-insights/index.ts";
import { type AppService, type AuthSettings, startAppService } from "./app-service/index.ts";
import { type ManagedIdentityEndpoint, startManagedIdentityEndpoint } from "./app-service/managed-identity.ts";
import { type ContentSafety, startContentSafety } from "./content-safety/index.ts";
import { CONSENTED_GRAPH_SCOPES, CONTOSO, createContoso, FIRST_PARTY_CLIENTS } from "./contoso/tenant.ts";
import type { Tenant } from "./directory.ts";
import { type Entra, startEntra } from "./entra/index.ts";
import { type GraphEmulator, startGraph } from "./graph/index.ts";
import type { Certificates } from "./kernel/certificates.ts";
import { type KeyVault, startKeyVault } from "./key-vault/index.ts";

/** Ports by part; 0 or absent takes a free one. */
export interface LocalCloudPorts {
  readonly appService?: number;
  readonly entraHttp?: number;
  readonly entraHttps?: number;
  readonly graph?: number;
  readonly keyVault?: number;
  readonly contentSafety?: number;
  readonly appInsights?: number;
  readonly managedIdentity?: number;
}

/** How to start the local cloud. */
export interface LocalCloudOptions {
  readonly certificates: Certificates;
  readonly ports?: LocalCloudPorts;
  /** Origin under which a server without App Service in front is reached; its registration is made for that. */
  readonly serverOrigin?: string;
  /** Such a server signs people in itself, for clients that Entra does not know. */
  readonly broker?: boolean;
}

/** Everything that the server needs of Azure, on this machine. */
export interface LocalCloud {
  readonly entra: Entra;
  readonly graph: GraphEmulator;
  readonly keyVault: KeyVault;
  readonly contentSafety: ContentSafety;
  /** Not in {@link environment}: telemetry is off until a server is given its connection string. */
  readonly appInsights: AppInsights;
  readonly managedIdentity: ManagedIdentityEndpoint;
  /** Absent when the server is reached without it. */
  readonly appService: AppService | undefined;
  readonly tenant: Tenant;
  /** The MCP endpoint as clients see it. */
  readonly mcpUrl: string;
  /** Client applications that the server is to accept. */
  readonly allowedClients: readonly string[];
  /** The server's environment, as infrastructure and platform would set it; without where to listen. */
  environment(): Record<string, string>;
  close(): Promise<void>;
}

const SIGNING_SECRET = "state-signing-key";

/** Starts Entra ID, Microsoft Graph, Key Vault, the managed identity endpoint and, unless told otherwise, App Service. */
export async function startLocalCloud({
  certificates,
  ports = {},
  serverOrigin,
  broker = false,
}: LocalCloudOptions): Promise<LocalCloud> {
  const started: { close(): Promise<void> }[] = [];
  const keep = <T extends { close(): Promise<void> }>(part: T): T => {
    started.push(part);
    return part;
  };
  const close = async () => {
    await Promise.all(started.map((part) => part.close()));
  };

  try {
    // The registrations name the addresses of parts that need Entra to start: the tenant comes last.
    const tenants: Tenant[] = [];
    const entra = keep(
      await startEntra({
        tenants: () => tenants,
        certificates,
        ports: { http: ports.entraHttp ?? 0, https: ports.entraHttps ?? 0 },
        quickToken: { client: CONTOSO.sampleClientId, scope: `api://${CONTOSO.serverAppId}/${CONTOSO.scope}` },
      }),
    );
    const issuer = `${entra.httpOrigin}/${CONTOSO.tenantId}/v2.0`;
    const graph = keep(
      await startGraph({
        tenant: () => tenant,
        entraOrigin: entra.httpOrigin,
        certificates,
        port: ports.graph ?? 0,
      }),
    );
    const allowedClients = [CONTOSO.sampleClientId, ...Object.values(FIRST_PARTY_CLIENTS)];
    const appService =
      serverOrigin === undefined
        ? keep(
            await startAppService({
              authSettings: authSettings(issuer, allowedClients, graph.origin),
              appSettings: {},
              keysOrigin: entra.httpOrigin,
              port: ports.appService ?? 0,
            }),
          )
        : undefined;
    const mcpUrl = `${serverOrigin ?? appService?.origin}/mcp`;
    if (appService) {
      appService.appSettings["WEBSITE_AUTH_PRM_DEFAULT_WITH_SCOPES"] = `${mcpUrl}/${CONTOSO.scope}`;
      appService.restart();
    }
    const tenant = createContoso({ mcpUrl, entraOrigin: entra.httpOrigin, graphOrigin: graph.origin });
    tenants.push(tenant);

    const managedIdentity = keep(
      await startManagedIdentityEndpoint({
        identities: tenant.managedIdentities,
        issueToken: (identity, resource) => entra.issueManagedIdentityToken(identity, resource),
        port: ports.managedIdentity ?? 0,
      }),
    );
    const keyVault = keep(
      await startKeyVault({
        entraOrigin: entra.httpOrigin,
        authority: entra.httpsOrigin,
        tenantId: CONTOSO.tenantId,
        readers: [CONTOSO.managedIdentityPrincipalId],
        certificates,
        port: ports.keyVault ?? 0,
      }),
    );
    const contentSafety = keep(
      await startContentSafety({
        entraOrigin: entra.httpOrigin,
        tenantId: CONTOSO.tenantId,
        users: [CONTOSO.managedIdentityPrincipalId],
        certificates,
        port: ports.contentSafety ?? 0,
      }),
    );
    const appInsights = keep(
      await startAppInsights({
        entraOrigin: entra.httpOrigin,
        tenantId: CONTOSO.tenantId,
        publishers: [CONTOSO.managedIdentityPrincipalId],
        certificates,
        port: ports.appInsights ?? 0,
      }),
    );
    keyVault.setSecret(SIGNING_SECRET, randomBytes(32).toString("base64"));

    return {
      entra,
      graph,
      keyVault,
      contentSafety,
      appInsights,
      managedIdentity,
      appService,
      tenant,
      mcpUrl,
      allowedClients,
      environment: () => ({
        ...appService?.environment(),
        ...managedIdentity.environment(),
        AUTH_MODE: appService ? "easy-auth" : broker ? "broker" : "bearer",
        MCP_SERVER_URL: mcpUrl,
        AZURE_TENANT_ID: CONTOSO.tenantId,
        ENTRA_CLIENT_ID: CONTOSO.serverAppId,
        AZURE_CLIENT_ID: CONTOSO.managedIdentityClientId,
        ...(broker ? {} : { ALLOWED_CLIENT_IDS: allowedClients.join(",") }),
        AZURE_AUTHORITY_HOST: entra.httpsOrigin,
        ENTRA_ISSUER: issuer,
        GRAPH_ENDPOINT: graph.origin,
        DOWNLOAD_HOSTS: new URL(graph.downloads.origin).hostname,
        KEY_VAULT_URL: keyVault.origin,
        CONTENT_SAFETY_ENDPOINT: contentSafety.origin,
        STATE_SECRET_NAME: SIGNING_SECRET,
      }),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What a deployment would set for App Service Authentication. */
function authSettings(issuer: string, allowedApplications: string[], graphOrigin: string): AuthSettings {
  return {
    platform: { enabled: true, runtimeVersion: "~1" },
    globalValidation: {
      requireAuthentication: true,
      unauthenticatedClientAction: "Return401",
      excludedPaths: ["/", "/healthz", "/readyz"],
    },
    httpSettings: { requireHttps: true },
    identityProviders: {
      azureActiveDirectory: {
        enabled: true,
        registration: { openIdIssuer: issuer, clientId: CONTOSO.serverAppId },
        login: {
          // Asking for Graph's scopes at this sign-in is how a person consents to what the tools use.
          loginParameters: [
            `scope=openid profile email ${CONSENTED_GRAPH_SCOPES.map((scope) => `${graphOrigin}/${scope}`).join(" ")}`,
          ],
        },
        // The site's own client id is what a browser's sign-in comes with.
        validation: {
          defaultAuthorizationPolicy: { allowedApplications: [CONTOSO.serverAppId, ...allowedApplications] },
        },
      },
    },
    login: { tokenStore: { enabled: false } },
  };
}
