import * as z from "zod";

/** Everything that can be set, checked and frozen; nothing else reads the environment. */
export type Config = ReturnType<typeof toConfig>;

/** What the code offers to be switched on by name. */
export interface Catalogue {
  readonly toolsets: readonly string[];
  /** Those that are served where nothing else is set. */
  readonly defaultToolsets: readonly string[];
  /** Permissions that some tool can use and that nobody has to grant. */
  readonly optionalPermissions: readonly string[];
}

/** Settings that are missing or wrong; the message lists all of them with an example each. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** Reads settings from an environment. Throws {@link ConfigError}. */
export function loadConfig(environment: NodeJS.ProcessEnv, catalogue: Catalogue): Config {
  // App Service and shells can't unset a variable easily: empty means absent.
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value?.trim()));
  const schema = z.object(settings(catalogue));
  const parsed = schema.safeParse(withPlatformDefaults(given));
  const problems = [
    ...(parsed.error?.issues ?? []).map(({ path: [name], message, code }) => {
      const missing = code === "invalid_type" && given[String(name)] === undefined;
      return describeProblem(String(name), missing ? "is not set" : message, schema.shape);
    }),
    ...platformProblems(given),
    ...shieldProblems(given),
  ];
  if (!parsed.success || problems.length > 0) {
    throw new ConfigError(
      `The configuration is not complete:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`,
    );
  }
  return deepFreeze(toConfig(parsed.data));
}

