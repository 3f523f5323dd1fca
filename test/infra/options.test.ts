import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWithBicep, type Infra, ofType, only, type Resource } from "../support/bicep.ts";

const isLasting = ({ type }: Resource) => !type.startsWith("Microsoft.Graph/");
const keyOf = ({ type, name }: Resource) => `${type} ${name?.replace(/\w{13}(?=\/|$)/, "…")}`;

/** Types of the resources that `more` has beyond `fewer`. */
function added(more: readonly Resource[], fewer: readonly Resource[]): string[] {
  const before = new Map<string, number>();
  for (const resource of fewer.filter(isLasting)) before.set(keyOf(resource), (before.get(keyOf(resource)) ?? 0) + 1);
  const types = new Set<string>();
  for (const resource of more.filter(isLasting)) {
    const left = before.get(keyOf(resource)) ?? 0;
    if (left === 0) types.add(resource.type);
    else before.set(keyOf(resource), left - 1);
  }
  return [...types].sort();
}

const settingsOf = (resources: readonly Resource[], type = "Microsoft.Web/sites/config") =>
  only(resources, type, "appsettings").properties as Record<string, string>;

describeWithBicep("the option", (copyInfra) => {
  let infra: Infra;
  let standard: readonly Resource[];

  beforeAll(async () => {
    infra = await copyInfra();
    standard = await infra.snapshot("default");
  });
  afterAll(async () => infra?.close());

  test("privateNetwork adds the network and closes everything else (P3)", async () => {
    const resources = await infra.snapshot("private-network");
    expect(added(resources, standard)).toEqual([
      "Microsoft.Insights/diagnosticSettings",
      "Microsoft.Insights/privateLinkScopes",
      "Microsoft.Insights/privateLinkScopes/scopedResources",
      "Microsoft.Network/networkSecurityGroups",
      "Microsoft.Network/privateDnsZones",
      "Microsoft.Network/privateDnsZones/virtualNetworkLinks",
      "Microsoft.Network/privateEndpoints",
      "Microsoft.Network/privateEndpoints/privateDnsZoneGroups",
      "Microsoft.Network/virtualNetworks",
    ]);
    const site = only(resources, "Microsoft.Web/sites").properties;
    expect(site).toMatchObject({
      publicNetworkAccess: "Disabled",
      outboundVnetRouting: { allTraffic: true },
      siteConfig: { ipSecurityRestrictionsDefaultAction: "Deny", scmIpSecurityRestrictionsDefaultAction: "Deny" },
    });
    expect(site?.["virtualNetworkSubnetId"]).toMatch(/\/subnets\/app$/);
    expect(only(resources, "Microsoft.KeyVault/vaults").properties).toMatchObject({
      publicNetworkAccess: "Disabled",
      networkAcls: { defaultAction: "Deny", bypass: "None" },
    });
    expect(only(resources, "Microsoft.Insights/components").properties).toMatchObject({
      publicNetworkAccessForIngestion: "Disabled",
    });
    expect(only(resources, "Microsoft.OperationalInsights/workspaces").properties).toMatchObject({
      publicNetworkAccessForIngestion: "Disabled",
    });
  });

  test("privateNetwork gives each service an endpoint with its names, in a subnet with rules that end in a denial", async () => {
    const resources = await infra.snapshot("everything");
    const connections = ofType(resources, "Microsoft.Network/privateEndpoints").map(({ properties }) => {
      const { subnet, privateLinkServiceConnections } = properties as {
        subnet: { id: string };
        privateLinkServiceConnections: { properties: { groupIds: string[] } }[];
      };
      expect(subnet.id).toMatch(/\/subnets\/endpoints$/);
      return privateLinkServiceConnections.flatMap(({ properties: { groupIds } }) => groupIds);
    });
    expect(connections.flat().sort()).toEqual([
      "account",
      "azuremonitor",
      "redisEnterprise",
      "sites",
      "sites-staging",
      "vault",
    ]);
    const groups = ofType(resources, "Microsoft.Network/networkSecurityGroups");
    expect(groups).toHaveLength(3);
    for (const { properties } of groups) {
      const { securityRules } = properties as { securityRules: { properties: Record<string, unknown> }[] };
      for (const direction of ["Inbound", "Outbound"]) {
        const rules = securityRules
          .map(({ properties: rule }) => rule)
          .filter((rule) => rule["direction"] === direction);
        const last = rules.sort((a, b) => Number(a["priority"]) - Number(b["priority"])).at(-1);
        expect(last).toMatchObject({ access: "Deny", protocol: "*", priority: 4096, destinationAddressPrefix: "*" });
        expect(
          rules.filter(({ access, destinationPortRange }) => access === "Allow" && destinationPortRange === "*"),
        ).toEqual([]);
        expect(
          rules.filter(
            ({ access, sourceAddressPrefix }) =>
              access === "Allow" && direction === "Inbound" && sourceAddressPrefix === "*",
          ),
        ).toEqual([]);
      }
    }
    for (const type of [
      "Microsoft.CognitiveServices/accounts",
      "Microsoft.Cache/redisEnterprise",
      "Microsoft.Web/sites/slots",
    ]) {
      expect(only(resources, type).properties).toMatchObject({ publicNetworkAccess: "Disabled" });
    }
    const { subnets } = only(resources, "Microsoft.Network/virtualNetworks").properties as {
      subnets: { name: string; properties: Record<string, unknown> }[];
    };
    expect(subnets.map(({ name }) => name)).toEqual(["endpoints", "app", "gateway"]);
    expect(subnets[0]?.properties).toMatchObject({
      privateEndpointNetworkPolicies: "Enabled",
      defaultOutboundAccess: false,
    });
  });

  test("deploymentAddresses opens the deployment endpoint to these ranges, and nothing else", async () => {
    const { properties } = only(await infra.snapshot("private-network-deployable"), "Microsoft.Web/sites");
    expect(properties).toMatchObject({
      publicNetworkAccess: "Enabled",
      siteConfig: {
        ipSecurityRestrictionsDefaultAction: "Deny",
        scmIpSecurityRestrictionsUseMain: false,
        scmIpSecurityRestrictionsDefaultAction: "Deny",
        scmIpSecurityRestrictions: [
          { action: "Allow", ipAddress: "203.0.113.0/24" },
          { action: "Allow", ipAddress: "198.51.100.7/32" },
        ],
      },
    });
    expect(properties).not.toHaveProperty("siteConfig.ipSecurityRestrictions");
  });

  test("promptShields adds an account without keys and tells the server where it is and what to do", async () => {
    const resources = await infra.snapshot("prompt-shields");
    expect(added(resources, standard)).toEqual([
      "Microsoft.Authorization/roleAssignments",
      "Microsoft.CognitiveServices/accounts",
      "Microsoft.Insights/diagnosticSettings",
    ]);
    expect(only(resources, "Microsoft.CognitiveServices/accounts")["kind"]).toBe("ContentSafety");
    expect(settingsOf(resources)).toMatchObject({ PROMPT_SHIELDS: "annotate" });
    expect(settingsOf(resources)["CONTENT_SAFETY_ENDPOINT"]).toContain(".endpoint");
    expect(settingsOf(standard)).not.toHaveProperty("CONTENT_SAFETY_ENDPOINT");
  });

  test("redis and maximumInstances let several instances work as one", async () => {
    const resources = await infra.snapshot("scale-out");
    expect(added(resources, standard)).toEqual([
      "Microsoft.Cache/redisEnterprise",
      "Microsoft.Cache/redisEnterprise/databases",
      "Microsoft.Cache/redisEnterprise/databases/accessPolicyAssignments",
      "Microsoft.Insights/diagnosticSettings",
    ]);
    const access = only(resources, "Microsoft.Cache/redisEnterprise/databases/accessPolicyAssignments").properties;
    expect(access?.["accessPolicyName"]).toBe("default");
    expect(JSON.stringify(access?.["user"])).toContain(".principalId");
    expect(settingsOf(resources)["REDIS_URL"]).toMatch(/rediss:\/\/.*\.hostName/);
    expect(settingsOf(resources)["REDIS_URL"]).toContain("10000");
    expect(settingsOf(resources)["INSTANCE_COUNT"]).toBe("3");
    expect(only(resources, "Microsoft.Web/serverfarms")).toMatchObject({
      sku: { name: "P0v3" },
      properties: { elasticScaleEnabled: true, maximumElasticWorkerCount: 3 },
    });
    expect(only(resources, "Microsoft.Web/sites").properties).toMatchObject({
      siteConfig: { minimumElasticInstanceCount: 1, elasticWebAppScaleLimit: 3 },
    });
    expect(only(standard, "Microsoft.Web/serverfarms")).toMatchObject({
      sku: { name: "B1" },
      properties: { elasticScaleEnabled: false },
    });
  });

  test("stagingSlot adds a slot as hard as the site, with its own URL in settings that stay with it", async () => {
    const resources = await infra.snapshot("staging-slot");
    expect(added(resources, standard)).toEqual([
      "Microsoft.Insights/diagnosticSettings",
      "Microsoft.Web/sites/slots",
      "Microsoft.Web/sites/slots/basicPublishingCredentialsPolicies",
      "Microsoft.Web/sites/slots/config",
    ]);
    const site = only(resources, "Microsoft.Web/sites");
    const slot = only(resources, "Microsoft.Web/sites/slots");
    expect(slot.properties).toEqual(site.properties);
    expect(slot["identity"]).toEqual(site["identity"]);
    expect(only(resources, "Microsoft.Web/sites/slots/config", "authsettingsV2").properties).toEqual(
      only(resources, "Microsoft.Web/sites/config", "authsettingsV2").properties,
    );
    const ofSite = settingsOf(resources);
    const ofSlot = settingsOf(resources, "Microsoft.Web/sites/slots/config");
    const different = Object.keys(ofSite).filter((name) => ofSite[name] !== ofSlot[name]);
    expect(different.sort()).toEqual(["MCP_SERVER_URL", "WEBSITE_AUTH_PRM_DEFAULT_WITH_SCOPES"]);
    expect(ofSlot["MCP_SERVER_URL"]).toContain("/slots/staging");
    const { appSettingNames } = only(resources, "Microsoft.Web/sites/config", "slotConfigNames").properties as {
      appSettingNames: string[];
    };
    expect(appSettingNames).toEqual(expect.arrayContaining([...different, "OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID"]));
  });

  test("apiManagement puts token validation and a rate limit in front, under the gateway's URL (P10)", async () => {
    const resources = await infra.snapshot("api-management");
    expect(added(resources, standard)).toEqual([
      "Microsoft.ApiManagement/service",
      "Microsoft.ApiManagement/service/apis",
      "Microsoft.ApiManagement/service/apis/operations",
      "Microsoft.ApiManagement/service/apis/policies",
      "Microsoft.Insights/diagnosticSettings",
    ]);
    const api = only(resources, "Microsoft.ApiManagement/service/apis", "mcp").properties;
    expect(api).toMatchObject({ type: "mcp", path: "mcp", protocols: ["https"] });
    expect(api?.["serviceUrl"]).toMatch(/https:\/\/.*\/mcp.*defaultHostName/);
    const policies = ofType(resources, "Microsoft.ApiManagement/service/apis/policies");
    const policy = JSON.stringify(policies.find(({ name }) => name?.includes("/mcp/"))?.properties);
    for (const part of [
      "validate-azure-ad-token",
      "<audience>",
      "rate-limit-by-key",
      "WWW-Authenticate",
      "resource_metadata",
    ]) {
      expect(policy).toContain(part);
    }
    const settings = settingsOf(resources);
    expect(settings["MCP_SERVER_URL"]).toContain(".gatewayUrl");
    expect(settings["ALLOWED_HOSTS"]).toContain(".defaultHostName");
    expect(settings["WEBSITE_AUTH_PRM_DEFAULT_WITH_SCOPES"]).toContain(".gatewayUrl");
    expect(only(resources, "Microsoft.Web/sites/config", "authsettingsV2").properties).toMatchObject({
      // The site is still behind its own lock.
      globalValidation: { requireAuthentication: true, unauthenticatedClientAction: "Return401" },
      httpSettings: { forwardProxy: { convention: "Standard" } },
    });
    expect(only(resources, "Microsoft.ApiManagement/service")["sku"]).toEqual({ name: "BasicV2", capacity: 1 });
  });

  test("apiManagement with privateNetwork is the only thing that is reachable, and speaks into the network", async () => {
    const service = only(await infra.snapshot("everything"), "Microsoft.ApiManagement/service");
    expect(service["sku"]).toEqual({ name: "StandardV2", capacity: 1 });
    expect(service.properties).toMatchObject({ virtualNetworkType: "External" });
    expect(JSON.stringify(service.properties)).toContain("/subnets/gateway");
  });

  test("customDomain binds a certificate that renews itself, and is the server's URL", async () => {
    const resources = await infra.snapshot("custom-domain");
    expect(added(resources, standard)).toEqual(["Microsoft.Web/certificates", "Microsoft.Web/sites/hostNameBindings"]);
    const bindings = ofType(resources, "Microsoft.Web/sites/hostNameBindings").map(({ properties }) =>
      String(properties?.["sslState"]),
    );
    expect(bindings.sort()).toEqual(["Disabled", "SniEnabled"]);
    expect(only(resources, "Microsoft.Web/certificates").properties).toMatchObject({
      canonicalName: "mcp.contoso.com",
    });
    expect(settingsOf(resources)["MCP_SERVER_URL"]).toBe("https://mcp.contoso.com/mcp");
    expect(settingsOf(resources)["WEBSITE_AUTH_PRM_DEFAULT_WITH_SCOPES"]).toBe(
      "https://mcp.contoso.com/mcp/user_impersonation",
    );
  });

  test("publicLandingPage opens / to everybody, and changes nothing else", async () => {
    const resources = await infra.snapshot("public-landing-page");
    expect(resources.map(keyOf).sort()).toEqual(standard.map(keyOf).sort());
    const authentication = only(resources, "Microsoft.Web/sites/config", "authsettingsV2").properties ?? {};
    const before = only(standard, "Microsoft.Web/sites/config", "authsettingsV2").properties ?? {};
    expect(authentication["globalValidation"]).toEqual({
      ...(before["globalValidation"] as object),
      excludedPaths: ["/", "/healthz", "/readyz"],
    });
    expect({ ...authentication, globalValidation: undefined }).toEqual({ ...before, globalValidation: undefined });
    expect(settingsOf(resources)).toEqual(settingsOf(standard));
  });

  test("broker makes the server sign people in, without App Service Authentication and its metadata", async () => {
    const resources = await infra.snapshot("broker");
    expect(added(resources, standard)).toEqual([]);
    expect(only(resources, "Microsoft.Web/sites/config", "authsettingsV2").properties).toMatchObject({
      platform: { enabled: false },
      // Should somebody switch it on, it is closed.
      globalValidation: { requireAuthentication: true, unauthenticatedClientAction: "Return401" },
    });
    const [before, after] = [settingsOf(standard), settingsOf(resources)];
    expect(Object.keys(after).filter((name) => !(name in before))).toEqual(["AUTH_MODE", "ENTRA_CLIENT_ID"]);
    expect(
      Object.keys(before)
        .filter((name) => !(name in after))
        .sort(),
    ).toEqual([
      "ALLOWED_CLIENT_IDS",
      "OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID",
      "WEBSITE_AUTH_AAD_ALLOWED_TENANTS",
      "WEBSITE_AUTH_PRM_DEFAULT_WITH_SCOPES",
    ]);
    expect(after["AUTH_MODE"]).toBe("broker");
    expect(after["ENTRA_CLIENT_ID"]).toContain(".appId");
  });

  test("broker calls clients back and reads their documents where the options say", async () => {
    const settings = settingsOf(await infra.snapshot("broker-clients"));
    expect(settings["ALLOWED_REDIRECTS"]).toBe("https://vscode.dev,https://mcp.contoso.com");
    expect(settings["TRUSTED_CLIENT_HOSTS"]).toBe("clients.contoso.internal");
  });

  test("broker on several instances keeps its sign-ins in Redis, and works in the slot under the slot's URL", async () => {
    const resources = await infra.snapshot("broker-scale-out");
    const ofSlot = settingsOf(resources, "Microsoft.Web/sites/slots/config");
    expect(ofSlot["MCP_SERVER_URL"]).toContain("/slots/staging");
    for (const settings of [settingsOf(resources), ofSlot]) {
      expect(settings).toMatchObject({ AUTH_MODE: "broker", INSTANCE_COUNT: "3" });
      expect(settings["REDIS_URL"]).toMatch(/rediss:\/\//);
      expect(Object.keys(settings).filter((name) => name.startsWith("WEBSITE_AUTH_"))).toEqual([]);
    }
    expect(only(resources, "Microsoft.Web/sites/slots/config", "authsettingsV2").properties).toMatchObject({
      platform: { enabled: false },
    });
  });

  test("alerts, off, leaves them and the workbook out", async () => {
    const resources = await infra.snapshot("alerts-off");
    expect(added(resources, standard)).toEqual([]);
    expect(added(standard, resources)).toEqual([
      "Microsoft.Insights/actionGroups",
      "Microsoft.Insights/scheduledQueryRules",
      "Microsoft.Insights/workbooks",
    ]);
  });

  test("sentinel is switched on in the workspace", async () => {
    const resources = await infra.snapshot("sentinel");
    expect(added(resources, standard)).toEqual(["Microsoft.SecurityInsights/onboardingStates"]);
    expect(only(resources, "Microsoft.SecurityInsights/onboardingStates").id).toContain(
      "/providers/Microsoft.OperationalInsights/workspaces/log-",
    );
  });

  test("keyVaultCreateMode takes back the vault, and changes nothing else", async () => {
    const resources = await infra.snapshot("after-teardown");
    expect(only(resources, "Microsoft.KeyVault/vaults").properties).toMatchObject({ createMode: "recover" });
    expect(resources.map(keyOf).sort()).toEqual(standard.map(keyOf).sort());
  });

  test("cloudName decides authority, Graph, audience and private names", async () => {
    const resources = await infra.snapshot("us-government");
    expect(settingsOf(resources)).toMatchObject({
      AZURE_AUTHORITY_HOST: "https://login.microsoftonline.us",
      GRAPH_ENDPOINT: "https://graph.microsoft.us",
      TOKEN_EXCHANGE_AUDIENCE: "api://AzureADTokenExchangeUSGov",
    });
    const zones = ofType(resources, "Microsoft.Network/privateDnsZones").map(({ name }) => name);
    expect(zones).toContain("privatelink.azurewebsites.us");
  });
});
