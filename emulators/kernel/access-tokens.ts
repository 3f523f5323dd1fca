import { createRemoteJWKSet, jwtVerify } from "jose";

/** The claims of an access token that emulated resources read. */
export interface AccessTokenClaims {
  readonly aud: string;
  readonly iss: string;
  readonly tid: string;
  readonly oid: string;
  /** Client application: `azp` in v2 tokens, `appid` in v1 tokens. */
  readonly client: string;
  /** Delegated scopes; empty in app-only tokens. */
  readonly scopes: readonly string[];
  readonly roles: readonly string[];
  readonly exp: number;
  /** Client capabilities: `cp1` where the token may be met with a claims challenge. */
  readonly clientCapabilities: readonly string[];
  readonly all: Readonly<Record<string, unknown>>;
}

/**
 * Verifies signature, lifetime and, when given, audience of an Entra token against the keys of a tenant.
 *
 * `entraOrigin` is the plain http origin of the Entra emulator. The returned function throws jose's errors
 * (`ERR_JWT_EXPIRED`, `ERR_JWT_CLAIM_VALIDATION_FAILED`, `ERR_JWS_SIGNATURE_VERIFICATION_FAILED`, …).
 */
export function createAccessTokenVerifier(entraOrigin: string, tenantId: string) {
  const keys = createRemoteJWKSet(new URL(`${entraOrigin}/${tenantId}/discovery/v2.0/keys`), { cooldownDuration: 0 });
  return async (token: string, audience?: string | string[]): Promise<AccessTokenClaims> => {
    const { payload } = await jwtVerify(token, keys, {
      algorithms: ["RS256"],
      ...(audience === undefined ? {} : { audience }),
    });
    const text = (name: string) => (typeof payload[name] === "string" ? payload[name] : "");
    const list = (name: string) => (Array.isArray(payload[name]) ? payload[name].map(String) : []);
    return {
      aud: String(payload.aud),
      iss: text("iss"),
      tid: text("tid"),
      oid: text("oid"),
      client: text("azp") || text("appid"),
      scopes: text("scp").split(" ").filter(Boolean),
      roles: list("roles"),
      exp: payload.exp ?? 0,
      clientCapabilities: list("xms_cc"),
      all: payload,
    };
  };
}