/** The settings with descriptions, defaults and examples: source of `.env.example` and of the README's table. */
export function settings({ toolsets, defaultToolsets, optionalPermissions }: Catalogue) {
  return {
    AUTH_MODE: z.enum(["easy-auth", "bearer", "broker"]).default("easy-auth").meta({
      description:
        "Who challenges clients: `easy-auth`, App Service Authentication in front; `bearer`, this server itself (Container Apps, AKS, anywhere); `broker`, this server as an authorization server in front of Entra, for clients that can't be registered there",
      example: "easy-auth",
    }),
    MCP_SERVER_URL: url()
      .refine((value) => !URL.canParse(value) || new URL(value).pathname === "/mcp", "must end in /mcp")
      .meta({
        description:
          "The MCP endpoint as clients see it; an identifier URI of the app registration. On App Service: its host name and `/mcp`",
        example: "https://contoso-mcp.azurewebsites.net/mcp",
      }),
    AZURE_TENANT_ID: z.guid("must be a GUID").toLowerCase().meta({
      description: "Entra tenant of the app registration",
      example: "5b7e1e6c-4a52-4f0e-9d0a-6a3c1f6f2d11",
    }),
    ENTRA_CLIENT_ID: z.guid("must be a GUID").toLowerCase().meta({
      description: "Application (client) id of this server's registration. On App Service: `WEBSITE_AUTH_CLIENT_ID`",
      example: "c4f2c6a1-8d5b-4e0e-a6f7-2f6f5f1f9b10",
    }),
    AZURE_CLIENT_ID: z.guid("must be a GUID").toLowerCase().meta({
      description: "Client id of the user-assigned managed identity that the registration trusts",
      example: "2f8e4d6a-1b3c-4d5e-8f90-a1b2c3d4e5f6",
    }),
    ALLOWED_CLIENT_IDS: list(z.guid("must be GUIDs, separated by commas").toLowerCase()).meta({
      description: "Client applications whose tokens are accepted",
      example: "aebc6443-996d-45c2-90f0-388ff96faa56",
    }),
    ALLOWED_TENANTS: list(z.guid("must be GUIDs, separated by commas").toLowerCase()).optional().meta({
      description:
        "Tenants whose users may sign in. Default: the registration's own, or `WEBSITE_AUTH_AAD_ALLOWED_TENANTS`",
      example: "5b7e1e6c-4a52-4f0e-9d0a-6a3c1f6f2d11",
    }),
    ALLOWED_REDIRECTS: list(
      z.string().refine(isOrigin, "must be origins such as https://vscode.dev or cursor://anysphere.cursor-mcp"),
    )
      .default([
        "https://vscode.dev",
        "https://insiders.vscode.dev",
        "https://claude.ai",
        "https://claude.com",
        "https://chatgpt.com",
        "cursor://anysphere.cursor-mcp",
      ])
      .meta({
        description:
          "`broker` only: where clients may be called back, besides this computer (loopback) and the host that publishes the client's metadata document",
        example: "https://vscode.dev,https://insiders.vscode.dev",
      }),
    TRUSTED_CLIENT_HOSTS: list(z.string().regex(/^[\w.-]+(?::\d+)?$/, "must be host names, with a port other than 443"))
      .default([])
      .meta({
        description:
          "`broker` only: hosts whose client metadata documents are read although their address is private: an organisation's own",
        example: "clients.contoso.internal",
      }),
    ENTRA_CLIENT_SECRET: z
      .string()
      .refine(
        (value) => !value.startsWith("@Microsoft.KeyVault("),
        "is a Key Vault reference that App Service could not resolve",
      )
      .optional()
      .meta({
        description:
          "`broker` only, second best: a client secret in place of the managed identity's assertion. On App Service as a Key Vault reference, never as a value",
        example: "@Microsoft.KeyVault(VaultName=contoso-mcp;SecretName=client-secret)",
      }),
    REGISTRATIONS_PER_MINUTE: count(1_000_000).default(60).meta({
      description:
        "`broker` only: clients that one address may register per minute on one instance. It may begin ten times as many sign-ins and have as many metadata documents fetched, and all addresses together may do ten times as much of each. Beyond that: HTTP 429, at the token endpoint 503",
      example: "60",
    }),
    REQUIRED_SCOPE: z
      .string()
      .regex(/^[\w.-]+$/, "must be the short name of a scope")
      .default("user_impersonation")
      .meta({
        description: "Delegated scope of this server that every token needs",
        example: "user_impersonation",
      }),
    ALLOWED_HOSTS: list(z.string().regex(/^[\w.[\]:-]+$/, "must be host names without scheme and port"))
      .default([])
      .meta({
        description:
          "Host names beside that of `MCP_SERVER_URL` under which requests may come, for example of a gateway",
        example: "api.contoso.com",
      }),
    ALLOWED_ORIGINS: list(z.string().regex(/^[\w.[\]:-]+$/, "must be host names without scheme and port"))
      .default([])
      .meta({
        description:
          "Host names that a request's `Origin` may name; its own is always allowed. CORS headers are not sent",
        example: "inspector.contoso.com",
      }),
    TOOLSETS: list(z.enum(toolsets as [string, ...string[]], `must be among: ${toolsets.join(", ")}`))
      .default([...defaultToolsets])
      .meta({ description: "Toolsets that are served", example: toolsets.join(",") }),
    EXTRA_PERMISSIONS: list(
      z.enum(optionalPermissions as [string, ...string[]], `must be among: ${optionalPermissions.join(", ")}`),
    )
      .default([])
      .meta({
        description: "Optional Graph permissions that tools may use; most need an administrator's consent",
        example: optionalPermissions.join(","),
      }),
    ALLOW_WRITES: flag().default(false).meta({
      description: "Serve tools that change data, to callers with the app role of `WRITE_ROLE`",
      example: "false",
    }),
    WRITE_ROLE: z.string().default("Mcp.Write").meta({
      description: "App role that a caller needs for tools that change data",
      example: "Mcp.Write",
    }),
    WRITE_SCOPE: z
      .string()
      .regex(/^[\w.-]+$/, "must be the short name of a scope")
      .optional()
      .meta({
        description:
          "Delegated scope of this server that calls of such tools need too; clients are told to ask for it (403 `insufficient_scope`). Default: none",
        example: "Mcp.Write",
      }),
    KEY_VAULT_URL: url().optional().meta({
      description:
        "Key Vault with the secret that seals cursors. Without one the secret is random and ends with the process",
      example: "https://contoso-mcp.vault.azure.net",
    }),
    STATE_SECRET_NAME: z
      .string()
      .regex(/^[\w-]{1,127}$/, "must be the name of a secret")
      .default("state-signing-key")
      .meta({
        description: "Name of that secret; at least 32 bytes. The newest version seals, older enabled ones still open",
        example: "state-signing-key",
      }),
    REDIS_URL: z
      .string()
      .refine(isRedisUrl, "must be a rediss:// URL without user and password (redis:// on localhost only)")
      .optional()
      .meta({
        description:
          "Azure Managed Redis that connects several instances, with the managed identity's access. One instance needs none",
        example: "rediss://contoso-mcp.westeurope.redis.azure.net:10000",
      }),
    REDIS_REQUIRED: flag().default(true).meta({
      description:
        "Whether the server ends when Redis cannot be reached at start; otherwise it serves alone until it can",
      example: "true",
    }),
    INSTANCE_COUNT: z.coerce.number("must be a whole number, at least 1").int().min(1).default(1).meta({
      description:
        "How many instances share the load; more than one need `KEY_VAULT_URL`, and `REDIS_URL` for questions to the user",
      example: "1",
    }),
    CONTENT_SAFETY_ENDPOINT: url().optional().meta({
      description: "Azure AI Content Safety, with the managed identity's access; needed where `PROMPT_SHIELDS` is on",
      example: "https://contoso-mcp.cognitiveservices.azure.com",
    }),
    PROMPT_SHIELDS: z.enum(["off", "annotate", "block"]).default("off").meta({
      description:
        "Whether Prompt Shields look for attacks in what tools return: `annotate` says so in the result, `block` withholds the fields",
      example: "annotate",
    }),
    PROMPT_SHIELDS_ON_FAILURE: z.enum(["open", "closed"]).optional().meta({
      description:
        "What happens when Content Safety does not answer: `open` hands the result over unchecked and says so, `closed` does not hand it over. Default: `closed` with `block`, otherwise `open`",
      example: "closed",
    }),
    PROMPT_SHIELDS_ARGUMENTS: flag().default(false).meta({
      description:
        "Whether they also look at what tools are called with, one more request per call: `block` refuses the call, `annotate` says so in the audit",
      example: "true",
    }),
    DATAMARKING: flag().default(false).meta({
      description: "Mark every blank of long texts from outside with ^, beside the delimiters around them",
      example: "false",
    }),
    APPLICATIONINSIGHTS_CONNECTION_STRING: z
      .string()
      .regex(
        /^InstrumentationKey=[\da-f-]{36};.*\bIngestionEndpoint=https:/i,
        "must name InstrumentationKey and IngestionEndpoint",
      )
      .optional()
      .meta({
        description:
          "Application Insights, with the managed identity's access; without it no telemetry is collected or sent",
        example:
          "InstrumentationKey=00000000-0000-0000-0000-000000000000;IngestionEndpoint=https://westeurope-5.in.applicationinsights.azure.com/",
      }),
    TRACES_PER_SECOND: z.coerce.number("must be a number from 0.1 to 1000").min(0.1).max(1000).default(5).meta({
      description: "Calls that are traced at most; all are counted, and all are in the audit",
      example: "5",
    }),
    LIVE_METRICS: flag().default(false).meta({
      description: "Stream live metrics to Application Insights: a request every few seconds",
      example: "false",
    }),
    CALLS_PER_MINUTE: count(10_000_000).default(600).meta({
      description:
        "Tool calls of one user per minute, a sixth of them within ten seconds; more get the tool error `throttled`, which says when to try again",
      example: "600",
    }),
    CALLS_PER_MINUTE_PER_CLIENT: count(10_000_000).default(60_000).meta({
      description: "The same of one client application, for all its users together",
      example: "60000",
    }),
    CONCURRENT_CALLS: count(10_000).default(32).meta({
      description: "Tool calls of one user that may run at the same time on one instance",
      example: "32",
    }),
    REQUESTS_PER_MINUTE: count(10_000_000).default(2_400).meta({
      description: "Requests of one user per minute on one instance, of any kind; more are a flood and get HTTP 429",
      example: "2400",
    }),
    OPEN_REQUESTS: count(10_000).default(128).meta({
      description: "Requests, streams among them, that one user may have open on one instance; more get HTTP 429",
      example: "128",
    }),
    RATE_LIMITS_ON_FAILURE: z.enum(["open", "closed"]).default("open").meta({
      description:
        "What happens to calls while Redis does not answer: `open` lets each instance count alone, `closed` refuses them",
      example: "open",
    }),
    AZURE_AUTHORITY_HOST: url().default("https://login.microsoftonline.com").meta({
      description: "Entra's authority host; differs in national clouds",
      example: "https://login.microsoftonline.us",
    }),
    ENTRA_ISSUER: url().optional().meta({
      description:
        "Issuer of accepted tokens. Default: `WEBSITE_AUTH_OPENID_ISSUER`, or authority host, tenant and `/v2.0`",
      example: "https://login.microsoftonline.com/5b7e1e6c-4a52-4f0e-9d0a-6a3c1f6f2d11/v2.0",
    }),
    TOKEN_EXCHANGE_AUDIENCE: z
      .string()
      .startsWith("api://", "must start with api://")
      .default("api://AzureADTokenExchange")
      .meta({
        description: "Audience of the federated credential; differs in national clouds",
        example: "api://AzureADTokenExchangeUSGov",
      }),
    GRAPH_ENDPOINT: url().default("https://graph.microsoft.com").meta({
      description: "Microsoft Graph; differs in national clouds",
      example: "https://graph.microsoft.us",
    }),
    DOWNLOAD_HOSTS: list(z.string().regex(/^[\w.-]+$/, "must be host names without scheme and port"))
      .default(["sharepoint.com", "1drv.com", "sharepoint.us", "sharepoint.cn"])
      .meta({
        description: "Hosts, with their subdomains, that Graph may send downloads of file contents to",
        example: "contoso.sharepoint.com,contoso-my.sharepoint.com",
      }),
    TOOL_TIMEOUT_SECONDS: z.coerce.number("must be a number from 1 to 200").min(1).max(200).default(30).meta({
      description: "Longest time that a tool call may take; App Service ends silent requests after 230 seconds",
      example: "30",
    }),
    DRAIN_TIMEOUT_SECONDS: z.coerce.number("must be a number from 0 to 60").min(0).max(60).default(20).meta({
      description: "Time for running calls to finish after SIGTERM",
      example: "20",
    }),
    HOST: z.string().default("0.0.0.0").meta({ description: "Address to listen on", example: "127.0.0.1" }),
    PORT: z.coerce.number("must be a port from 0 to 65535").int().min(0).max(65_535).default(8080).meta({
      description: "Port to listen on",
      example: "8080",
    }),
    LOG_LEVEL: z
      .enum(LOG_LEVELS)
      .default("info")
      .meta({
        description: `Least level that is logged: ${LOG_LEVELS.join(", ")}. The audit is always written`,
        example: "info",
      }),
  };
}

