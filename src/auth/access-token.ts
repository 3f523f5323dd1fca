import { errors, jwtVerify } from "jose";
import * as z from "zod";
import type { Log } from "../diagnostics.ts";
import { AuthError, cannotBeChecked } from "./auth-error.ts";
import type { Caller } from "./principal.ts";
import { createSigningKeys, KeysUnavailableError, type SigningKeyTimes } from "./signing-keys.ts";

/** What a token must be to be accepted. */
export interface AccessTokenRules {
  /** Issuer of version 2.0 tokens; the tenant id in it stands for every allowed tenant. */
  readonly issuer: string;
  readonly tenantId: string;
  /** Tenants whose users may sign in; includes `tenantId` unless it is to be excluded. */
  readonly allowedTenants: readonly string[];
  /** Application id of this server's registration: the audience of version 2.0 tokens. */
  readonly audience: string;
  readonly allowedClients: readonly string[];
  /** Short name of the delegated scope that every token needs. */
  readonly requiredScope: string;
  readonly keyTimes?: SigningKeyTimes;
}

/** Entra's clocks and ours may differ by this much. */
const CLOCK_TOLERANCE_SECONDS = 60;

const claimsSchema = z.object({
  ver: z.literal("2.0"),
  oid: z.guid(),
  tid: z.guid(),
  azp: z.guid(),
  exp: z.number(),
  scp: z.string().optional(),
  roles: z.array(z.string()).default([]),
  // For correlation only: one of another form is not a reason to refuse a token.
  uti: z
    .string()
    .regex(/^[\w-]{1,64}$/)
    .optional()
    .catch(undefined),
});

/**
 * Checks access tokens: signature, issuer, audience, lifetime and version (else `invalid_token`), then tenant, client
 * application, that a user stands behind them, and the required scope.
 *
 * The same checks as App Service Authentication makes, and those that it leaves to the app. Throws {@link AuthError}.
 * Source: Microsoft identity platform, "Access tokens", and RFC 9068 section 4.
 */
export function createAccessTokenVerifier(rules: AccessTokenRules, log: Log): (token: string) => Promise<Caller> {
  const issuerOf = (tenant: string) => rules.issuer.replace(rules.tenantId, tenant);
  const keysByIssuer = new Map(
    rules.allowedTenants.map((tenant) => {
      const issuer = issuerOf(tenant);
      return [issuer, createSigningKeys(issuer, log, rules.keyTimes)] as const;
    }),
  );
  const issuers = [...keysByIssuer.keys()];

  return async (token) => {
    const { payload } = await jwtVerify(
      token,
      (header, input) => {
        // The key is chosen by the issuer that the token claims to be of; jose checks that claim afterwards.
        const keys = keysByIssuer.get(claimedIssuer(input.payload));
        if (!keys) throw new errors.JWTClaimValidationFailed("unexpected issuer", {}, "iss");
        return keys(header, input);
      },
      { algorithms: ["RS256"], issuer: issuers, audience: rules.audience, clockTolerance: CLOCK_TOLERANCE_SECONDS },
    ).catch((cause: unknown) => {
      throw cause instanceof KeysUnavailableError
        ? cannotBeChecked(cause)
        : new AuthError("invalid_token", "The access token is not valid for this server.", {}, cause);
    });
    const parsed = claimsSchema.safeParse(payload);
    if (!parsed.success) throw new AuthError("invalid_token", "The access token is not valid for this server.");

    const { oid: userId, tid: tenantId, azp: clientId, scp, roles, exp, uti: tokenId } = parsed.data;
    const subject = { userId, tenantId, clientId };
    // One tenant's issuer can't vouch for another's users, even where both are allowed.
    if (!rules.allowedTenants.includes(tenantId) || payload.iss !== issuerOf(tenantId)) {
      throw new AuthError("tenant_not_allowed", "Users of this tenant may not use this server.", subject);
    }
    if (!rules.allowedClients.includes(clientId)) {
      throw new AuthError("client_not_allowed", "This client application may not use this server.", subject);
    }
    if (scp === undefined) {
      throw new AuthError(
        "app_only_token",
        "This server acts for a signed-in user; app-only tokens have none.",
        subject,
      );
    }
    const scopes = scp.split(" ").filter(Boolean);
    if (!scopes.includes(rules.requiredScope)) {
      throw new AuthError("insufficient_scope", "The access token lacks the scope of this server.", subject);
    }
    return { principal: { userId, tenantId, clientId, scopes, roles }, accessToken: token, expiresAt: exp, tokenId };
  };
}

function claimedIssuer(encodedPayload: string | Uint8Array): string {
  const { iss } = JSON.parse(Buffer.from(String(encodedPayload), "base64url").toString("utf8")) as { iss?: unknown };
  return String(iss);
}
