import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWithBicep, type Infra, ofType, only, type Resource } from "../support/bicep.ts";

const ROLES = {
  keyVaultSecretsUser: "4633458b-17de-408a-b874-0445c86b69e6",
  monitoringMetricsPublisher: "3913510d-42f4-4e42-8a64-420c390055eb",
  cognitiveServicesUser: "a97b65f3-24c7-4388-baec-2e87135dc908",
};

/** What has no logs or metrics of its own to send, and why. */
const WITHOUT_DIAGNOSTICS: Readonly<Record<string, string>> = {
  "Microsoft.Resources/resourceGroups": "the activity log has it",
  "Microsoft.ManagedIdentity/userAssignedIdentities": "Entra's sign-in logs have it",
  "Microsoft.Insights/components": "its data is in the workspace",
  "Microsoft.Insights/actionGroups": "the activity log has it",
  "Microsoft.Insights/scheduledQueryRules": "the activity log has it",
  "Microsoft.Insights/workbooks": "a document",
  "Microsoft.Insights/privateLinkScopes": "a list",
  "Microsoft.Network/privateEndpoints": "metrics only, in Azure Monitor",
  "Microsoft.Network/privateDnsZones": "metrics only, in Azure Monitor",
  "Microsoft.Web/certificates": "a document",
};

/** Types that exist inside another resource and are covered by it. */
const isChild = ({ type }: Resource) => type.split("/").length > 2;
const isExtension = ({ type }: Resource) =>
  /^Microsoft\.(?:Graph|Authorization|SecurityInsights)\//.test(type) ||
  type === "Microsoft.Insights/diagnosticSettings";

const scopeOf = ({ id = "" }: Resource) =>
  id.replace(/\/providers\/Microsoft\.(?:Insights|Authorization)\/[^/]+\/[^/]+$/, "");