function toConfig(env: z.output<z.ZodObject<ReturnType<typeof settings>>>) {
  const issuer = env.ENTRA_ISSUER
    ? withoutSlash(env.ENTRA_ISSUER)
    : `${withoutSlash(env.AZURE_AUTHORITY_HOST)}/${env.AZURE_TENANT_ID}/v2.0`;
  const mcpUrl = new URL(env.MCP_SERVER_URL);
  return {
    authMode: env.AUTH_MODE,
    mcpUrl: mcpUrl.href,
    listen: { host: env.HOST, port: env.PORT },
    allowedHosts: [mcpUrl.hostname, ...env.ALLOWED_HOSTS],
    allowedOrigins: [mcpUrl.hostname, ...env.ALLOWED_ORIGINS],
    tokens: {
      issuer,
      tenantId: env.AZURE_TENANT_ID,
      allowedTenants: env.ALLOWED_TENANTS ?? [env.AZURE_TENANT_ID],
      audience: env.ENTRA_CLIENT_ID,
      allowedClients: env.ALLOWED_CLIENT_IDS,
      requiredScope: env.REQUIRED_SCOPE,
    },
    identity: {
      authorityHost: withoutSlash(env.AZURE_AUTHORITY_HOST),
      // The SDK would ask login.microsoftonline.com whether it knows this host.
      instanceDiscovery: !isLoopback(env.AZURE_AUTHORITY_HOST),
      managedIdentityClientId: env.AZURE_CLIENT_ID,
      exchangeAudience: env.TOKEN_EXCHANGE_AUDIENCE,
    },
    graphEndpoint: new URL(env.GRAPH_ENDPOINT).origin,
    downloadHosts: env.DOWNLOAD_HOSTS,
    toolsets: env.TOOLSETS,
    extraPermissions: env.EXTRA_PERMISSIONS,
    broker:
      env.AUTH_MODE === "broker"
        ? {
            allowedRedirects: env.ALLOWED_REDIRECTS,
            trustedClientHosts: env.TRUSTED_CLIENT_HOSTS,
            clientSecret: env.ENTRA_CLIENT_SECRET,
            registrationsPerMinute: env.REGISTRATIONS_PER_MINUTE,
          }
        : undefined,
    access: { allowWrites: env.ALLOW_WRITES, writeRole: env.WRITE_ROLE, writeScope: env.WRITE_SCOPE },
    keyVault:
      env.KEY_VAULT_URL === undefined
        ? undefined
        : {
            url: env.KEY_VAULT_URL,
            secretName: env.STATE_SECRET_NAME,
            verifyChallengeResource: !isLoopback(env.KEY_VAULT_URL),
          },
    redis:
      env.REDIS_URL === undefined
        ? undefined
        : {
            url: env.REDIS_URL,
            required: env.REDIS_REQUIRED,
            // A Redis without TLS is one on this machine, which knows no Entra.
            authenticate: env.REDIS_URL.startsWith("rediss:"),
          },
    safety: {
      datamark: env.DATAMARKING,
      shield:
        env.PROMPT_SHIELDS === "off" || env.CONTENT_SAFETY_ENDPOINT === undefined
          ? undefined
          : {
              endpoint: env.CONTENT_SAFETY_ENDPOINT,
              policy: env.PROMPT_SHIELDS,
              onFailure: env.PROMPT_SHIELDS_ON_FAILURE ?? (env.PROMPT_SHIELDS === "block" ? "closed" : "open"),
              checksArguments: env.PROMPT_SHIELDS_ARGUMENTS,
            },
    },
    telemetry:
      env.APPLICATIONINSIGHTS_CONNECTION_STRING === undefined
        ? undefined
        : {
            connectionString: env.APPLICATIONINSIGHTS_CONNECTION_STRING,
            tracesPerSecond: env.TRACES_PER_SECOND,
            liveMetrics: env.LIVE_METRICS,
            // The SDK reads these itself: it would tell Microsoft about itself, and ask the network which machine it is on.
            environment: {
              APPLICATION_INSIGHTS_NO_STATSBEAT: "1",
              APPLICATIONINSIGHTS_STATSBEAT_DISABLED: "true",
              OTEL_NODE_RESOURCE_DETECTORS: "none",
              OTEL_SERVICE_NAME: "azure-graph-mcp",
            },
          },
    limits: {
      callsPerMinute: env.CALLS_PER_MINUTE,
      callsPerMinutePerClient: env.CALLS_PER_MINUTE_PER_CLIENT,
      concurrentCalls: env.CONCURRENT_CALLS,
      requestsPerMinute: env.REQUESTS_PER_MINUTE,
      openRequests: env.OPEN_REQUESTS,
      failOpen: env.RATE_LIMITS_ON_FAILURE === "open",
    },
    instanceCount: env.INSTANCE_COUNT,
    toolTimeoutMs: env.TOOL_TIMEOUT_SECONDS * 1000,
    drainTimeoutMs: env.DRAIN_TIMEOUT_SECONDS * 1000,
    logLevel: env.LOG_LEVEL,
  } as const;
}

