import type { IncomingMessage } from "node:http";
import type { ParsedUrlQuery } from "node:querystring";
import {
  type AccountClaims,
  type AdapterFactory,
  errors,
  interactionPolicy,
  type KoaContextWithOIDC,
  Provider,
} from "oidc-provider";
import type { Log } from "../diagnostics.ts";
import type { ClientDocuments } from "./client-documents.ts";
import { settleClient } from "./client-metadata.ts";
import type { Connections } from "./connections.ts";
import type { BrokerKeys } from "./keys.ts";
import { ACCESS_TOKEN_MS, CODE_MS, GRANT_MS, SIGN_IN_MS } from "./lifetimes.ts";
import { messagePage, notNowPage, sendPage } from "./pages.ts";
import { errorIn, explanationOf, narrowMetadata, putCodeLast, sayThatItPasses } from "./provider-answers.ts";
import { COOKIE_NAMES, renameForSignIn } from "./provider-cookies.ts";
import { type RevocationOptions, revokeAccessToken } from "./revocation.ts";
import { grantKeyOf, type Sessions } from "./sessions.ts";

/** What the authorization server is told about this deployment. */
export interface ProviderOptions extends RevocationOptions {
  /** Origin of this server. */
  readonly issuer: string;
  /** The MCP endpoint: audience of every access token. */
  readonly mcpUrl: string;
  /** Short name of the scope. */
  readonly scope: string;
  /** Origins, besides loopback and a client's own, that codes may be sent to. */
  readonly allowedRedirects: readonly string[];
  readonly adapter: AdapterFactory;
  /** Makes what a request consumed good again. */
  readonly undoConsumption: (ctx: object) => Promise<void>;
  readonly sessions: Sessions;
  readonly connections: Connections;
  readonly documents: ClientDocuments;
  /** Whether the sender of a request may have one more metadata document fetched, of a client that nobody is signed in with. */
  readonly mayFetch: (req: IncomingMessage) => Promise<boolean>;
  readonly log: Log;
}

/** Of a parameter of a request that is kept while somebody signs in. */
const MAX_PARAMETER = 2048;

const SIGNING_ALGORITHM = "EdDSA";

/** Paths of the authorization server. */
export const ROUTES = {
  authorization: "/oauth/authorize",
  token: "/oauth/token",
  registration: "/oauth/register",
  revocation: "/oauth/revoke",
  jwks: "/oauth/keys",
} as const;

const COOKIE = { httpOnly: true, secure: true, sameSite: "lax", path: "/", overwrite: true } as const;

/** Claims of an access token beside those of RFC 9068: who the user is in Entra, and the grant that it belongs to. */
interface IdentityClaims {
  readonly oid: string;
  readonly tid: string;
  readonly roles: readonly string[];
  readonly gid: string;
}

/**
 * Makes the OAuth authorization server: public and confidential clients that registered themselves or publish a
 * metadata document, code with PKCE S256 only, tokens for this server only, refresh tokens that work once.
 *
 * Who the user is and whether the client may act for them is decided by the pages that its one interaction leads to; no
 * session of its own ever answers instead.
 */