const shortScope = (resource: Resource) =>
  scopeOf(resource)
    .replace(/^.*\/providers\//, "")
    .replace(/-\w{13}$/, "");

function rolesIn(resources: readonly Resource[]): string[] {
  return ofType(resources, "Microsoft.Authorization/roleAssignments").map((assignment) => {
    const { roleDefinitionId, principalType } = assignment.properties as Record<string, string>;
    const role = Object.entries(ROLES).find(([, id]) => roleDefinitionId?.endsWith(`/${id}`));
    return `${role?.[0]} on ${shortScope(assignment)} for a ${principalType}`;
  });
}

describeWithBicep("what is deployed", (copyInfra) => {
  let infra: Infra;
  let resources: readonly Resource[];
  let everything: readonly Resource[];

  beforeAll(async () => {
    infra = await copyInfra();
    [resources, everything] = await Promise.all([infra.snapshot("default"), infra.snapshot("everything")]);
  });
  afterAll(async () => infra?.close());

  test("the default is a site with what it needs, and no more", () => {
    const names = resources
      .filter((resource) => !isExtension(resource))
      .map(({ type, name }) => `${type} ${name?.replace(/\w{13}(?=\/|$)/, "…")}`);
    expect(names.filter((name) => !name.includes("workbooks")).sort()).toEqual([
      "Microsoft.Insights/actionGroups ag-…",
      "Microsoft.Insights/components appi-…",
      "Microsoft.Insights/scheduledQueryRules alert-denials-…",
      "Microsoft.Insights/scheduledQueryRules alert-errors-…",
      "Microsoft.Insights/scheduledQueryRules alert-injections-…",
      "Microsoft.Insights/scheduledQueryRules alert-throttling-…",
      "Microsoft.Insights/scheduledQueryRules alert-token-exchange-…",
      "Microsoft.KeyVault/vaults kv-…",
      "Microsoft.KeyVault/vaults/secrets kv-…/state-signing-key",
      "Microsoft.ManagedIdentity/userAssignedIdentities id-…",
      "Microsoft.OperationalInsights/workspaces log-…",
      "Microsoft.Resources/resourceGroups rg-contoso",
      "Microsoft.Web/serverfarms asp-…",
      "Microsoft.Web/sites app-mcp-…",
      "Microsoft.Web/sites/basicPublishingCredentialsPolicies app-mcp-…/ftp",
      "Microsoft.Web/sites/basicPublishingCredentialsPolicies app-mcp-…/scm",
      "Microsoft.Web/sites/config app-mcp-…/appsettings",
      "Microsoft.Web/sites/config app-mcp-…/authsettingsV2",
      "Microsoft.Web/sites/config app-mcp-…/logs",
      "Microsoft.Web/sites/config app-mcp-…/slotConfigNames",
    ]);
  });

  test("everything carries the environment's tag, and the site that of azd's service", () => {
    const untagged = everything.filter(
      (resource) =>
        !isExtension(resource) &&
        !isChild(resource) &&
        (resource["tags"] as Record<string, string> | undefined)?.["azd-env-name"] !== "contoso",
    );
    expect(untagged.map(({ type, name }) => `${type} ${name}`)).toEqual([]);
    expect(only(resources, "Microsoft.Web/sites")["tags"]).toMatchObject({ "azd-service-name": "mcp" });
    expect(ofType(everything, "Microsoft.Web/sites/slots")[0]?.["tags"]).not.toHaveProperty("azd-service-name");
  });

  test("P1: no setting, output or property holds a credential", () => {
    const text = JSON.stringify(everything.filter(({ type }) => type !== "Microsoft.KeyVault/vaults/secrets"));
    expect(text).not.toMatch(/listKeys|primaryKey|AccountKey=|SharedAccess|passwordCredentials|newGuid/i);
    const settings = only(everything, "Microsoft.Web/sites/config", "appsettings").properties ?? {};
    expect(Object.keys(settings).filter((name) => /secret|password|key$|token$/i.test(name))).toEqual([]);
  });

  test("P1: services that have keys do not take them", () => {
    const workspace = only(resources, "Microsoft.OperationalInsights/workspaces");
    expect(workspace.properties).toMatchObject({ features: { disableLocalAuth: true } });
    expect(only(resources, "Microsoft.Insights/components").properties).toMatchObject({ DisableLocalAuth: true });
    expect(only(everything, "Microsoft.CognitiveServices/accounts").properties).toMatchObject({
      disableLocalAuth: true,
    });
    expect(only(everything, "Microsoft.Cache/redisEnterprise/databases").properties).toMatchObject({
      accessKeysAuthentication: "Disabled",
      clientProtocol: "Encrypted",
    });
  });

  test("P1: the site has no identity but the one that the registration trusts", () => {
    const { type, userAssignedIdentities } = only(resources, "Microsoft.Web/sites")["identity"] as {
      type: string;
      userAssignedIdentities: Record<string, unknown>;
    };
    expect(type).toBe("UserAssigned");
    expect(Object.keys(userAssignedIdentities)).toEqual([
      only(resources, "Microsoft.ManagedIdentity/userAssignedIdentities").id,
    ]);
  });

  test("roles are the least ones, each on one resource", () => {
    expect(rolesIn(resources).sort()).toEqual([
      "keyVaultSecretsUser on Microsoft.KeyVault/vaults/kv for a ServicePrincipal",
      "monitoringMetricsPublisher on Microsoft.Insights/components/appi for a ServicePrincipal",
    ]);
    expect(rolesIn(everything).sort()).toEqual([
      "cognitiveServicesUser on Microsoft.CognitiveServices/accounts/cs for a ServicePrincipal",
      "keyVaultSecretsUser on Microsoft.KeyVault/vaults/kv for a ServicePrincipal",
      "monitoringMetricsPublisher on Microsoft.Insights/components/appi for a ServicePrincipal",
    ]);
    for (const { properties } of ofType(everything, "Microsoft.Authorization/roleAssignments")) {
      expect(properties?.["principalId"]).toContain(".principalId");
    }
  });

  test("P2: the vault goes by roles and cannot be purged", () => {
    expect(only(resources, "Microsoft.KeyVault/vaults").properties).toMatchObject({
      enableRbacAuthorization: true,
      enablePurgeProtection: true,
      enableSoftDelete: true,
      createMode: "default",
      sku: { name: "standard" },
    });
    expect(only(resources, "Microsoft.KeyVault/vaults").properties).not.toHaveProperty("accessPolicies");
  });

  test("P2, P7: whatever has logs sends them to the workspace", () => {
    const covered = new Set(ofType(everything, "Microsoft.Insights/diagnosticSettings").map(scopeOf));
    const silent = everything.filter(
      (resource) =>
        !isExtension(resource) &&
        !isChild(resource) &&
        !(resource.type in WITHOUT_DIAGNOSTICS) &&
        !covered.has(resource.id ?? ""),
    );
    expect(silent.map(({ id }) => id)).toEqual([]);
    const slot = only(everything, "Microsoft.Web/sites/slots").id ?? "";
    expect(covered).toContain(slot);
    expect(covered).toContain(only(everything, "Microsoft.Cache/redisEnterprise/databases").id);
    const workspace = only(everything, "Microsoft.OperationalInsights/workspaces").id;
    for (const { properties } of ofType(everything, "Microsoft.Insights/diagnosticSettings")) {
      expect(properties?.["workspaceId"]).toBe(workspace);
    }
  });

  test("P7: telemetry reaches the workspace by the managed identity", () => {
    expect(only(resources, "Microsoft.Insights/components").properties).toMatchObject({
      WorkspaceResourceId: only(resources, "Microsoft.OperationalInsights/workspaces").id,
      IngestionMode: "LogAnalytics",
    });
    const settings = only(resources, "Microsoft.Web/sites/config", "appsettings").properties ?? {};
    expect(settings["APPLICATIONINSIGHTS_AUTHENTICATION_STRING"]).toMatch(/Authorization=AAD.*\.clientId/);
    expect(settings["APPLICATIONINSIGHTS_CONNECTION_STRING"]).toContain(".ConnectionString");
  });

  test("P7: alerts watch denials, injections, token exchange, throttling and errors", () => {
    const rules = ofType(resources, "Microsoft.Insights/scheduledQueryRules");
    const [group] = ofType(resources, "Microsoft.Insights/actionGroups");
    expect(rules).toHaveLength(5);
    for (const { properties } of rules) {
      expect(properties).toMatchObject({ enabled: true, actions: { actionGroups: [group?.id] } });
      expect(JSON.stringify(properties)).toContain("AppServiceConsoleLogs");
    }
    const [workbook] = ofType(resources, "Microsoft.Insights/workbooks");
    const { items } = JSON.parse(String(workbook?.properties?.["serializedData"])) as { items: unknown[] };
    expect(items.length).toBeGreaterThan(5);
  });

  test("P7: alerts and workbook ask for words that the server writes", async () => {
    const sources = ["src/diagnostics.ts", "src/mcp/tool-error.ts", "src/auth/on-behalf-of.ts", "src/platform/log.ts"];
    const root = join(import.meta.dirname, "../..");
    const written = (await Promise.all(sources.map(async (path) => readFile(join(root, path), "utf8")))).join("\n");
    const queries = resources
      .filter(({ type }) => /scheduledQueryRules|workbooks/.test(type))
      .map(({ properties }) => JSON.stringify(properties).replaceAll("\\", ""))
      .join("\n");
    const asked = [...queries.matchAll(/line\.(?:audit|decision|outcome|reason) (?:==|!=|in) (\([^)]*\)|"[^"]*")/g)];
    const words = new Set(asked.flatMap(([, list = ""]) => list.match(/\w+/g) ?? []));
    expect(words.size).toBeGreaterThan(6);
    expect([...words].filter((word) => word !== "missing_token" && !written.includes(`"${word}"`))).toEqual([]);
    const members = new Set([...queries.matchAll(/\bline\.(\w+)/g)].map(([, name = ""]) => name));
    const own = new Set(["audit", "msg", "level"]);
    expect([...members].filter((name) => !own.has(name) && !written.includes(`readonly ${name}`))).toEqual([]);
  });

  test("P9: the site is hardened", () => {
    const { properties } = only(resources, "Microsoft.Web/sites");
    expect(properties).toMatchObject({
      httpsOnly: true,
      clientAffinityEnabled: false,
      endToEndEncryptionEnabled: true,
      sshEnabled: false,
      siteConfig: {
        linuxFxVersion: "NODE|24-lts",
        appCommandLine: "node dist/main.js",
        alwaysOn: true,
        http20Enabled: true,
        minTlsVersion: "1.2",
        scmMinTlsVersion: "1.2",
        ftpsState: "Disabled",
        remoteDebuggingEnabled: false,
        healthCheckPath: "/healthz",
      },
    });
    for (const policy of ["ftp", "scm"]) {
      expect(only(resources, "Microsoft.Web/sites/basicPublishingCredentialsPolicies", policy).properties).toEqual({
        allow: false,
      });
    }
    expect(only(resources, "Microsoft.Web/sites/config", "logs").properties).toMatchObject({
      detailedErrorMessages: { enabled: false },
      failedRequestsTracing: { enabled: false },
    });
  });

  test("P9: App Service Authentication refuses what carries no token, and knows one provider", () => {
    const { properties } = only(resources, "Microsoft.Web/sites/config", "authsettingsV2");
    expect(properties).toMatchObject({
      platform: { enabled: true },
      globalValidation: {
        requireAuthentication: true,
        unauthenticatedClientAction: "Return401",
        excludedPaths: ["/healthz", "/readyz"],
      },
      httpSettings: { requireHttps: true, forwardProxy: { convention: "NoProxy" } },
      login: { tokenStore: { enabled: false }, allowedExternalRedirectUrls: [] },
    });
    const providers = properties?.["identityProviders"] as Record<string, { enabled: boolean }>;
    const on = Object.entries(providers).flatMap(([name, { enabled }]) => (enabled ? name : []));
    expect(on).toEqual(["azureActiveDirectory"]);
    expect(Object.keys(providers)).toHaveLength(8);
    expect(providers["azureActiveDirectory"]).toMatchObject({
      registration: {
        openIdIssuer: "https://login.microsoftonline.com/22222222-2222-2222-2222-222222222222/v2.0",
        clientSecretSettingName: "OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID",
      },
    });
  });
});