/** What App Service tells the app by itself counts where nothing else is set. */
function withPlatformDefaults(given: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return {
    MCP_SERVER_URL: given["WEBSITE_HOSTNAME"] && `https://${given["WEBSITE_HOSTNAME"]}/mcp`,
    ENTRA_CLIENT_ID: given["WEBSITE_AUTH_CLIENT_ID"],
    ENTRA_ISSUER: given["WEBSITE_AUTH_OPENID_ISSUER"],
    ALLOWED_TENANTS: given["WEBSITE_AUTH_AAD_ALLOWED_TENANTS"],
    // Clients of the broker are people's to allow; to Entra there is only one, this server.
    ...(given["AUTH_MODE"] === "broker" ? { ALLOWED_CLIENT_IDS: given["ENTRA_CLIENT_ID"] } : {}),
    ...given,
  };
}

/** Without App Service Authentication in front nobody has checked the tokens: fail closed. */
function platformProblems(given: NodeJS.ProcessEnv): string[] {
  if ((given["AUTH_MODE"] ?? "easy-auth") !== "easy-auth") return [];
  const enabled = given["WEBSITE_AUTH_ENABLED"];
  const proven =
    enabled === undefined ? isEnabledByFile(given["WEBSITE_AUTH_V2_CONFIG_JSON"]) : enabled.toLowerCase() === "true";
  if (proven) return [];
  return [
    "WEBSITE_AUTH_ENABLED is not True: App Service Authentication is not on, and AUTH_MODE=easy-auth relies on it. " +
      "Turn it on, or set AUTH_MODE=bearer to let this server check tokens alone.",
  ];
}

