import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { createAccessTokenVerifier } from "./auth/access-token.ts";
import { createOnBehalfOf } from "./auth/on-behalf-of.ts";
import { rememberVerified } from "./auth/verified-tokens.ts";
import type { Config } from "./config.ts";
import type { Audit, Log } from "./diagnostics.ts";
import { createApp } from "./http/app.ts";
import type { ReadinessCheck } from "./http/health.ts";
import { createNodeServer } from "./http/node-server.ts";
import type { Bus } from "./mcp/bus.ts";
import { type CountOne, createCallLimits } from "./mcp/call-limits.ts";
import type { ClaimOnce } from "./mcp/claim-once.ts";
import { createProcessKeyRing } from "./mcp/key-ring.ts";
import { createTalkative } from "./mcp/server.ts";
import { createSessions } from "./mcp/sessions.ts";
import { createManagedIdentity, createOnBehalfOfCredential } from "./platform/azure-credentials.ts";
import type { AzureMonitor } from "./platform/azure-monitor.ts";
import { countInProcess } from "./platform/counters.ts";
import { createGraphTransport } from "./platform/graph-transport.ts";
import { createInProcessBus } from "./platform/in-process-bus.ts";
import { createInProcessClaims } from "./platform/in-process-claims.ts";
import { createKeyVaultKeyRing } from "./platform/key-vault.ts";
import type { ServerLog } from "./platform/log.ts";
import { createPromptShield, type PromptShield } from "./safety/prompt-shield.ts";
import { createProtect } from "./safety/protect.ts";
import { createArgumentCheck } from "./safety/shield-arguments.ts";
import { StartError } from "./start-error.ts";
import { createToolServer, permissionsOf, toolsOf } from "./tool-server.ts";

/** A server that listens. */
export interface RunningServer {
  readonly port: number;
  /** Refuses new calls, lets running ones finish for the configured time, then closes everything. */
  stop(): Promise<void>;
}

/** Time limit of one call to Entra, the managed identity endpoint or Key Vault, and of silence from Graph. */
const OUTSIDE_CALL_MS = 8_000;
/** Longest time that Prompt Shields may add to a call; they answer within a few tenths of a second. */
const SHIELD_MS = 3_000;
/** Longest time that a call waits for Redis to count it. */
const COUNT_MS = 1_000;
const KEY_REFRESH_MS = 10 * 60 * 1000;

