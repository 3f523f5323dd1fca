import { decideAccess } from "./auth/access-policy.ts";
import { type Broker, createBroker } from "./broker/index.ts";
import type { BrokerStore } from "./broker/store.ts";
import type { StrangerLimit } from "./broker/stranger-limits.ts";
import type { Config } from "./config.ts";
import type { Audit, Log } from "./diagnostics.ts";
import type { KeyRing } from "./mcp/key-ring.ts";
import type { createManagedIdentity } from "./platform/azure-credentials.ts";
import { countInProcess } from "./platform/counters.ts";
import { createEntraCodeFlow } from "./platform/entra-code-flow.ts";
import { createInProcessStore } from "./platform/in-process-store.ts";
import { createPublicFetch } from "./platform/public-fetch.ts";
import { permissionsOf, toolsOf } from "./tool-server.ts";

/** Addresses that may be at their limit at the same time. */
const BUSY_ADDRESSES = 10;
/** A registration lasts, and leads to several sign-ins. */
const SIGN_INS_PER_REGISTRATION = 10;

/** What the broker is built from. */
export interface BrokerServerOptions {
  readonly config: Config;
  readonly settings: NonNullable<Config["broker"]>;
  readonly managedIdentity: ReturnType<typeof createManagedIdentity>;
  readonly keyRing: KeyRing;
  readonly adminConsent: (tenantId: string) => string;
  readonly timeoutMs: number;
  readonly log: Log & { readonly audit: Audit };
}

/** Builds the authorization server in front of Entra with its adapters; its state is in Redis where there is one. */
export async function openBroker(options: BrokerServerOptions): Promise<Broker & { close(): Promise<void> }> {
  const { config, settings, managedIdentity, timeoutMs, log } = options;
  const permissions = permissionsOf(config);
  const store = await openStore(options);
  const { fetchDocument, close: closeFetch } = createPublicFetch({
    timeoutMs,
    trustedHosts: settings.trustedClientHosts,
  });
  const getAssertion = async () => {
    const assertion = await managedIdentity.getToken(`${config.identity.exchangeAudience}/.default`);
    if (!assertion) throw new Error("The managed identity endpoint gave no token.");
    return assertion.token;
  };
  const broker = createBroker({
    ...options,
    mcpUrl: config.mcpUrl,
    scope: config.tokens.requiredScope,
    allowedRedirects: settings.allowedRedirects,
    store,
    entra: createEntraCodeFlow({
      identity: config.identity,
      clientId: config.tokens.audience,
      tenantId: config.tokens.tenantId,
      allowedTenants: config.tokens.allowedTenants,
      issuer: config.tokens.issuer,
      redirectUri: `${new URL(config.mcpUrl).origin}/oauth/entra/callback`,
      graphResource: config.graphEndpoint,
      permissions: permissions.all,
      firstPermissions: permissions.read,
      proof: settings.clientSecret === undefined ? { getAssertion } : { secret: settings.clientSecret },
      timeoutMs,
    }),
    fetchDocument,
    strangers: {
      registrations: limitStranger(settings.registrationsPerMinute),
      signIns: limitStranger(settings.registrationsPerMinute * SIGN_INS_PER_REGISTRATION),
      trips: limitStranger(settings.registrationsPerMinute * SIGN_INS_PER_REGISTRATION),
      documents: limitStranger(settings.registrationsPerMinute * SIGN_INS_PER_REGISTRATION),
    },
    offeredTools: (principal) =>
      toolsOf(config)
        .filter((tool) => decideAccess(tool, principal, config.access).allowed)
        .map(({ title, effect }) => ({ title, changes: effect !== "read" })),
    allPermissions: ({ roles }) => (roles.includes(config.access.writeRole) ? permissions.all : permissions.read),
    audit: log.audit,
  });
  return {
    ...broker,
    async close() {
      await Promise.all([store.close(), closeFetch()]);
    },
  };
}

function limitStranger(perMinute: number): StrangerLimit {
  return { ofAddress: countInProcess(perMinute), ofAll: countInProcess(perMinute * BUSY_ADDRESSES) };
}

async function openStore({ config, managedIdentity, timeoutMs, log }: BrokerServerOptions): Promise<BrokerStore> {
  if (!config.redis) {
    if (config.instanceCount > 1) {
      log.warn("Without REDIS_URL a sign-in counts only on the instance that made it", {
        instances: config.instanceCount,
      });
    }
    return createInProcessStore();
  }
  const { createRedisStore } = await import("./platform/redis-store.ts");
  const { store, connected } = createRedisStore({
    url: config.redis.url,
    credential: config.redis.authenticate ? managedIdentity : undefined,
    timeoutMs,
    log,
  });
  // Whether a server without Redis may start is decided where instances are connected.
  await connected.catch(() => undefined);
  return store;
}
