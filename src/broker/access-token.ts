import { errors, jwtVerify } from "jose";
import * as z from "zod";
import { AuthError, cannotBeChecked } from "../auth/auth-error.ts";
import type { Caller } from "../auth/principal.ts";
import type { KeyRing } from "../mcp/key-ring.ts";
import { findVerificationKey } from "./keys.ts";

/** What an access token of the broker must be. */
export interface BrokerTokenRules {
  readonly issuer: string;
  readonly mcpUrl: string;
  /** Short name of the scope. */
  readonly requiredScope: string;
}

const CLOCK_TOLERANCE_SECONDS = 5;

const claimsSchema = z.object({
  oid: z.guid(),
  tid: z.guid(),
  gid: z.string().min(1),
  client_id: z.string().min(1),
  exp: z.number(),
  scope: z.string().default(""),
  roles: z.array(z.string()),
});

/**
 * Checks access tokens of the broker: signature, type, issuer, audience, lifetime, scope. The grant is checked apart,
 * because it can end at any time.
 *
 * Throws {@link AuthError}. Source: RFC 9068 section 4.
 */
export function createBrokerTokenVerifier(
  { issuer, mcpUrl, requiredScope }: BrokerTokenRules,
  keyRing: KeyRing,
): (token: string) => Promise<Caller> {
  return async (token) => {
    const { payload } = await jwtVerify(
      token,
      async ({ kid = "" }) => {
        const key = await findVerificationKey(keyRing, kid).catch((cause: unknown) => {
          throw cannotBeChecked(cause);
        });
        if (!key) throw new errors.JWKSNoMatchingKey();
        return key;
      },
      { algorithms: ["EdDSA"], typ: "at+jwt", issuer, audience: mcpUrl, clockTolerance: CLOCK_TOLERANCE_SECONDS },
    ).catch((cause: unknown) => {
      throw cause instanceof AuthError ? cause : invalid(cause);
    });
    const parsed = claimsSchema.safeParse(payload);
    if (!parsed.success) throw invalid(parsed.error);
    const { oid: userId, tid: tenantId, client_id: clientId, scope, roles, exp } = parsed.data;
    const scopes = scope.split(" ").map((full) => full.slice(full.lastIndexOf("/") + 1));
    if (!scopes.includes(requiredScope)) {
      const subject = { userId, tenantId, clientId };
      throw new AuthError("insufficient_scope", "The access token lacks the scope of this server.", subject);
    }
    return { principal: { userId, tenantId, clientId, scopes, roles }, accessToken: token, expiresAt: exp };
  };
}

/** The grant that a verified token belongs to. */
export function grantIdOf({ accessToken }: Pick<Caller, "accessToken">): string {
  const [, payload = ""] = accessToken.split(".");
  return claimsSchema.parse(JSON.parse(Buffer.from(payload, "base64url").toString())).gid;
}

function invalid(cause: unknown): AuthError {
  return new AuthError("invalid_token", "The access token is not valid for this server.", {}, cause);
}
