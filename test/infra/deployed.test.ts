import { afterAll, beforeAll, expect, inject, test } from "vitest";
import type { AuthSettings } from "../../emulators/app-service/index.ts";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { type LocalCloud, startLocalCloud } from "../../emulators/local-cloud.ts";
import { verifyDeployment } from "../../src/verify/verify.ts";
import { describeWithBicep, type Infra, only } from "../support/bicep.ts";
import { NewcomerSession, signInAtBroker } from "../support/broker.ts";
import { connect } from "../support/mcp-clients.ts";
import { freePort, type ServerProcess, startServerProcess } from "../support/server-process.ts";

const TENANT = "22222222-2222-2222-2222-222222222222";

describeWithBicep("a site with the settings of the templates", (copyInfra) => {
  let site: DeployedSite | undefined;
  beforeAll(async () => {
    site = await deploy(await copyInfra(), "default");
  });
  afterAll(async () => site?.close());

  test("serves a client that signs in by its challenge, on behalf of the person", async () => {
    expect(site?.server.output()).toContain("Listening");
    const client = await connect("sdk v2 (auto)", site?.mcpUrl ?? "", { signIn: { as: "AdeleV" } });
    const { structuredContent } = await client.call("get_my_profile");
    expect(structuredContent).toMatchObject({ upn: "AdeleV@contoso.com" });
    await client.close();
  });

  test("challenges who brings no token, and answers the health check", async () => {
    const refused = await fetch(site?.mcpUrl ?? "", { method: "POST" });
    expect(refused.status).toBe(401);
    expect(refused.headers.get("www-authenticate")).toContain(`scope="${site?.mcpUrl}/user_impersonation"`);
    const health = await fetch(new URL("/healthz", site?.mcpUrl));
    expect(health.status).toBe(200);
  });
});

describeWithBicep("a site with the settings of a broker", (copyInfra) => {
  let site: DeployedSite | undefined;
  beforeAll(async () => {
    site = await deploy(await copyInfra(), "broker");
  });
  afterAll(async () => site?.close());

  test("serves a client that knows its URL only", async () => {
    expect(site?.server.output()).toContain("Listening");
    const client = await connect("sdk v2 (auto)", site?.mcpUrl ?? "", {
      oauth: new NewcomerSession(),
      signIn: (url) => signInAtBroker(url, { as: "AdeleV" }),
    });
    const { structuredContent } = await client.call("get_my_profile");
    expect(structuredContent).toMatchObject({ upn: "AdeleV@contoso.com" });
    await client.close();
  });

  test("has no findings from outside", async () => {
    const report = await verifyDeployment(new URL(site?.mcpUrl ?? ""));
    expect(report.front).toBe("the server itself");
    expect(report.results.filter(({ outcome }) => outcome === "finding" || outcome === "unknown")).toEqual([]);
    expect(report.results).toContainEqual(expect.objectContaining({ check: "authorization-requests", outcome: "ok" }));
  });

  test("would let no client in with App Service Authentication on, whether that excludes /mcp or not", async () => {
    const { authSettings } = site?.appService ?? {};
    if (!authSettings?.globalValidation) throw new Error("The site has no settings.");
    const oauth = new NewcomerSession();
    const client = await connect("sdk v2 (auto)", site?.mcpUrl ?? "", {
      oauth,
      signIn: (url) => signInAtBroker(url, { as: "AdeleV" }),
    });
    await client.close();
    const headers = { authorization: `Bearer ${oauth.tokens()?.access_token}`, accept: "text/event-stream" };
    expect((await fetch(site?.mcpUrl ?? "", { headers })).status).toBe(405);

    authSettings.platform = { enabled: true };
    for (const excludedPaths of [[], ["/mcp"]]) {
      authSettings.globalValidation.excludedPaths = excludedPaths;
      expect((await fetch(site?.mcpUrl ?? "", { headers })).status).toBe(401);
    }
  });
});

/** The local cloud with the server in it, both with the settings of a template. */
interface DeployedSite extends Pick<LocalCloud, "mcpUrl" | "appService"> {
  readonly server: ServerProcess;
  close(): Promise<void>;
}

async function deploy(infra: Infra, name: string): Promise<DeployedSite> {
  const [resources, cloud] = await Promise.all([
    infra.snapshot(name),
    startLocalCloud({ certificates: inject("certificates") }),
  ]);
  await infra.close();
  const { mcpUrl, appService } = cloud;
  if (!appService) throw new Error("The local cloud has no App Service.");
  const port = await freePort();
  const compiled = (part: string) =>
    moved(only(resources, "Microsoft.Web/sites/config", part).properties, cloud) as Record<string, string>;
  Object.assign(appService.authSettings, withKnownIds(compiled("authsettingsV2") as unknown as AuthSettings, cloud));
  const settings = compiled("appsettings");
  const known = Object.entries(knownSettings(cloud)).filter(([setting]) => setting in settings);
  delete appService.appSettings["WEBSITE_AUTH_PRM_DEFAULT_WITH_SCOPES"];
  Object.assign(appService.appSettings, settings, Object.fromEntries(known));
  appService.restart();
  appService.setApp(`http://localhost:${port}`);
  const server = await startServerProcess({
    ...appService.environment(),
    ...cloud.managedIdentity.environment(),
    DOWNLOAD_HOSTS: cloud.environment()["DOWNLOAD_HOSTS"] ?? "",
    // Without App Service Authentication it follows from the authority host, which in Azure is the issuer's too.
    ...(settings["AUTH_MODE"] === "broker" ? { ENTRA_ISSUER: cloud.environment()["ENTRA_ISSUER"] ?? "" } : {}),
    PORT: String(port),
  });
  return {
    mcpUrl,
    appService,
    server,
    async close() {
      await server.stop();
      await cloud.close();
    },
  };
}

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
    ENTRA_CLIENT_ID: CONTOSO.serverAppId,
    KEY_VAULT_URL: keyVault.origin,
    // The SDK speaks https with Entra ID only.
    AZURE_AUTHORITY_HOST: entra.httpsOrigin,
    APPLICATIONINSIGHTS_CONNECTION_STRING: "",
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: "",
  };
}
