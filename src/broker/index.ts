import { type RequestHandler, Router } from "express";
import type { Provider } from "oidc-provider";
import { AuthError, cannotBeChecked } from "../auth/auth-error.ts";
import type { Caller, Principal } from "../auth/principal.ts";
import { rememberVerified } from "../auth/verified-tokens.ts";
import type { Audit, Log } from "../diagnostics.ts";
import type { AcquireGraphToken } from "../graph/graph.ts";
import type { KeyRing } from "../mcp/key-ring.ts";
import { createBrokerTokenVerifier, grantIdOf } from "./access-token.ts";
import { createAdapterFactory } from "./adapter.ts";
import { createClientDocuments } from "./client-documents.ts";
import { createConnections } from "./connections.ts";
import type { Entra } from "./entra.ts";
import { endByProvider } from "./grant-end.ts";
import { createGraphTokens } from "./graph-tokens.ts";
import { readBrokerKeys } from "./keys.ts";
import { createPageRoutes } from "./page-routes.ts";
import { notNowPage, type OfferedTool, sendPage } from "./pages.ts";
import { createProvider, ROUTES } from "./provider.ts";
import { TRY_AGAIN } from "./provider-answers.ts";
import { hideSession } from "./provider-cookies.ts";
import { createSessions, grantKeyOf } from "./sessions.ts";
import { createStepUp } from "./step-up.ts";
import type { BrokerStore } from "./store.ts";
import { limitStrangers, type StrangerLimits } from "./stranger-limits.ts";
import { createVault } from "./vault.ts";

/** What the broker is made of. */
export interface BrokerOptions {
  readonly mcpUrl: string;
  /** Short name of the scope. */
  readonly scope: string;
  readonly allowedRedirects: readonly string[];
  readonly store: BrokerStore;
  readonly keyRing: KeyRing;
  readonly entra: Entra;
  readonly fetchDocument: (url: URL | string) => Promise<Response>;
  readonly strangers: StrangerLimits;
  readonly offeredTools: (principal: Principal) => readonly OfferedTool[];
  /** Graph permissions of all tools that a caller may use, sorted. */
  readonly allPermissions: (principal: Principal) => readonly string[];
  readonly adminConsent: (tenantId: string) => string;
  readonly timeoutMs: number;
  readonly audit: Audit;
  readonly log: Log;
}

/** An authorization server in front of Entra, and the two things that the rest of the server needs of it. */
export interface Broker {
  /** Metadata, endpoints and pages. */
  readonly router: RequestHandler;
  /** Checks a token of ours, and that its grant was not ended. Throws `AuthError`. */
  readonly verify: (token: string) => Promise<Caller>;
  readonly acquireToken: AcquireGraphToken;
}

/** Wires `oidc-provider` to Entra, the pages and the store. */
export function createBroker(options: BrokerOptions): Broker {
  const { mcpUrl, keyRing, entra, log } = options;
  const issuer = new URL(mcpUrl).origin;
  const vault = createVault(options.store, keyRing);
  const sessions = createSessions(vault);
  const documents = createClientDocuments({ ...options, vault });
  const { adapter, endGrant, undoConsumption } = createAdapterFactory(vault, {
    endSession: (grantId) => sessions.end(grantId),
    onEnded(grantId, grant, end = endByProvider()) {
      const { tenantId, userId, clientId } = grantKeyOf(grantId, grant.accountId ?? "", grant.clientId ?? "");
      options.audit({ event: "grant", decision: "ended", ...end, tenantId, userId, clientId });
    },
  });

  const verifyToken = rememberVerified(
    createBrokerTokenVerifier({ issuer, mcpUrl, requiredScope: options.scope }, keyRing),
  );

  const { registration, signIn, trip, mayFetch } = limitStrangers(options.strangers);
  const connections = createConnections(vault);
  let current: { readonly generation: string; readonly provider: Provider } | undefined;
  /** A new one after every rotation: its keys are fixed, and everything else is in the store. */
  async function provider(): Promise<Provider> {
    const keys = await readBrokerKeys(keyRing);
    if (current?.generation !== keys.generation) {
      current = {
        generation: keys.generation,
        provider: createProvider(keys, {
          ...options,
          issuer,
          adapter,
          sessions,
          connections,
          documents,
          mayFetch,
          verifyToken,
          endGrant,
          undoConsumption,
        }),
      };
    }
    return current.provider;
  }

  const authorizationServer: RequestHandler = async (req, res) => {
    hideSession(req);
    const server = await provider().catch(() => undefined);
    if (server) {
      await server.callback()(req, res);
      return;
    }
    if (req.path.startsWith(ROUTES.authorization)) sendPage(res, notNowPage());
    else res.status(TRY_AGAIN.status).set("retry-after", TRY_AGAIN.retryAfter).json(TRY_AGAIN.body);
  };

  // What `oidc-provider` would take for the same path (other case, a slash at the end) would pass by what is settled for it.
  const router = Router({ caseSensitive: true, strict: true });
  router.post(ROUTES.registration, registration).all(ROUTES.authorization, signIn);
  router.all(
    [
      "/.well-known/oauth-authorization-server",
      "/.well-known/openid-configuration",
      ...Object.values(ROUTES),
      `${ROUTES.authorization}/:uid`,
    ],
    authorizationServer,
  );
  router.use(createPageRoutes({ ...options, provider, vault, sessions, connections, endGrant, limitTrips: trip }));

  return {
    router,
    async verify(token) {
      const caller = await verifyToken(token);
      const { userId, tenantId, clientId } = caller.principal;
      const alive = await sessions.isAlive(grantIdOf(caller)).catch((cause: unknown) => {
        throw cannotBeChecked(cause);
      });
      if (alive) return caller;
      throw new AuthError("invalid_token", "This sign-in has ended.", { userId, tenantId, clientId });
    },
    acquireToken: createGraphTokens({
      ...options,
      entra,
      sessions,
      vault,
      endGrant: (grantId) => endGrant(grantId, { reason: "refresh_failed" }),
      createStepUp: (key, claims) => createStepUp(vault, issuer, key, claims),
      log,
    }),
  };
}