export function createProvider(keys: BrokerKeys, options: ProviderOptions): Provider {
  const { issuer, mcpUrl, sessions, connections, documents, log } = options;
  // Clients that look for metadata only at the root name the origin, with and without a slash.
  const resources = new Set([mcpUrl, issuer, `${issuer}/`]);
  const scopes = [mcpUrl, issuer].map((resource) => `${resource}/${options.scope}`);

  const provider = new Provider(issuer, {
    adapter: options.adapter,
    jwks: {
      keys: keys.signing.map(({ id, key }) => ({
        ...key.export({ format: "jwk" }),
        kid: id,
        use: "sig",
        alg: SIGNING_ALGORITHM,
      })) as never,
    },
    routes: ROUTES,
    scopes,
    claims: {},
    responseTypes: ["code"],
    clientAuthMethods: ["none", "client_secret_basic", "client_secret_post"],
    clientDefaults: {
      application_type: "native",
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
      id_token_signed_response_alg: SIGNING_ALGORITHM,
    },
    enabledJWA: { idTokenSigningAlgValues: [SIGNING_ALGORITHM] },
    pkce: { required: () => true },
    rotateRefreshToken: true,
    // Its answers depend on what is sent, not on cookies: pages of any origin may be clients.
    clientBasedCORS: () => true,
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed("refresh_token"),
    revokeGrantPolicy: () => true,
    expiresWithSession: () => false,
    ttl: {
      AccessToken: ACCESS_TOKEN_MS / 1000,
      AuthorizationCode: CODE_MS / 1000,
      RefreshToken: GRANT_MS / 1000,
      Grant: GRANT_MS / 1000,
      Interaction: SIGN_IN_MS / 1000,
      Session: SIGN_IN_MS / 1000,
    },
    cookies: {
      keys: [...keys.cookies],
      names: COOKIE_NAMES,
      short: { ...COOKIE, signed: true },
      long: { ...COOKIE, signed: true },
    },
    interactions: { policy: createPolicy(), url: (_ctx, { uid }) => `/oauth/sign-in/${uid}` },
    features: {
      devInteractions: { enabled: false },
      userinfo: { enabled: false },
      dPoP: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      registration: { enabled: true },
      revocation: { enabled: true, allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId },
      clientIdMetadataDocument: {
        enabled: true,
        ack: "draft-02",
        async allowFetch(ctx: KoaContextWithOIDC | undefined, clientId) {
          // Without one it is for a page of a sign-in, which was counted when it began.
          if (ctx === undefined || (await documents.isKept(clientId)) || (await options.mayFetch(ctx.req))) return true;
          // After `invalid_client`, which `false` leads to, clients throw their sign-in away.
          throw new errors.TemporarilyUnavailable();
        },
        async allowClient(ctx: KoaContextWithOIDC | undefined, client) {
          await documents.note(client.metadata(), { signingIn: ctx?.oidc.route === "authorization" });
          return true;
        },
      },
      resourceIndicators: {
        enabled: true,
        defaultResource(_ctx, _client, oneOf) {
          const [resource] = oneOf ?? [];
          if (resource === undefined) throw new errors.InvalidTarget("the resource parameter is required");
          return resource;
        },
        useGrantedResource: () => true,
        getResourceServerInfo(_ctx, resource) {
          if (!resources.has(resource)) throw new errors.InvalidTarget("this server gives tokens for itself only");
          return {
            scope: scopes.join(" "),
            audience: mcpUrl,
            accessTokenFormat: "jwt",
            accessTokenTTL: ACCESS_TOKEN_MS / 1000,
            jwt: { sign: { alg: SIGNING_ALGORITHM } },
          };
        },
      },
    },
    fetch: (input) => documents.fetch(input instanceof Request ? input.url : input),
    fetchResponseBodyLimits: { "client_id metadata document": 16 * 1024 },
    // Called for every request, with a state or without: the place to check all parameters.
    extraParams: { state: async ({ oidc }) => refuseLongParameters(oidc.params) },
    extraClientMetadata: {
      properties: ["redirect_uris"],
      validator: (_ctx, _key, _value, metadata) => settleClient(metadata, options.allowedRedirects),
    },
    loadExistingGrant: async ({ oidc }) => {
      const grantId = oidc.result?.consent?.grantId;
      return grantId === undefined ? undefined : oidc.provider.Grant.find(grantId);
    },
    async findAccount(_ctx, accountId, token) {
      const grantId = (token as { grantId?: string } | undefined)?.grantId;
      const clientId = (token as { clientId?: string } | undefined)?.clientId;
      const alive =
        grantId === undefined ||
        clientId === undefined ||
        (await sessions.read(grantKeyOf(grantId, accountId, clientId))) !== undefined;
      return alive ? { accountId, claims: async (): Promise<AccountClaims> => ({ sub: accountId }) } : undefined;
    },
    async extraTokenClaims(ctx, token) {
      const { oidc } = ctx;
      if (!("accountId" in token) || token.grantId === undefined || token.clientId === undefined) return undefined;
      const key = grantKeyOf(token.grantId, token.accountId, token.clientId);
      const tokens = await sessions.read(key);
      const code = oidc.entities.AuthorizationCode;
      const kept = code === undefined || (await sessions.keep(key.grantId));
      if (!tokens || !kept) throw new errors.InvalidGrant("the sign-in has ended");
      if (code) {
        const client = { clientId: key.clientId, redirectUri: code.redirectUri ?? "" };
        const tooMany = await connections.noteRedeemed(key, client, key.grantId);
        const requestId = ctx.response.get("x-request-id");
        await Promise.all(tooMany.map((old) => options.endGrant(old, { reason: "too_many", requestId })));
      }
      const claims: IdentityClaims = { oid: key.userId, tid: key.tenantId, roles: tokens.roles, gid: key.grantId };
      return { ...claims };
    },
    async renderError(ctx, { error }) {
      // The description may repeat what the request said.
      ctx.respond = false;
      if (error === "server_error" || error === "temporarily_unavailable") return sendPage(ctx.res, notNowPage());
      sendPage(ctx.res, messagePage("This sign-in cannot go on", `${explanationOf(error)} (${error})`, ctx.status));
    },
  });

  // Whether a request came over TLS is known to the proxy in front; the cookies are for https and localhost only.
  Object.defineProperty(provider.request, "secure", { get: () => true });
  provider.use(async (ctx, next) => {
    if (ctx.path === ROUTES.authorization) ctx.query = settleRequest(ctx.query, `${mcpUrl}/${options.scope}`);
    await next();
    // The client is told to try again, with what it has.
    if (errorIn(ctx as KoaContextWithOIDC) === "server_error")
      await options.undoConsumption(ctx).catch(() => undefined);
    await revokeAccessToken(ctx as KoaContextWithOIDC, options);
    const signIn = (ctx as KoaContextWithOIDC).oidc?.entities.Interaction;
    if (signIn) renameForSignIn(ctx.req, ctx.res, signIn.uid);
    sayThatItPasses(ctx as KoaContextWithOIDC);
    narrowMetadata(ctx as KoaContextWithOIDC, scopes);
    putCodeLast(ctx as KoaContextWithOIDC);
  });
  provider.on("server_error", (_ctx, { name }) => log.error("The authorization server failed", { error: name }));
  // Without it Koa would write what failed to standard error, with what the request said.
  provider.silent = true;
  return provider;
}

