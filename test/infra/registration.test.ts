import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { uniqueNames } from "../../infra/hooks/registrations.ts";
import { catalogue, toolsets } from "../../src/tools/index.ts";
import { describeWithBicep, type Infra, ofType, only, type Resource } from "../support/bicep.ts";

const VS_CODE = "aebc6443-996d-45c2-90f0-388ff96faa56";
const AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";
const NAME = "azure-graph-mcp-contoso-11111111-1111-1111-1111-111111111111";

interface Application {
  readonly uniqueName: string;
  readonly signInAudience?: string;
  readonly isFallbackPublicClient?: boolean;
  readonly identifierUris?: readonly string[];
  readonly publicClient?: { readonly redirectUris: readonly string[] };
  readonly web?: { readonly redirectUris: readonly string[]; readonly implicitGrantSettings: unknown };
  readonly api?: {
    readonly requestedAccessTokenVersion: number;
    readonly oauth2PermissionScopes: readonly { readonly id: string; readonly value: string; readonly type: string }[];
    readonly preAuthorizedApplications: readonly {
      readonly appId: string;
      readonly delegatedPermissionIds: string[];
    }[];
  };
  readonly appRoles?: readonly { readonly value: string; readonly allowedMemberTypes: readonly string[] }[];
  readonly requiredResourceAccess?: readonly {
    readonly resourceAppId: string;
    readonly resourceAccess: readonly { readonly id: string; readonly type: string }[];
  }[];
}

const applications = (resources: readonly Resource[]) =>
  ofType(resources, "Microsoft.Graph/applications").map(({ properties }) => properties as unknown as Application);

/** The server's registration as its first and as its second step declare it. */
function stepsOf(resources: readonly Resource[]): readonly [Application, Application] {
  const steps = applications(resources).filter(({ uniqueName }) => uniqueName === NAME);
  const first = steps.find(({ api }) => api !== undefined);
  const second = steps.find(({ api }) => api === undefined);
  if (!first || !second || steps.length !== 2) throw new Error(`There are ${steps.length} steps.`);
  return [first, second];
}

async function permissionNames(resources: readonly Resource[]): Promise<readonly string[]> {
  const file = join(import.meta.dirname, "../../infra/graph-permissions.json");
  const { permissions } = JSON.parse(await readFile(file, "utf8")) as { permissions: { id: string; name: string }[] };
  const [access] = stepsOf(resources)[0].requiredResourceAccess ?? [];
  expect(access?.resourceAppId).toBe("00000003-0000-0000-c000-000000000000");
  expect(access?.resourceAccess.every(({ type }) => type === "Scope")).toBe(true);
  return (access?.resourceAccess ?? []).map(({ id }) => permissions.find((one) => one.id === id)?.name ?? id).sort();
}

