import { afterAll, beforeAll, expect, test } from "vitest";
import { loadConfig, settings } from "../../src/config.ts";
import { catalogue } from "../../src/tools/index.ts";
import { describeWithBicep, type Infra, only, type Resource } from "../support/bicep.ts";

/** Settings that the platform, and not `src/config.ts`, reads. */
const READ_BY_THE_PLATFORM: Readonly<Record<string, string>> = {
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: "Application Insights: the identity that sends",
  APPLICATIONINSIGHTS_CONNECTION_STRING: "Application Insights: where to send",
  NODE_ENV: "Express: no detail in error pages",
  OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID: "App Service Authentication: in place of a client secret",
  SCM_DO_BUILD_DURING_DEPLOYMENT: "App Service: the package is complete",
  WEBSITES_CONTAINER_STOP_TIME_LIMIT: "App Service: time to finish calls",
  WEBSITE_AUTH_AAD_ALLOWED_TENANTS: "App Service Authentication; the default of ALLOWED_TENANTS",
  WEBSITE_AUTH_PRM_DEFAULT_WITH_SCOPES: "App Service Authentication: the challenge and its metadata",
  WEBSITE_RUN_FROM_PACKAGE: "App Service: a read-only package",
};

/** Settings of `src/config.ts` that no deployment sets, and why. */
const LEFT_ALONE: Readonly<Record<string, string>> = {
  ALLOWED_ORIGINS: "no browser client",
  ALLOWED_TENANTS: "WEBSITE_AUTH_AAD_ALLOWED_TENANTS",
  CALLS_PER_MINUTE: "the default",
  CALLS_PER_MINUTE_PER_CLIENT: "the default",
  CONCURRENT_CALLS: "the default",
  DATAMARKING: "the default",
  DOWNLOAD_HOSTS: "the default has every cloud",
  DRAIN_TIMEOUT_SECONDS: "the default; WEBSITES_CONTAINER_STOP_TIME_LIMIT is longer",
  ENTRA_CLIENT_SECRET: "a deployment has none",
  ENTRA_ISSUER: "WEBSITE_AUTH_OPENID_ISSUER, which App Service sets; without it the default is the same",
  HOST: "the default",
  LIVE_METRICS: "the default",
  LOG_LEVEL: "the default",
  OPEN_REQUESTS: "the default",
  PORT: "App Service sets it",
  PROMPT_SHIELDS_ON_FAILURE: "the default follows PROMPT_SHIELDS",
  RATE_LIMITS_ON_FAILURE: "the default",
  REDIS_REQUIRED: "the default",
  REGISTRATIONS_PER_MINUTE: "the default, for an office behind one address",
  REQUESTS_PER_MINUTE: "the default",
  REQUIRED_SCOPE: "the default is the registration's scope",
  STATE_SECRET_NAME: "the default is the vault's secret",
  TOOL_TIMEOUT_SECONDS: "the default",
  TRACES_PER_SECOND: "the default",
  WRITE_ROLE: "the default is the registration's role",
  WRITE_SCOPE: "the default: the role decides alone",
};

const settingsOf = (resources: readonly Resource[]) =>
  only(resources, "Microsoft.Web/sites/config", "appsettings").properties as Record<string, string>;

