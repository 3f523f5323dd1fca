import { errors } from "jose";
import { LRUCache } from "lru-cache";
import { MICROSOFT_GRAPH_APP_ID, type Tenant } from "../directory.ts";
import { type AccessTokenClaims, createAccessTokenVerifier } from "../kernel/access-tokens.ts";
import { GraphFailure } from "./failure.ts";

/** Who calls, as far as Graph decides by it. */
export interface Caller {
  /** Object id of the user, or of the service principal in an app-only token. */
  readonly objectId: string;
  /** App id of the client that the token was issued to. */
  readonly clientAppId: string;
  /** False for app-only tokens. */
  readonly delegated: boolean;
  /** Delegated scopes, or app roles in an app-only token. */
  readonly permissions: ReadonlySet<string>;
}

const CHALLENGE = [
  'Bearer realm=""',
  'authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize"',
  `client_id="${MICROSOFT_GRAPH_APP_ID}"`,
];

const unauthorized = (message: string, ...challenge: string[]) =>
  new GraphFailure(401, "InvalidAuthenticationToken", message, {
    "WWW-Authenticate": [...CHALLENGE, ...challenge].join(", "),
  });

const expired = () => unauthorized("Access token has expired or is not yet valid.");

const UNTRUSTED = [
  errors.JWSSignatureVerificationFailed,
  errors.JWKSNoMatchingKey,
  errors.JOSEAlgNotAllowed,
  errors.JOSENotSupported,
];

function refusal(error: unknown): GraphFailure {
  if (error instanceof errors.JWTExpired) return expired();
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === "nbf") return expired();
  if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid) {
    return unauthorized("CompactToken parsing failed with error code: 80049217");
  }
  if (UNTRUSTED.some((type) => error instanceof type)) {
    return unauthorized("Access token validation failure. Invalid signature.");
  }
  return new GraphFailure(503, "serviceNotAvailable", "The service is temporarily unavailable.");
}

/** Whether a token satisfies the claims challenge; see the switch `graph.requireClaims`. */
function meets(challenge: string, claims: AccessTokenClaims): boolean {
  const { access_token } = JSON.parse(challenge) as { access_token?: { nbf?: { value?: string } } };
  const notBefore = Number(access_token?.nbf?.value);
  return Number(claims.all["iat"]) >= notBefore;
}

/**
 * Builds the check of the `Authorization` header.
 *
 * The returned function throws a {@link GraphFailure} 401 as Graph would. Verified tokens are remembered until they
 * expire, so a token outlives the withdrawal of the key that signed it.
 */
export function createAuthenticator(entraOrigin: string) {
  const verifiers = new Map<string, ReturnType<typeof createAccessTokenVerifier>>();
  const verified = new LRUCache<string, AccessTokenClaims>({ max: 500 });

  async function verify(token: string, tenant: Tenant): Promise<AccessTokenClaims> {
    const verifier = verifiers.get(tenant.id) ?? createAccessTokenVerifier(entraOrigin, tenant.id);
    verifiers.set(tenant.id, verifier);
    try {
      const claims = await verifier(token);
      verified.set(token, claims);
      return claims;
    } catch (error) {
      throw refusal(error);
    }
  }

  return async (authorization: string | null, tenant: Tenant, requiredClaims: string | undefined): Promise<Caller> => {
    const token = /^Bearer +(\S+) *$/i.exec(authorization ?? "")?.[1];
    if (token === undefined) throw unauthorized("Access token is empty.");
    const claims = verified.get(token) ?? (await verify(token, tenant));
    if (claims.exp * 1000 <= Date.now()) throw expired();
    const graph = tenant.applications.find((application) => application.appId === MICROSOFT_GRAPH_APP_ID);
    // Entra tokens name the audience with or without the final slash, as the client asked.
    const audience = claims.aud.replace(/\/$/, "");
    if (audience !== MICROSOFT_GRAPH_APP_ID && !graph?.identifierUris.includes(audience)) {
      throw unauthorized("Access token validation failure. Invalid audience.");
    }
    if (claims.tid !== tenant.id) throw unauthorized("Access token validation failure. Invalid issuer.");
    if (requiredClaims !== undefined && claims.clientCapabilities.includes("cp1") && !meets(requiredClaims, claims)) {
      throw unauthorized(
        "Continuous access evaluation resulted in challenge with result: InteractionRequired and code: TokenIssuedBeforeRevocationTimestamp",
        'error="insufficient_claims"',
        `claims="${Buffer.from(requiredClaims).toString("base64")}"`,
      );
    }
    const delegated = claims.scopes.length > 0;
    return {
      objectId: claims.oid,
      clientAppId: claims.client,
      delegated,
      permissions: new Set(delegated ? claims.scopes : claims.roles),
    };
  };
}
