import { errors, type JWTPayload } from "jose";
import { LRUCache } from "lru-cache";
import { createAccessTokenVerifier } from "../kernel/access-tokens.ts";
import { type AuthSettings, registrationOf, tenantOf } from "./settings.ts";

/** Checks signature, issuer, audience and lifetime of a token; undefined when one of them is wrong. */
export type TokenValidator = (token: string, settings: AuthSettings) => Promise<JWTPayload | undefined>;

type Verifier = ReturnType<typeof createAccessTokenVerifier>;

// What jose throws when the key endpoint is slow, or answers with anything but 200.
const KEYS_UNAVAILABLE = new Set(["ERR_JWKS_TIMEOUT", "ERR_JOSE_GENERIC"]);

const REMEMBER_MS = 60_000;

/**
 * Validates tokens against the signing keys at `keysOrigin`.
 *
 * What was found valid is remembered for at most a minute, never beyond the token's own life and never across a change
 * of the settings that decide. Throws when the keys cannot be fetched.
 */
export function createTokenValidator(keysOrigin: string): TokenValidator {
  const valid = new LRUCache<string, JWTPayload>({ max: 1000 });
  let decided: { readonly by: string; readonly verify: Verifier } | undefined;
  return async (token, settings) => {
    const { openIdIssuer, clientId } = registrationOf(settings);
    const { allowedAudiences = [] } = settings.identityProviders.azureActiveDirectory.validation ?? {};
    const by = JSON.stringify([openIdIssuer, clientId, allowedAudiences]);
    if (decided?.by !== by) {
      valid.clear();
      decided = { by, verify: createAccessTokenVerifier(keysOrigin, tenantOf(openIdIssuer)) };
    }
    const known = valid.get(token);
    if (known) return known;
    try {
      const { all: claims, iss, exp } = await decided.verify(token, [clientId, ...allowedAudiences]);
      // A token without `exp` would never expire, and a v1 token carries another issuer than a v2 one.
      if (iss !== openIdIssuer || exp === 0) return undefined;
      const ttl = Math.min(REMEMBER_MS, exp * 1000 - Date.now());
      if (ttl > 0 && decided.by === by) valid.set(token, claims, { ttl });
      return claims;
    } catch (error) {
      if (error instanceof errors.JOSEError && !KEYS_UNAVAILABLE.has(error.code)) return undefined;
      throw error;
    }
  };
}
