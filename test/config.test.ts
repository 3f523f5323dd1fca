import { describe, expect, test } from "vitest";
import { ConfigError, loadConfig } from "../src/config.ts";
import { startServerProcess } from "./support/server-process.ts";

const CATALOGUE = {
  toolsets: ["profile", "people", "teams"],
  defaultToolsets: ["profile", "people"],
  optionalPermissions: ["User.Read.All", "Mail.Send"],
};

const TENANT = "5b7e1e6c-4a52-4f0e-9d0a-6a3c1f6f2d11";
const OTHER_TENANT = "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d";
const SERVER = "c4f2c6a1-8d5b-4e0e-a6f7-2f6f5f1f9b10";
const IDENTITY = "2f8e4d6a-1b3c-4d5e-8f90-a1b2c3d4e5f6";
const CLIENT = "aebc6443-996d-45c2-90f0-388ff96faa56";

/** The least that a server without a platform in front must be told. */
const BEARER = {
  AUTH_MODE: "bearer",
  MCP_SERVER_URL: "https://mcp.contoso.com/mcp",
  AZURE_TENANT_ID: TENANT,
  ENTRA_CLIENT_ID: SERVER,
  AZURE_CLIENT_ID: IDENTITY,
  ALLOWED_CLIENT_IDS: CLIENT,
};

/** The least that a server on App Service must be told, with what App Service tells by itself. */
const APP_SERVICE = {
  AZURE_TENANT_ID: TENANT,
  AZURE_CLIENT_ID: IDENTITY,
  ALLOWED_CLIENT_IDS: CLIENT,
  WEBSITE_HOSTNAME: "contoso-mcp.azurewebsites.net",
  WEBSITE_AUTH_ENABLED: "True",
  WEBSITE_AUTH_CLIENT_ID: SERVER,
  WEBSITE_AUTH_OPENID_ISSUER: `https://login.microsoftonline.com/${TENANT}/v2.0`,
};

const load = (environment: NodeJS.ProcessEnv) => loadConfig(environment, CATALOGUE);