/** Builds every adapter from the configuration, wires them together and listens. Rejects when the port is taken, or with {@link StartError}. */
export async function startServer(config: Config, log: ServerLog): Promise<RunningServer> {
  const permissions = permissionsOf(config);
  const managedIdentity = createManagedIdentity(config.identity);
  const graphTransport = createGraphTransport(OUTSIDE_CALL_MS);
  const telemetry = await startTelemetry(config, managedIdentity, log);
  const audit: Audit = telemetry
    ? (event) => {
        log.audit(event);
        telemetry.audit(event);
      }
    : log.audit;
  const {
    bus,
    claimOnce,
    counterOf,
    close: disconnect,
    readiness,
  } = await connectInstances(config, managedIdentity, log);

  const onBehalfOf = createOnBehalfOf({
    clientId: config.tokens.audience,
    managedIdentity,
    createCredential: (exchange) => createOnBehalfOfCredential(config.identity, exchange),
    exchangeAudience: config.identity.exchangeAudience,
    graphResource: config.graphEndpoint,
    allPermissions: ({ roles }) => (roles.includes(config.access.writeRole) ? permissions.all : permissions.read),
    links: signInLinks(config),
    timeoutMs: OUTSIDE_CALL_MS,
    log,
  });
  const keyRing = config.keyVault
    ? createKeyVaultKeyRing({
        ...config.keyVault,
        credential: managedIdentity,
        timeoutMs: OUTSIDE_CALL_MS,
        refreshAfterMs: KEY_REFRESH_MS,
        log,
      })
    : createProcessKeyRing();
  if (!config.keyVault && config.instanceCount > 1) {
    log.warn("Without KEY_VAULT_URL sessions, approvals and cursors work only on the instance that made them", {
      instances: config.instanceCount,
    });
  }

  // Loaded only where it is used: it brings an authorization server.
  const broker = config.broker
    ? await (await import("./broker-server.ts")).openBroker({
        config,
        settings: config.broker,
        managedIdentity,
        keyRing,
        adminConsent: signInLinks(config).adminConsent,
        timeoutMs: OUTSIDE_CALL_MS,
        log: { ...log, audit },
      })
    : undefined;

  const shield = await createShield(config.safety, managedIdentity);
  const { origin, pathname } = new URL(config.mcpUrl);
  const app = createApp({
    endpoint: {
      factory: createToolServer({
        config,
        acquireToken: broker?.acquireToken ?? onBehalfOf,
        send: graphTransport.send,
        keyRing,
        claimOnce,
        // What was claimed in this process no other one knows, nor this one after a restart.
        approvalKeys: config.redis ? keyRing : createProcessKeyRing(),
        protect: createProtect({ datamark: config.safety.datamark, shield }),
        checkArguments: shield && config.safety.shield?.checksArguments ? createArgumentCheck(shield) : undefined,
        writeScopes: writeScopesOf(config),
        limits: createCallLimits({
          perUser: counterOf("user", config.limits.callsPerMinute),
          perClient: counterOf("client", config.limits.callsPerMinutePerClient),
          concurrent: config.limits.concurrentCalls,
        }),
        telemetry,
        log: { ...log, audit },
      }),
      talkative: createTalkative(toolsOf(config)),
      sessions: createSessions(keyRing),
      bus,
    },
    authenticate: {
      verify: broker?.verify ?? rememberVerified(createAccessTokenVerifier(config.tokens, log)),
      requiredScope: config.tokens.requiredScope,
      behindEasyAuth: config.authMode === "easy-auth",
      resource: config.mcpUrl,
      resourceMetadataUrl: `${origin}/.well-known/oauth-protected-resource${pathname}`,
      audit,
    },
    protectedResource:
      config.authMode === "easy-auth"
        ? undefined
        : { mcpUrl: config.mcpUrl, issuer: broker ? origin : config.tokens.issuer, scope: config.tokens.requiredScope },
    broker: broker?.router,
    landing: {
      mcpUrl: config.mcpUrl,
      authMode: config.authMode,
      issuer: config.tokens.issuer,
      allowedClients: config.tokens.allowedClients,
      toolsets: config.toolsets.map((name) => ({ name, tools: toolsOf({ toolsets: [name] }) })),
      rules: config.access,
      adminConsentUrl: signInLinks(config).adminConsent(config.tokens.tenantId),
    },
    allowedHosts: config.allowedHosts,
    allowedOrigins: config.allowedOrigins,
    flood: { perUser: countInProcess(config.limits.requestsPerMinute), open: config.limits.openRequests },
    readiness: {
      keys: { required: true, check: keyRing },
      audit: { required: false, check: log.checkAudit },
      ...readiness,
    },
    counters: {
      auditEventsLost: log.auditLost,
      ...(telemetry && { telemetryFailures: telemetry.failures }),
    },
    log,
  });

  const server = createNodeServer(app.express);
  await listen(server, config.listen);
  // Read early, so that a vault that can't be read is in the log before the first call needs it.
  void keyRing().catch(() => undefined);
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      app.drain();
      await close(server, config.drainTimeoutMs);
      await app.close();
      await disconnect();
      await broker?.close();
      await graphTransport.close();
      await telemetry?.close();
    },
  };
}

/** Telemetry where the operator wants it; nothing of it is loaded elsewhere. */
async function startTelemetry(
  { telemetry }: Config,
  credential: ReturnType<typeof createManagedIdentity>,
  log: Log,
): Promise<AzureMonitor | undefined> {
  if (!telemetry) return undefined;
  const { startAzureMonitor } = await import("./platform/azure-monitor.ts");
  try {
    return startAzureMonitor({ ...telemetry, credential });
  } catch (error) {
    log.error("Telemetry could not be started; the server works without it", { error: (error as Error).name });
    return undefined;
  }
}