describeWithBicep("the registration", (copyInfra) => {
  let infra: Infra;
  let resources: readonly Resource[];
  let writes: readonly Resource[];

  beforeAll(async () => {
    infra = await copyInfra();
    [resources, writes] = await Promise.all([infra.snapshot("default"), infra.snapshot("writes")]);
  });
  afterAll(async () => infra?.close());

  test("gets version 2 tokens in the first step and identifier URIs in the second, each block in one step only", () => {
    const [first, second] = stepsOf(resources);
    expect(first.api?.requestedAccessTokenVersion).toBe(2);
    expect(first).not.toHaveProperty("identifierUris");
    expect(first).not.toHaveProperty("web");
    expect(Object.keys(second).sort()).toEqual(["displayName", "identifierUris", "uniqueName", "web"]);
  });

  test("has its app id, its host and its MCP endpoint as identifier URIs, and Easy Auth's redirect URI", () => {
    const [, second] = stepsOf(resources);
    const uris = JSON.stringify(second.identifierUris);
    expect(uris).toContain("api://{0}");
    expect(uris).toContain("https://{0}'");
    expect(uris).toContain("https://{0}/mcp");
    expect(uris).toContain(".defaultHostName");
    expect(JSON.stringify(second.web)).toContain("/.auth/login/aad/callback");
    expect(second.web?.implicitGrantSettings).toEqual({
      enableIdTokenIssuance: true,
      enableAccessTokenIssuance: false,
    });
  });

  test("of a broker has the broker's redirect URI instead, gets no id tokens by the address, and consents to sign-ins", async () => {
    const broker = await infra.snapshot("broker");
    const [first, second] = stepsOf(broker);
    expect(second.web?.redirectUris).toHaveLength(1);
    expect(second.web?.redirectUris[0]).toContain("https://{0}/oauth/entra/callback");
    expect(second.web?.implicitGrantSettings).toEqual({
      enableIdTokenIssuance: false,
      enableAccessTokenIssuance: false,
    });
    const [, slot] = stepsOf(await infra.snapshot("broker-scale-out"));
    expect(slot.web?.redirectUris[1]).toMatch(/oauth\/entra\/callback.*\/slots\/staging/);
    const ids = first.requiredResourceAccess?.[0]?.resourceAccess.map(({ id }) => id);
    const before = stepsOf(resources)[0].requiredResourceAccess?.[0]?.resourceAccess.map(({ id }) => id) ?? [];
    expect(ids?.filter((id) => !before.includes(id)).sort()).toEqual([
      "14dad69e-099b-42c9-810b-d002981feec1",
      "37f7f235-527c-4136-accd-4a02d197296e",
      "7427e0e9-2fba-42fe-b0c0-848c9e6a8182",
    ]);
    const { scope } = only(broker, "Microsoft.Graph/oauth2PermissionGrants").properties as { scope: string };
    expect(scope.split(" ")).toEqual(expect.arrayContaining(["openid", "profile", "offline_access", "Mail.Read"]));
  });

  test("has the identifier URIs of every name that clients may use", async () => {
    const hosts = {
      "custom-domain": "mcp.contoso.com",
      "api-management": ".gatewayUrl",
      "staging-slot": "/slots/staging",
    };
    for (const [name, host] of Object.entries(hosts)) {
      const [, { identifierUris, web }] = stepsOf(await infra.snapshot(name));
      expect(JSON.stringify(identifierUris)).toContain(host);
      expect(JSON.stringify(web)).toContain(host);
    }
  });

  test("is for one tenant, with one scope, and knows the same clients as App Service Authentication", () => {
    const [first] = stepsOf(resources);
    const [scope] = first.api?.oauth2PermissionScopes ?? [];
    expect(first.signInAudience).toBe("AzureADMyOrg");
    expect(first.api?.oauth2PermissionScopes).toHaveLength(1);
    expect(scope).toMatchObject({ value: "user_impersonation", type: "User" });
    const known = first.api?.preAuthorizedApplications ?? [];
    expect(known.every(({ delegatedPermissionIds: [id] }) => id === scope?.id)).toBe(true);
    const ids = known.map(({ appId }) => appId);
    expect(ids).toHaveLength(3);
    expect(ids).toEqual(expect.arrayContaining([VS_CODE, AZURE_CLI, expect.stringContaining("client")]));
    const auth = only(resources, "Microsoft.Web/sites/config", "authsettingsV2").properties;
    const { allowedApplications } = (
      auth as {
        identityProviders: {
          azureActiveDirectory: { validation: { defaultAuthorizationPolicy: { allowedApplications: string[] } } };
        };
      }
    ).identityProviders.azureActiveDirectory.validation.defaultAuthorizationPolicy;
    expect(allowedApplications.slice(1)).toEqual(ids);
    expect(allowedApplications[0]).toContain("appId");
  });

  test("trusts the managed identity and holds no secret", () => {
    const credential = only(resources, "Microsoft.Graph/applications/federatedIdentityCredentials").properties;
    expect(credential).toMatchObject({
      audiences: ["api://AzureADTokenExchange"],
      issuer: "https://login.microsoftonline.com/22222222-2222-2222-2222-222222222222/v2.0",
    });
    expect(credential?.["subject"]).toContain(".principalId");
    expect(JSON.stringify(resources)).not.toMatch(/passwordCredentials|keyCredentials/);
  });

  test("leaves the redirect URIs of clients to a public client of its own", () => {
    const client = applications(resources).find(({ uniqueName }) => uniqueName === `${NAME}-client`);
    expect(client?.isFallbackPublicClient).toBe(true);
    expect(client?.publicClient?.redirectUris).toEqual(
      expect.arrayContaining(["http://127.0.0.1", "http://localhost/callback", "https://vscode.dev/redirect"]),
    );
    expect(stepsOf(resources)[0]).not.toHaveProperty("publicClient");
    const more = applications(writes).find(({ uniqueName }) => uniqueName === `${NAME}-client`);
    expect(more?.publicClient?.redirectUris).toContain("https://claude.ai/api/mcp/auth_callback");
  });

  test("asks for what the default toolsets read, and no more (A7)", async () => {
    const used = catalogue.defaultToolsets.flatMap((name) =>
      (toolsets[name] ?? []).flatMap((tool) => (tool.effect === "read" ? tool.permissions : [])),
    );
    expect(await permissionNames(resources)).toEqual([...new Set(used)].sort());
  });

  test("asks for more where writes, toolsets and extra permissions are chosen", async () => {
    expect(await permissionNames(writes)).toEqual([
      "Mail.Read",
      "Mail.ReadWrite",
      "Mail.Send",
      "MailboxSettings.Read",
      "People.Read",
      "User.Read",
      "User.Read.All",
      "User.ReadBasic.All",
    ]);
  });

  test("gives the role for writes to those who are named, and consents for all only when told to", () => {
    const [first] = stepsOf(resources);
    expect(first.appRoles?.map(({ value }) => value)).toEqual(["Mcp.Read", "Mcp.Write"]);
    expect(ofType(resources, "Microsoft.Graph/appRoleAssignedTo")).toEqual([]);
    expect(ofType(resources, "Microsoft.Graph/oauth2PermissionGrants")).toEqual([]);
    expect(only(writes, "Microsoft.Graph/appRoleAssignedTo").properties).toMatchObject({
      principalId: "33333333-3333-3333-3333-333333333333",
    });
    expect(only(writes, "Microsoft.Graph/oauth2PermissionGrants").properties).toMatchObject({
      consentType: "AllPrincipals",
      scope: expect.stringContaining("Mail.Send") as unknown,
    });
    const required = ofType(writes, "Microsoft.Graph/servicePrincipals").filter(
      ({ properties }) => properties?.["appRoleAssignmentRequired"] === true,
    );
    expect(required).toHaveLength(1);
  });

  test("brought along, is not touched: nothing is made in Entra ID", async () => {
    const own = await infra.snapshot("own-registration");
    expect(own.filter(({ type }) => type.startsWith("Microsoft.Graph/"))).toEqual([]);
    const auth = JSON.stringify(only(own, "Microsoft.Web/sites/config", "authsettingsV2").properties);
    expect(auth).toContain('"clientId":"0c1d2e3f-0000-4000-8000-00000000c1d2"');
    const settings = only(own, "Microsoft.Web/sites/config", "appsettings").properties ?? {};
    expect(String(settings["ALLOWED_CLIENT_IDS"]).split(",").sort()).toEqual(
      [VS_CODE, AZURE_CLI, "7d3a7f0e-9b64-4c1d-8f6e-0c5b1d2e3f40"].sort(),
    );
  });

  test("has the names that the hooks look for", () => {
    const names = uniqueNames({
      environmentName: "contoso",
      resourceGroup: "rg-contoso",
      subscriptionId: "11111111-1111-1111-1111-111111111111",
      tenantId: undefined,
      option: () => "",
    });
    expect([...new Set(applications(resources).map(({ uniqueName }) => uniqueName))].sort()).toEqual([...names].sort());
  });
});