function createPolicy() {
  const { Check, Prompt } = interactionPolicy;
  const signIn = new Check("entra", "every sign-in goes to Entra", ({ oidc }) =>
    oidc.result?.login === undefined ? Check.REQUEST_PROMPT : Check.NO_NEED_TO_PROMPT,
  );
  const approval = new Check("approval", "every client needs the person's approval", ({ oidc }) =>
    oidc.result?.consent === undefined ? Check.REQUEST_PROMPT : Check.NO_NEED_TO_PROMPT,
  );
  return [
    new Prompt({ name: "login", requestable: true }, signIn),
    new Prompt({ name: "consent", requestable: true }, approval),
    new Prompt({ name: "select_account", requestable: true }),
  ] as never;
}

/**
 * Answers in the address only, because a form that sends itself would need a script in our origin; a client that names no
 * scope asks for the only one there is.
 */
function settleRequest({ response_mode: _mode, ...query }: ParsedUrlQuery, scope: string): ParsedUrlQuery {
  return { ...query, scope: query["scope"] || scope };
}

/** Throws `invalid_request`: whoever begins sign-ins would fill the store with them. */
function refuseLongParameters(parameters: Readonly<Record<string, unknown>> | undefined): void {
  for (const [name, value] of Object.entries(parameters ?? {})) {
    if (String(value).length > MAX_PARAMETER) {
      throw new errors.InvalidRequest(`${name} must not be longer than ${MAX_PARAMETER} characters`);
    }
  }
}