/** A shield that is on and has nowhere to ask would be off. */
function shieldProblems({
  PROMPT_SHIELDS: policy = "off",
  PROMPT_SHIELDS_ARGUMENTS: checksArguments = "false",
  CONTENT_SAFETY_ENDPOINT: endpoint,
}: NodeJS.ProcessEnv) {
  if (policy === "off" && checksArguments !== "false") {
    return ["PROMPT_SHIELDS_ARGUMENTS is set, and PROMPT_SHIELDS is off. Example: PROMPT_SHIELDS=annotate"];
  }
  if (policy === "off" || endpoint !== undefined) return [];
  return [
    `CONTENT_SAFETY_ENDPOINT is not set, and PROMPT_SHIELDS=${policy === "block" ? policy : "annotate"} needs it. Example: ` +
      "CONTENT_SAFETY_ENDPOINT=https://contoso-mcp.cognitiveservices.azure.com",
  ];
}

function isEnabledByFile(json: string | undefined): boolean {
  try {
    const { platform } = JSON.parse(json ?? "{}") as { platform?: { enabled?: unknown } };
    return platform?.enabled === true;
  } catch {
    return false;
  }
}

function describeProblem(name: string, what: string, shape: Record<string, z.ZodType>): string {
  const example = shape[name]?.meta()?.["example"];
  return `${name} ${what}. Example: ${name}=${String(example)}`;
}

