import { afterAll, beforeAll, expect, inject, test } from "vitest";
import type { AuthSettings } from "../../emulators/app-service/index.ts";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { type LocalCloud, startLocalCloud } from "../../emulators/local-cloud.ts";
import { describeWithBicep, type Infra, only } from "../support/bicep.ts";
import { connect } from "../support/mcp-clients.ts";
import { freePort, type ServerProcess, startServerProcess } from "../support/stack.ts";

const TENANT = "22222222-2222-2222-2222-222222222222";

describeWithBicep("a site with the settings of the templates", (copyInfra) => {
  let infra: Infra | undefined;
  let cloud: LocalCloud | undefined;
  let server: ServerProcess | undefined;

  beforeAll(async () => {
    infra = await copyInfra();
    const [resources, started] = await Promise.all([
      infra.snapshot("default"),
      startLocalCloud({ certificates: inject("certificates") }),
    ]);
    cloud = started;
    const port = await freePort();
    const compiled = (name: string) =>
      moved(only(resources, "Microsoft.Web/sites/config", name).properties, started) as Record<string, string>;
    const site = started.appService;
    if (!site) throw new Error("The local cloud has no App Service.");
    Object.assign(site.authSettings, withKnownIds(compiled("authsettingsV2") as unknown as AuthSettings, started));
    Object.assign(site.appSettings, compiled("appsettings"), knownSettings(started));
    site.restart();
    site.setApp(`http://localhost:${port}`);
    server = await startServerProcess({
      ...site.environment(),
      ...started.managedIdentity.environment(),
      DOWNLOAD_HOSTS: started.environment()["DOWNLOAD_HOSTS"] ?? "",
      PORT: String(port),
    });
  });
  afterAll(async () => {
    await server?.stop();
    await Promise.all([cloud?.close(), infra?.close()]);
  });

  test("serves a client that signs in by its challenge, on behalf of the person", async () => {
    expect(server?.output()).toContain("Listening");
    const client = await connect("sdk v2 (auto)", cloud?.mcpUrl ?? "", { signIn: { as: "AdeleV" } });
    const { structuredContent } = await client.call("get_my_profile");
    expect(structuredContent).toMatchObject({ upn: "AdeleV@contoso.com" });
    await client.close();
  });

  test("challenges who brings no token, and answers the health check", async () => {
    const refused = await fetch(cloud?.mcpUrl ?? "", { method: "POST" });
    expect(refused.status).toBe(401);
    expect(refused.headers.get("www-authenticate")).toContain(`scope="${cloud?.mcpUrl}/user_impersonation"`);
    const health = await fetch(new URL("/healthz", cloud?.mcpUrl));
    expect(health.status).toBe(200);
  });
});

/** The same settings in the local cloud: its tenant, its Entra ID, its Graph. */
function moved(settings: unknown, { entra, graph }: LocalCloud): unknown {
  const text = JSON.stringify(settings)
    .replaceAll(TENANT, CONTOSO.tenantId)
    .replaceAll("https://login.microsoftonline.com", entra.httpOrigin)
    .replaceAll("https://graph.microsoft.com", graph.origin);
  return JSON.parse(text) as unknown;
}

/** Puts ids and addresses where the template has expressions that only a deployment can evaluate. */
function withKnownIds(settings: AuthSettings, { mcpUrl }: LocalCloud): AuthSettings {
  const { azureActiveDirectory: entra } = settings.identityProviders;
  const allowed = entra.validation?.defaultAuthorizationPolicy?.allowedApplications ?? [];
  const known = allowed.filter((id) => !id.startsWith("["));
  return {
    ...settings,
    identityProviders: {
      azureActiveDirectory: {
        ...entra,
        registration: { ...entra.registration, clientId: CONTOSO.serverAppId },
        validation: {
          allowedAudiences: [CONTOSO.serverAppId, `api://${CONTOSO.serverAppId}`, mcpUrl],
          defaultAuthorizationPolicy: {
            allowedApplications: [CONTOSO.serverAppId, CONTOSO.sampleClientId, ...known],
          },
        },
      },
    },
  };
}

function knownSettings({ mcpUrl, entra, keyVault }: LocalCloud): Record<string, string> {
  return {
    MCP_SERVER_URL: mcpUrl,
    WEBSITE_AUTH_PRM_DEFAULT_WITH_SCOPES: `${mcpUrl}/user_impersonation`,
    AZURE_CLIENT_ID: CONTOSO.managedIdentityClientId,
    OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID: CONTOSO.managedIdentityClientId,
    ALLOWED_CLIENT_IDS: CONTOSO.sampleClientId,
    KEY_VAULT_URL: keyVault.origin,
    // The SDK speaks https with Entra ID only.
    AZURE_AUTHORITY_HOST: entra.httpsOrigin,
    APPLICATIONINSIGHTS_CONNECTION_STRING: "",
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: "",
  };
}
