import { createHash } from "node:crypto";
import { type AuthenticationResult, ConfidentialClientApplication } from "@azure/msal-node";
import { type Entra, ForeignTenantError } from "../broker/entra.ts";
import type { EntraTokens } from "../broker/sessions.ts";
import type { IdentitySettings } from "./azure-credentials.ts";
import { createMsalNetwork } from "./msal-network.ts";
import { withTimeout } from "./timeout.ts";

/** How this server signs people in as a confidential client. */
export interface EntraCodeFlowOptions {
  readonly identity: IdentitySettings;
  readonly clientId: string;
  /** Tenant of the registration, and those whose users may sign in. */
  readonly tenantId: string;
  readonly allowedTenants: readonly string[];
  /** Issuer of version 2.0 tokens of `tenantId`: browsers are sent to the authority that it names. */
  readonly issuer: string;
  readonly redirectUri: string;
  /** Resource that permissions belong to, for example `https://graph.microsoft.com`. */
  readonly graphResource: string;
  /** Asked for at the sign-in, so that the person consents once. */
  readonly permissions: readonly string[];
  /** Those of the first token; with more, a token is asked for when a call needs it. */
  readonly firstPermissions: readonly string[];
  /** The managed identity's token as proof of who this server is, or a secret where there is no managed identity. */
  readonly proof: { readonly getAssertion: () => Promise<string> } | { readonly secret: string };
  readonly timeoutMs: number;
}

/** What an id_token says, as far as it counts here. */
interface IdTokenClaims {
  readonly aud?: string;
  readonly iss?: string;
  readonly nonce?: string;
  readonly oid?: string;
  readonly tid?: string;
  readonly preferred_username?: string;
  readonly roles?: readonly string[];
}

/**
 * Signs people in at Entra by the authorization code flow with PKCE; MSAL talks to the token endpoint.
 *
 * Every sign-in has an MSAL application of its own, and its cache is all that is kept: no token of one user is ever in
 * the memory of another's. The id_token comes from the token endpoint over TLS, which stands for its signature (OpenID
 * Connect Core 1.0, section 3.1.3.7).
 */
export function createEntraCodeFlow(options: EntraCodeFlowOptions): Entra {
  const { identity, clientId, tenantId, allowedTenants, issuer, redirectUri, graphResource, proof, timeoutMs } =
    options;
  const signInTenant = allowedTenants.length === 1 ? (allowedTenants[0] ?? tenantId) : "organizations";
  const authorizeEndpoint = `${new URL(issuer).origin}/${signInTenant}/oauth2/v2.0/authorize`;
  const scopesOf = (permissions: readonly string[]) => permissions.map((name) => `${graphResource}/${name}`);

  /** An application for one token, which is had in time or not at all. */
  function openApplication(tenant: string): ConfidentialClientApplication {
    const signal = AbortSignal.timeout(timeoutMs);
    return new ConfidentialClientApplication({
      auth: {
        clientId,
        authority: `${identity.authorityHost}/${tenant}`,
        knownAuthorities: identity.instanceDiscovery ? [] : [new URL(identity.authorityHost).host],
        // Tells Graph that this server understands claims challenges.
        clientCapabilities: ["cp1"],
        ...("secret" in proof ? { clientSecret: proof.secret } : { clientAssertion: proof.getAssertion }),
      },
      system: { networkClient: createMsalNetwork(() => signal) },
    });
  }

  return {
    tenant: signInTenant,
    authorizeUrl({ state, nonce, verifier, claims }) {
      const url = new URL(authorizeEndpoint);
      url.search = new URLSearchParams({
        client_id: clientId,
        response_type: "code",
        response_mode: "query",
        redirect_uri: redirectUri,
        scope: ["openid", "profile", "offline_access", ...scopesOf(options.permissions)].join(" "),
        state,
        nonce,
        code_challenge: createHash("sha256").update(verifier).digest("base64url"),
        code_challenge_method: "S256",
        claims: withCapability(claims),
      }).toString();
      return url.href;
    },
    async redeem(code, { nonce, verifier }) {
      const application = openApplication(signInTenant);
      const permissions = options.firstPermissions;
      const result = await withTimeout(
        application.acquireTokenByCode({
          code,
          codeVerifier: verifier,
          redirectUri,
          nonce,
          scopes: scopesOf(permissions),
        }),
        timeoutMs,
        "Entra ID",
      ).catch(refused);
      const { aud, iss, nonce: answered, oid, tid, preferred_username } = result.idTokenClaims as IdTokenClaims;
      const isOurs = aud === clientId && answered === nonce && iss === issuer.replace(tenantId, tid ?? "");
      if (oid === undefined || tid === undefined || !isOurs) throw new Error("Entra's answer is for another sign-in.");
      if (!allowedTenants.includes(tid)) throw new ForeignTenantError({ tenantId: tid, userId: oid });
      const account = { tenantId: tid, userId: oid, username: preferred_username ?? "" };
      return { ...toTokens(result, application, permissions), account };
    },
    async refresh({ cache }, { tenantId: homeTenant, permissions, claims }) {
      const application = openApplication(homeTenant);
      const tokenCache = application.getTokenCache();
      tokenCache.deserialize(cache);
      const [known] = await tokenCache.getAllAccounts();
      if (!known) throw new Error("A stored sign-in has no account.", { cause: { errorCode: "no_account_found" } });
      const result = await withTimeout(
        application.acquireTokenSilent({
          account: known,
          scopes: scopesOf(permissions),
          forceRefresh: true,
          ...(claims === undefined ? {} : { claims }),
        }),
        timeoutMs,
        "Entra ID",
      ).catch(refused);
      return toTokens(result, application, permissions);
    },
  };
}

/** The same shape as the Azure SDKs' errors: what MSAL reports is the cause. */
function refused(cause: unknown): never {
  throw new Error("Entra ID gave no token.", { cause });
}

function toTokens(
  { accessToken, expiresOn, idTokenClaims }: AuthenticationResult,
  application: ConfidentialClientApplication,
  permissions: readonly string[],
): EntraTokens {
  const { roles = [] } = idTokenClaims as IdTokenClaims;
  return {
    accessToken,
    expiresAt: expiresOn?.getTime() ?? 0,
    permissions: permissions.join(" "),
    cache: application.getTokenCache().serialize(),
    roles,
  };
}

/** Adds to a challenge that this server understands challenges: MSAL adds the same to its own requests. */
function withCapability(claims: string | undefined): string {
  const asked = (claims === undefined ? {} : JSON.parse(claims)) as { access_token?: Record<string, unknown> };
  return JSON.stringify({ ...asked, access_token: { ...asked.access_token, xms_cc: { values: ["cp1"] } } });
}