function url() {
  return z.string().refine((value) => {
    if (!URL.canParse(value)) return false;
    const { protocol, username, password, hash } = new URL(value);
    return (protocol === "https:" || (protocol === "http:" && isLoopback(value))) && !username && !password && !hash;
  }, "must be an https URL (http on localhost only)");
}

function list<Item extends z.ZodType<string>>(item: Item) {
  return z.preprocess(
    (value) => (typeof value === "string" ? value.split(",").flatMap((part) => part.trim() || []) : value),
    z.array(item).min(1, "must not be empty"),
  );
}

function count(max: number) {
  const what = `must be a whole number from 1 to ${max}`;
  return z.coerce.number(what).int(what).min(1, what).max(max, what);
}

function flag() {
  return z.preprocess(
    (value) => (typeof value === "string" ? ({ true: true, false: false }[value.toLowerCase()] ?? value) : value),
    z.boolean("must be true or false"),
  );
}

function isRedisUrl(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, username, password } = new URL(value);
  return !username && !password && (protocol === "rediss:" || (protocol === "redis:" && isLoopback(value)));
}

function isOrigin(value: string): boolean {
  return /^[a-z][a-z\d+.-]*:\/\/[\w.-]+(?::\d+)?$/.test(value) && !/^(?:http|javascript|data|file):/.test(value);
}

function isLoopback(value: string): boolean {
  return LOOPBACK.has(new URL(value).hostname);
}

function withoutSlash(value: string): string {
  return value.replace(/\/+$/, "");
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null)
    for (const inner of Object.values(Object.freeze(value))) deepFreeze(inner);
  return value;
}