/** The lines of the error that `environment` gives. */
function problemsOf(environment: NodeJS.ProcessEnv): string[] {
  try {
    load(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split("\n");
    throw error;
  }
  return [];
}

const PLATFORM_PROBLEM =
  "  - WEBSITE_AUTH_ENABLED is not True: App Service Authentication is not on, and AUTH_MODE=easy-auth relies on it. " +
  "Turn it on, or set AUTH_MODE=bearer to let this server check tokens alone.";

describe("configuration that is wrong", () => {
  test("an empty environment is answered with everything that is missing, at once, with an example each", () => {
    expect(problemsOf({})).toEqual([
      "The configuration is not complete:",
      "  - MCP_SERVER_URL is not set. Example: MCP_SERVER_URL=https://contoso-mcp.azurewebsites.net/mcp",
      "  - AZURE_TENANT_ID is not set. Example: AZURE_TENANT_ID=5b7e1e6c-4a52-4f0e-9d0a-6a3c1f6f2d11",
      "  - ENTRA_CLIENT_ID is not set. Example: ENTRA_CLIENT_ID=c4f2c6a1-8d5b-4e0e-a6f7-2f6f5f1f9b10",
      "  - AZURE_CLIENT_ID is not set. Example: AZURE_CLIENT_ID=2f8e4d6a-1b3c-4d5e-8f90-a1b2c3d4e5f6",
      "  - ALLOWED_CLIENT_IDS is not set. Example: ALLOWED_CLIENT_IDS=aebc6443-996d-45c2-90f0-388ff96faa56",
      PLATFORM_PROBLEM,
    ]);
  });

  test("variables of blanks count as missing", () => {
    expect(problemsOf({ ...BEARER, AZURE_TENANT_ID: "  ", MCP_SERVER_URL: "" })).toEqual([
      "The configuration is not complete:",
      "  - MCP_SERVER_URL is not set. Example: MCP_SERVER_URL=https://contoso-mcp.azurewebsites.net/mcp",
      "  - AZURE_TENANT_ID is not set. Example: AZURE_TENANT_ID=5b7e1e6c-4a52-4f0e-9d0a-6a3c1f6f2d11",
    ]);
  });

  test.each([
    ["AUTH_MODE", "basic", 'Invalid option: expected one of "easy-auth"|"bearer"'],
    ["MCP_SERVER_URL", "fabrikam", "must be an https URL (http on localhost only)"],
    ["MCP_SERVER_URL", "https://user:word@mcp.contoso.com/mcp", "must be an https URL (http on localhost only)"],
    ["MCP_SERVER_URL", "https://mcp.contoso.com/mcp#here", "must be an https URL (http on localhost only)"],
    ["AZURE_TENANT_ID", "contoso", "must be a GUID"],
    ["ENTRA_CLIENT_ID", "contoso", "must be a GUID"],
    ["AZURE_CLIENT_ID", "contoso", "must be a GUID"],
    ["ALLOWED_CLIENT_IDS", `${CLIENT},contoso`, "must be GUIDs, separated by commas"],
    ["ALLOWED_CLIENT_IDS", " , ", "must not be empty"],
    ["ALLOWED_TENANTS", "*", "must be GUIDs, separated by commas"],
    ["REQUIRED_SCOPE", "https://mcp.contoso.com/mcp/user_impersonation", "must be the short name of a scope"],
    ["ALLOWED_HOSTS", "https://api.contoso.com", "must be host names without scheme and port"],
    ["ALLOWED_ORIGINS", "https://inspector.contoso.com", "must be host names without scheme and port"],
    ["TOOLSETS", "profile,calendar", "must be among: profile, people"],
    ["EXTRA_PERMISSIONS", "Directory.ReadWrite.All", "must be among: User.Read.All, Mail.Send"],
    ["ALLOW_WRITES", "perhaps", "must be true or false"],
    ["STATE_SECRET_NAME", "state/signing", "must be the name of a secret"],
    ["KEY_VAULT_URL", "http://contoso-mcp.vault.azure.net", "must be an https URL (http on localhost only)"],
    ["REDIS_URL", "redis://contoso.redis.azure.net", "must be a rediss:// URL"],
    ["REDIS_URL", "rediss://someone@contoso.redis.azure.net", "must be a rediss:// URL"],
    ["REDIS_URL", "rediss://:word@contoso.redis.azure.net", "must be a rediss:// URL without user and password"],
    ["REDIS_URL", "rediss://somebody@contoso.redis.azure.net", "must be a rediss:// URL without user and password"],
    ["REDIS_REQUIRED", "1", "must be true or false"],
    ["INSTANCE_COUNT", "many", "must be a whole number, at least 1"],
    ["INSTANCE_COUNT", "0", "must be a whole number, at least 1"],
    ["APPLICATIONINSIGHTS_CONNECTION_STRING", "c4f2c6a1", "must name InstrumentationKey and IngestionEndpoint"],
    ["TRACES_PER_SECOND", "many", "must be a number from 0.1 to 1000"],
    ["LIVE_METRICS", "perhaps", "must be true or false"],
    ["CALLS_PER_MINUTE", "unlimited", "must be a whole number from 1 to 10000000"],
    ["CONCURRENT_CALLS", "-5", "must be a whole number from 1 to 10000"],
    ["REQUESTS_PER_MINUTE", "1.5", "must be a whole number from 1 to 10000000"],
    ["REGISTRATIONS_PER_MINUTE", "-3", "must be a whole number from 1 to 1000000"],
    ["RATE_LIMITS_ON_FAILURE", "perhaps", 'Invalid option: expected one of "open"|"closed"'],
    ["TOKEN_EXCHANGE_AUDIENCE", "https://contoso.com", "must start with api://"],
    ["GRAPH_ENDPOINT", "ftp://graph.microsoft.com", "must be an https URL (http on localhost only)"],
    ["DOWNLOAD_HOSTS", "https://contoso.sharepoint.com", "must be host names without scheme and port"],
    ["TOOL_TIMEOUT_SECONDS", "230", "must be a number from 1 to 200"],
    ["DRAIN_TIMEOUT_SECONDS", "soon", "must be a number from 0 to 60"],
    ["PORT", "65536", "must be a port from 0 to 65535"],
    ["LOG_LEVEL", "loud", 'Invalid option: expected one of "debug"|"info"|"warn"|"error"|"silent"'],
  ])("%s=%s is refused in one line that names it and does not repeat the value", (name, value, what) => {
    const lines = problemsOf({ ...BEARER, [name]: value });

    expect(lines).toHaveLength(2);
    expect(lines[1]).toContain(`  - ${name} ${what}`);
    expect(lines[1]).toContain(`. Example: ${name}=`);
    expect(lines[1]).not.toContain(value);
  });

  test.each([
    ["https://mcp.contoso.com/mcp", true],
    ["http://localhost:3000/mcp", true],
    ["http://127.0.0.1:3000/mcp", true],
    ["http://[::1]:3000/mcp", true],
    ["http://mcp.contoso.com/mcp", false],
    ["http://localhost.contoso.com/mcp", false],
    ["http://127.0.0.1.contoso.com/mcp", false],
  ])("MCP_SERVER_URL=%s is accepted: %s", (MCP_SERVER_URL, accepted) => {
    expect(problemsOf({ ...BEARER, MCP_SERVER_URL }).length === 0).toBe(accepted);
  });
});

describe("configuration without proof of App Service Authentication", () => {
  const platformOf = (enabled: unknown) => JSON.stringify({ platform: { enabled } });

  test.each<[string, NodeJS.ProcessEnv]>([
    ["without WEBSITE_AUTH_ENABLED", {}],
    ["with WEBSITE_AUTH_ENABLED=False", { WEBSITE_AUTH_ENABLED: "False" }],
    ["with WEBSITE_AUTH_ENABLED=1", { WEBSITE_AUTH_ENABLED: "1" }],
    [
      "with WEBSITE_AUTH_ENABLED=False beside an enabled file",
      { WEBSITE_AUTH_ENABLED: "False", WEBSITE_AUTH_V2_CONFIG_JSON: platformOf(true) },
    ],
    ["with a file that says no", { WEBSITE_AUTH_V2_CONFIG_JSON: platformOf(false) }],
    ['with a file that says "true" as text', { WEBSITE_AUTH_V2_CONFIG_JSON: platformOf("true") }],
    ["with a file without platform", { WEBSITE_AUTH_V2_CONFIG_JSON: "{}" }],
    ["with a file that is null", { WEBSITE_AUTH_V2_CONFIG_JSON: "null" }],
    ["with a file of broken JSON", { WEBSITE_AUTH_V2_CONFIG_JSON: '{"platform":{"enabled":true}' }],
  ])("easy-auth %s is refused", (_situation, environment) => {
    const { WEBSITE_AUTH_ENABLED: _, ...rest } = APP_SERVICE;

    expect(problemsOf({ ...rest, ...environment })).toEqual(["The configuration is not complete:", PLATFORM_PROBLEM]);
  });

  test.each<[string, NodeJS.ProcessEnv]>([
    ["with WEBSITE_AUTH_ENABLED=True", { WEBSITE_AUTH_ENABLED: "True" }],
    ["with WEBSITE_AUTH_ENABLED=true", { WEBSITE_AUTH_ENABLED: "true" }],
    ["with an enabled file", { WEBSITE_AUTH_V2_CONFIG_JSON: platformOf(true) }],
  ])("easy-auth %s is accepted", (_situation, environment) => {
    const { WEBSITE_AUTH_ENABLED: _, ...rest } = APP_SERVICE;

    expect(load({ ...rest, ...environment }).authMode).toBe("easy-auth");
  });

  test("bearer needs none", () => {
    expect(load(BEARER).authMode).toBe("bearer");
  });
});

describe("configuration that is complete", () => {
  test("the least settings get every default", () => {
    expect(load(BEARER)).toEqual({
      authMode: "bearer",
      mcpUrl: "https://mcp.contoso.com/mcp",
      listen: { host: "0.0.0.0", port: 8080 },
      allowedHosts: ["mcp.contoso.com"],
      allowedOrigins: ["mcp.contoso.com"],
      tokens: {
        issuer: `https://login.microsoftonline.com/${TENANT}/v2.0`,
        tenantId: TENANT,
        allowedTenants: [TENANT],
        audience: SERVER,
        allowedClients: [CLIENT],
        requiredScope: "user_impersonation",
      },
      identity: {
        authorityHost: "https://login.microsoftonline.com",
        instanceDiscovery: true,
        managedIdentityClientId: IDENTITY,
        exchangeAudience: "api://AzureADTokenExchange",
      },
      graphEndpoint: "https://graph.microsoft.com",
      downloadHosts: ["sharepoint.com", "1drv.com", "sharepoint.us", "sharepoint.cn"],
      toolsets: ["profile", "people"],
      extraPermissions: [],
      access: { allowWrites: false, writeRole: "Mcp.Write" },
      keyVault: undefined,
      redis: undefined,
      safety: { datamark: false, shield: undefined },
      telemetry: undefined,
      limits: {
        callsPerMinute: 600,
        callsPerMinutePerClient: 60_000,
        concurrentCalls: 32,
        requestsPerMinute: 2_400,
        openRequests: 128,
        failOpen: true,
      },
      instanceCount: 1,
      toolTimeoutMs: 30_000,
      drainTimeoutMs: 20_000,
      logLevel: "info",
    });
  });

  test("every setting that is given is taken, with lists split and numbers converted", () => {
    expect(
      load({
        ...BEARER,
        ALLOWED_CLIENT_IDS: ` ${CLIENT} , ${IDENTITY},`,
        ALLOWED_TENANTS: OTHER_TENANT,
        REQUIRED_SCOPE: "mcp.use",
        ALLOWED_HOSTS: "api.contoso.com",
        ALLOWED_ORIGINS: "inspector.contoso.com,localhost",
        TOOLSETS: "people",
        EXTRA_PERMISSIONS: "User.Read.All",
        ALLOW_WRITES: "TRUE",
        WRITE_ROLE: "Writer",
        KEY_VAULT_URL: "https://contoso-mcp.vault.azure.net",
        STATE_SECRET_NAME: "cursors",
        REDIS_URL: "rediss://contoso-mcp.westeurope.redis.azure.net:10000",
        REDIS_REQUIRED: "false",
        CONTENT_SAFETY_ENDPOINT: "https://contoso-mcp.cognitiveservices.azure.com",
        PROMPT_SHIELDS: "annotate",
        PROMPT_SHIELDS_ON_FAILURE: "closed",
        PROMPT_SHIELDS_ARGUMENTS: "true",
        DATAMARKING: "true",
        APPLICATIONINSIGHTS_CONNECTION_STRING:
          "InstrumentationKey=00000000-0000-0000-0000-000000000000;IngestionEndpoint=https://contoso.in.applicationinsights.azure.com/",
        TRACES_PER_SECOND: "20",
        LIVE_METRICS: "true",
        CALLS_PER_MINUTE: "60",
        CALLS_PER_MINUTE_PER_CLIENT: "700",
        CONCURRENT_CALLS: "4",
        REQUESTS_PER_MINUTE: "240",
        OPEN_REQUESTS: "16",
        RATE_LIMITS_ON_FAILURE: "closed",
        INSTANCE_COUNT: "3",
        AZURE_AUTHORITY_HOST: "https://login.microsoftonline.us/",
        TOKEN_EXCHANGE_AUDIENCE: "api://AzureADTokenExchangeUSGov",
        GRAPH_ENDPOINT: "https://graph.microsoft.us/v1.0",
        DOWNLOAD_HOSTS: "contoso.sharepoint.us",
        TOOL_TIMEOUT_SECONDS: "1.5",
        DRAIN_TIMEOUT_SECONDS: "0",
        HOST: "127.0.0.1",
        PORT: "0",
        LOG_LEVEL: "silent",
      }),
    ).toEqual({
      authMode: "bearer",
      mcpUrl: "https://mcp.contoso.com/mcp",
      listen: { host: "127.0.0.1", port: 0 },
      allowedHosts: ["mcp.contoso.com", "api.contoso.com"],
      allowedOrigins: ["mcp.contoso.com", "inspector.contoso.com", "localhost"],
      tokens: {
        issuer: `https://login.microsoftonline.us/${TENANT}/v2.0`,
        tenantId: TENANT,
        allowedTenants: [OTHER_TENANT],
        audience: SERVER,
        allowedClients: [CLIENT, IDENTITY],
        requiredScope: "mcp.use",
      },
      identity: {
        authorityHost: "https://login.microsoftonline.us",
        instanceDiscovery: true,
        managedIdentityClientId: IDENTITY,
        exchangeAudience: "api://AzureADTokenExchangeUSGov",
      },
      graphEndpoint: "https://graph.microsoft.us",
      downloadHosts: ["contoso.sharepoint.us"],
      toolsets: ["people"],
      extraPermissions: ["User.Read.All"],
      access: { allowWrites: true, writeRole: "Writer" },
      keyVault: {
        url: "https://contoso-mcp.vault.azure.net",
        secretName: "cursors",
        verifyChallengeResource: true,
      },
      redis: {
        url: "rediss://contoso-mcp.westeurope.redis.azure.net:10000",
        required: false,
        authenticate: true,
      },
      safety: {
        datamark: true,
        shield: {
          endpoint: "https://contoso-mcp.cognitiveservices.azure.com",
          policy: "annotate",
          onFailure: "closed",
          checksArguments: true,
        },
      },
      telemetry: {
        connectionString:
          "InstrumentationKey=00000000-0000-0000-0000-000000000000;IngestionEndpoint=https://contoso.in.applicationinsights.azure.com/",
        tracesPerSecond: 20,
        liveMetrics: true,
        environment: {
          APPLICATION_INSIGHTS_NO_STATSBEAT: "1",
          APPLICATIONINSIGHTS_STATSBEAT_DISABLED: "true",
          OTEL_NODE_RESOURCE_DETECTORS: "none",
          OTEL_SERVICE_NAME: "azure-graph-mcp",
        },
      },
      limits: {
        callsPerMinute: 60,
        callsPerMinutePerClient: 700,
        concurrentCalls: 4,
        requestsPerMinute: 240,
        openRequests: 16,
        failOpen: false,
      },
      instanceCount: 3,
      toolTimeoutMs: 1500,
      drainTimeoutMs: 0,
      logLevel: "silent",
    });
  });

  test("App Service's own variables stand in for settings that are absent", () => {
    const { mcpUrl, tokens } = load({ ...APP_SERVICE, WEBSITE_AUTH_AAD_ALLOWED_TENANTS: `${TENANT},${OTHER_TENANT}` });

    expect(mcpUrl).toBe("https://contoso-mcp.azurewebsites.net/mcp");
    expect(tokens).toEqual({
      issuer: `https://login.microsoftonline.com/${TENANT}/v2.0`,
      tenantId: TENANT,
      allowedTenants: [TENANT, OTHER_TENANT],
      audience: SERVER,
      allowedClients: [CLIENT],
      requiredScope: "user_impersonation",
    });
  });

  test("a setting wins over App Service's own variable", () => {
    const { mcpUrl, tokens } = load({
      ...APP_SERVICE,
      MCP_SERVER_URL: "https://mcp.contoso.com/mcp",
      ENTRA_CLIENT_ID: CLIENT,
      ENTRA_ISSUER: `https://login.microsoftonline.us/${TENANT}/v2.0`,
      ALLOWED_TENANTS: TENANT,
      WEBSITE_AUTH_AAD_ALLOWED_TENANTS: OTHER_TENANT,
    });

    expect(mcpUrl).toBe("https://mcp.contoso.com/mcp");
    expect(tokens.audience).toBe(CLIENT);
    expect(tokens.issuer).toBe(`https://login.microsoftonline.us/${TENANT}/v2.0`);
    expect(tokens.allowedTenants).toEqual([TENANT]);
  });

  test("stand-ins on this machine switch off the checks that only Microsoft's hosts can pass", () => {
    const { identity, keyVault, redis } = load({
      ...BEARER,
      REDIS_URL: "redis://localhost:6379",
      AZURE_AUTHORITY_HOST: "https://localhost:3001",
      KEY_VAULT_URL: "https://localhost:3004",
    });

    expect(identity.instanceDiscovery).toBe(false);
    expect(keyVault?.verifyChallengeResource).toBe(false);
    expect(redis).toEqual({ url: "redis://localhost:6379", required: true, authenticate: false });
  });

  test("the result cannot be changed, at any depth", () => {
    const config = load({ ...BEARER, KEY_VAULT_URL: "https://contoso-mcp.vault.azure.net" });

    for (const part of [config, config.listen, config.tokens, config.tokens.allowedClients, config.keyVault]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });
});

describe("the broker", () => {
  const { ALLOWED_CLIENT_IDS: _none, ...rest } = BEARER;
  const BROKER = { ...rest, AUTH_MODE: "broker" };

  test("needs no client ids: to Entra there is only this server", () => {
    expect(load(BROKER)).toMatchObject({
      authMode: "broker",
      tokens: { allowedClients: [SERVER] },
      broker: {
        allowedRedirects: expect.arrayContaining(["https://vscode.dev"]) as string[],
        trustedClientHosts: [],
        clientSecret: undefined,
        registrationsPerMinute: 60,
      },
    });
    expect(load(BEARER).broker).toBeUndefined();
  });

  test.each([
    ["ALLOWED_REDIRECTS", "https://vscode.dev/redirect"],
    ["ALLOWED_REDIRECTS", "http://vscode.dev"],
    ["ALLOWED_REDIRECTS", "javascript://vscode.dev"],
    ["TRUSTED_CLIENT_HOSTS", "https://clients.contoso.internal"],
    ["ENTRA_CLIENT_SECRET", "@Microsoft.KeyVault(VaultName=contoso;SecretName=secret)"],
  ])("refuses %s=%s", (name, value) => {
    const [, problem] = problemsOf({ ...BROKER, [name]: value });
    expect(problem).toContain(name);
  });
});

describe("server process", () => {
  test("a wrong configuration ends it with exit code 1 and the whole list on standard error", async () => {
    const server = await startServerProcess({ ...BEARER, AZURE_TENANT_ID: "hunter2", PORT: "http" });

    expect(await server.exit).toBe(1);
    expect(server.log).toEqual([]);
    expect(server.output()).toBe(
      [
        "The configuration is not complete:",
        "  - AZURE_TENANT_ID must be a GUID. Example: AZURE_TENANT_ID=5b7e1e6c-4a52-4f0e-9d0a-6a3c1f6f2d11",
        "  - PORT must be a port from 0 to 65535. Example: PORT=8080",
        "",
      ].join("\n"),
    );
  });

  test("without proof of App Service Authentication it does not start", async () => {
    const server = await startServerProcess({ ...APP_SERVICE, WEBSITE_AUTH_ENABLED: "False" });

    expect(await server.exit).toBe(1);
    expect(server.output()).toBe(`The configuration is not complete:\n${PLATFORM_PROBLEM}\n`);
  });
});

describe("Prompt Shields", () => {
  const ENDPOINT = { CONTENT_SAFETY_ENDPOINT: "https://contoso-mcp.cognitiveservices.azure.com" };

  test.each<[string, string]>([
    ["block", "closed"],
    ["annotate", "open"],
  ])("with the policy %s are %s when the service does not answer, unless told otherwise", (policy, onFailure) => {
    const other = onFailure === "open" ? "closed" : "open";

    expect(load({ ...BEARER, ...ENDPOINT, PROMPT_SHIELDS: policy }).safety.shield).toMatchObject({ policy, onFailure });
    expect(
      load({ ...BEARER, ...ENDPOINT, PROMPT_SHIELDS: policy, PROMPT_SHIELDS_ON_FAILURE: other }).safety.shield,
    ).toMatchObject({ policy, onFailure: other });
  });

  test("that are off look at no arguments, and say so", () => {
    expect(problemsOf({ ...BEARER, ...ENDPOINT, PROMPT_SHIELDS_ARGUMENTS: "true" })).toEqual([
      "The configuration is not complete:",
      "  - PROMPT_SHIELDS_ARGUMENTS is set, and PROMPT_SHIELDS is off. Example: PROMPT_SHIELDS=annotate",
    ]);
  });

  test("are off with an endpoint alone, and refused without one", () => {
    expect(load({ ...BEARER, ...ENDPOINT }).safety.shield).toBeUndefined();
    expect(problemsOf({ ...BEARER, PROMPT_SHIELDS: "block" })).toEqual([
      "The configuration is not complete:",
      "  - CONTENT_SAFETY_ENDPOINT is not set, and PROMPT_SHIELDS=block needs it. Example: CONTENT_SAFETY_ENDPOINT=https://contoso-mcp.cognitiveservices.azure.com",
    ]);
  });
});
