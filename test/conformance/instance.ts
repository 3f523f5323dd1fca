import { listen } from "../../emulators/kernel/listener.ts";
import { createAccessTokenVerifier } from "../../src/auth/access-token.ts";
import { type Config, loadConfig } from "../../src/config.ts";
import type { Graph } from "../../src/graph/graph.ts";
import { createApp } from "../../src/http/app.ts";
import type { Bus } from "../../src/mcp/bus.ts";
import { createConfirmations } from "../../src/mcp/confirmation.ts";
import { createCursorSealer } from "../../src/mcp/cursor.ts";
import { createGate } from "../../src/mcp/gate.ts";
import type { KeyRing } from "../../src/mcp/key-ring.ts";
import { createServerEventBus } from "../../src/mcp/server-events.ts";
import { createSessions } from "../../src/mcp/sessions.ts";
import { createManagedIdentity } from "../../src/platform/azure-credentials.ts";
import { createInProcessBus } from "../../src/platform/in-process-bus.ts";
import { createInProcessClaims } from "../../src/platform/in-process-claims.ts";
import { createKeyVaultKeyRing } from "../../src/platform/key-vault.ts";
import { createLog } from "../../src/platform/log.ts";
import { createRedisBus } from "../../src/platform/redis-bus.ts";
import { catalogue } from "../../src/tools/index.ts";
import { createFixtureFactory } from "./fixtures/factory.ts";

const OUTSIDE_CALL_MS = 8_000;
const KEY_REFRESH_MS = 10 * 60 * 1000;

const config = loadConfig(process.env, catalogue);
const log = createLog(config.logLevel);

/** Microsoft Graph is not part of the suite. */
const noGraph = new Proxy({} as Graph, {
  get() {
    throw new Error("The fixtures do not call Microsoft Graph.");
  },
});

/** One instance of the server with the fixtures in it, wired as the product is. Tells its parent the port. */
async function main(): Promise<void> {
  const bus = await connectBus(config);
  const keyRing = openKeyRing(config);
  const confirmations = createConfirmations(keyRing, createInProcessClaims());
  const onerror = (error: Error): void => log.error("A change was not announced", { error: error.name });
  const gate = createGate({
    rules: config.access,
    confirmations,
    connectGraph: () => noGraph,
    extractText: async () => "",
    sealCursors: createCursorSealer(keyRing),
    extraPermissions: [],
    timeoutMs: config.toolTimeoutMs,
    audit: log.audit,
    log,
  });
  const app = createApp({
    endpoint: {
      factory: createFixtureFactory({
        rules: config.access,
        gate,
        keyRing,
        events: createServerEventBus(bus, onerror),
        verifyRequestState: confirmations.verify,
      }),
      sessions: createSessions(keyRing),
      bus,
    },
    authenticate: {
      verify: createAccessTokenVerifier(config.tokens, log),
      requiredScope: config.tokens.requiredScope,
      behindEasyAuth: config.authMode === "easy-auth",
      resource: config.mcpUrl,
      resourceMetadataUrl: `${new URL(config.mcpUrl).origin}/.well-known/oauth-protected-resource/mcp`,
      audit: log.audit,
    },
    allowedHosts: config.allowedHosts,
    allowedOrigins: config.allowedOrigins,
    readiness: {},
    log,
  });
  const listener = await listen("an instance of the server", app.express);
  // The parent's end is the end: nobody else would stop this process.
  process.once("disconnect", () => process.exit());
  process.send?.({ port: listener.port });
}

async function connectBus({ redis }: Config): Promise<Bus> {
  if (!redis) return createInProcessBus();
  const { bus, connected } = createRedisBus({ url: redis.url, credential: undefined, timeoutMs: OUTSIDE_CALL_MS, log });
  await connected;
  return bus;
}

function openKeyRing({ keyVault, identity }: Config): KeyRing {
  if (!keyVault) throw new Error("KEY_VAULT_URL is not set.");
  return createKeyVaultKeyRing({
    ...keyVault,
    credential: createManagedIdentity(identity),
    timeoutMs: OUTSIDE_CALL_MS,
    refreshAfterMs: KEY_REFRESH_MS,
    log,
  });
}

await main();