describeWithBicep("app settings", (copyInfra) => {
  let infra: Infra;
  let deployments: readonly (readonly Resource[])[];

  beforeAll(async () => {
    infra = await copyInfra();
    deployments = await Promise.all(
      ["default", "everything", "writes", "own-registration", "broker-clients"].map(async (name) =>
        infra.snapshot(name),
      ),
    );
  });
  afterAll(async () => infra?.close());

  test("are what src/config.ts or the platform reads, and the other way round", () => {
    const set = new Set(deployments.flatMap((resources) => Object.keys(settingsOf(resources))));
    const read = Object.keys(settings(catalogue));
    expect([...set].filter((name) => !read.includes(name)).sort()).toEqual(
      Object.keys(READ_BY_THE_PLATFORM)
        .filter((name) => !read.includes(name))
        .sort(),
    );
    expect(read.filter((name) => !set.has(name)).sort()).toEqual(Object.keys(LEFT_ALONE).sort());
  });

  test("are strings without a line break, and none is empty", () => {
    const odd = deployments.flatMap((resources) =>
      Object.entries(settingsOf(resources)).filter(([, value]) => !/^[^\r\n]+$/.test(value)),
    );
    expect(odd).toEqual([]);
  });

  test("agree with the defaults that they rely on", () => {
    const shape = settings(catalogue);
    const secret = only(deployments[0] ?? [], "Microsoft.KeyVault/vaults/secrets").name;
    expect(secret?.split("/")[1]).toBe(shape.STATE_SECRET_NAME.parse(undefined));
    expect(JSON.stringify(deployments[0])).toContain(`"value":"${shape.REQUIRED_SCOPE.parse(undefined)}"`);
    expect(JSON.stringify(deployments[0])).toContain(`"value":"${shape.WRITE_ROLE.parse(undefined)}"`);
    const stop = Number(settingsOf(deployments[0] ?? [])["WEBSITES_CONTAINER_STOP_TIME_LIMIT"]);
    expect(stop).toBeGreaterThan(shape.DRAIN_TIMEOUT_SECONDS.parse(undefined));
    expect(settingsOf(deployments[0] ?? [])["TOOLSETS"]?.split(",")).toEqual(catalogue.defaultToolsets);
  });

  test("make a server that starts, once Azure has filled in what only it knows", () => {
    for (const resources of deployments) {
      const config = loadConfig({ ...filledIn(settingsOf(resources)), ...platformOf(resources) }, catalogue);
      expect(config.tokens.allowedTenants).toEqual(["22222222-2222-2222-2222-222222222222"]);
      expect(config.tokens.issuer).toBe("https://login.microsoftonline.com/22222222-2222-2222-2222-222222222222/v2.0");
      expect(config.mcpUrl).toMatch(/^https:\/\/[\w.-]+\/mcp$/);
      expect(config.keyVault?.secretName).toBe("state-signing-key");
    }
  });
});

/** What App Service tells the server by itself. */
function platformOf(resources: readonly Resource[]): Record<string, string> {
  const { platform } = only(resources, "Microsoft.Web/sites/config", "authsettingsV2").properties as {
    platform: { enabled: boolean };
  };
  const authentication = {
    WEBSITE_AUTH_ENABLED: "True",
    WEBSITE_AUTH_CLIENT_ID: "c4f2c6a1-8d5b-4e0e-a6f7-2f6f5f1f9b10",
    WEBSITE_AUTH_OPENID_ISSUER: "https://login.microsoftonline.com/22222222-2222-2222-2222-222222222222/v2.0",
  };
  return {
    ...(platform.enabled ? authentication : { WEBSITE_AUTH_ENABLED: "False" }),
    WEBSITE_HOSTNAME: "app-mcp.azurewebsites.net",
    PORT: "8080",
  };
}

/** Puts plausible values where the template has expressions. */
function filledIn(given: Readonly<Record<string, string>>): Record<string, string> {
  const id = "2f8e4d6a-1b3c-4d5e-8f90-a1b2c3d4e5f6";
  const known: Readonly<Record<string, string>> = {
    ALLOWED_CLIENT_IDS: id,
    ALLOWED_HOSTS: "app-mcp.azurewebsites.net",
    AZURE_CLIENT_ID: id,
    CONTENT_SAFETY_ENDPOINT: "https://cs-contoso.cognitiveservices.azure.com/",
    ENTRA_CLIENT_ID: "c4f2c6a1-8d5b-4e0e-a6f7-2f6f5f1f9b10",
    KEY_VAULT_URL: "https://kv-contoso.vault.azure.net/",
    MCP_SERVER_URL: "https://app-mcp.azurewebsites.net/mcp",
    REDIS_URL: "rediss://redis-contoso.westeurope.redis.azure.net:10000",
    APPLICATIONINSIGHTS_CONNECTION_STRING:
      "InstrumentationKey=00000000-0000-0000-0000-000000000000;IngestionEndpoint=https://westeurope-5.in.applicationinsights.azure.com/",
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: `ClientId=${id};Authorization=AAD`,
    OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID: id,
    WEBSITE_AUTH_PRM_DEFAULT_WITH_SCOPES: "https://app-mcp.azurewebsites.net/mcp/user_impersonation",
  };
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => [name, value.startsWith("[") ? (known[name] ?? value) : value]),
  );
}