/** Prompt Shields as the operator wants them; undefined where they are off. */
async function createShield(
  { shield }: Config["safety"],
  credential: ReturnType<typeof createManagedIdentity>,
): Promise<PromptShield | undefined> {
  if (!shield) return undefined;
  const { createContentSafety } = await import("./platform/content-safety.ts");
  const { endpoint, policy, onFailure } = shield;
  return createPromptShield(createContentSafety({ endpoint, credential }), { policy, onFailure, timeoutMs: SHIELD_MS });
}

/** What instances share. */
interface Shared {
  readonly bus: Bus;
  readonly claimOnce: ClaimOnce;
  /** Counts `perMinute` under each name of a kind. */
  readonly counterOf: (kind: string, perMinute: number) => CountOne;
  readonly readiness: Readonly<Record<string, ReadinessCheck>>;
  readonly close: () => Promise<void>;
}

/** Connects what instances share, and says whether it works as a readiness check; rejects when a required Redis is not there. */
async function connectInstances(
  { redis, limits }: Config,
  managedIdentity: ReturnType<typeof createManagedIdentity>,
  log: Log,
): Promise<Shared> {
  if (!redis) {
    const bus = createInProcessBus();
    const counterOf = (_kind: string, perMinute: number) => countInProcess(perMinute);
    return { bus, claimOnce: createInProcessClaims(), counterOf, readiness: {}, close: () => bus.close() };
  }
  // Loaded only where it is used: it costs a tenth of a second at start.
  const { createRedisBus } = await import("./platform/redis-bus.ts");
  const { countInRedis } = await import("./platform/redis-counters.ts");
  const options = { url: redis.url, credential: redis.authenticate ? managedIdentity : undefined, log };
  const { bus, claimOnce, connected } = createRedisBus({ ...options, timeoutMs: OUTSIDE_CALL_MS });
  const counters = countInRedis({ ...options, timeoutMs: COUNT_MS, failOpen: limits.failOpen });
  const close = async () => {
    counters.close();
    await bus.close();
  };
  try {
    await connected;
  } catch (cause) {
    if (redis.required) {
      await close();
      throw new StartError(
        "Redis cannot be reached, or does not let this server in. Check REDIS_URL and the managed identity's access, or set REDIS_REQUIRED=false to serve alone until it can.",
        { cause },
      );
    }
    log.warn("Redis cannot be reached; this instance serves alone until it can");
  }
  const readiness = { redis: { required: redis.required, check: () => bus.check() } };
  return { bus, claimOnce, counterOf: counters.count, readiness, close };
}

/** Signing in to App Service asks for this server's Graph permissions; the administrator's page grants them for all. */
function signInLinks({ authMode, mcpUrl, tokens }: Config) {
  return {
    signIn:
      authMode === "easy-auth" ? `${new URL(mcpUrl).origin}/.auth/login/aad?post_login_redirect_uri=%2F` : undefined,
    adminConsent: (tenantId: string) =>
      `${new URL(tokens.issuer).origin}/${tenantId}/adminconsent?client_id=${tokens.audience}`,
  };
}

/** Scopes of a call that changes data, as Entra wants them asked for: all at once, and in full. */
function writeScopesOf({ mcpUrl, tokens, access }: Config): [string, ...string[]] | undefined {
  if (access.writeScope === undefined) return undefined;
  return [`${mcpUrl}/${tokens.requiredScope}`, `${mcpUrl}/${access.writeScope}`];
}

function listen(server: Server, { host, port }: Config["listen"]): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
}

/** Stops listening, waits for running requests at most `graceMs`, then cuts what is left. */
async function close(server: Server, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  server.closeIdleConnections();
  await Promise.race([closed, sleep(graceMs, undefined, { ref: false })]);
  server.closeAllConnections();
  await closed;
}
