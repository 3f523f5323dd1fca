import type { KoaContextWithOIDC } from "oidc-provider";
import { AuthError } from "../auth/auth-error.ts";
import type { Caller } from "../auth/principal.ts";
import { grantIdOf } from "./access-token.ts";
import type { EndGrant } from "./grant-end.ts";
import { errorIn } from "./provider-answers.ts";

/** What ends a grant by its access token. */
export interface RevocationOptions {
  /** Checks a token of ours. Throws `AuthError`. */
  readonly verifyToken: (token: string) => Promise<Caller>;
  readonly endGrant: EndGrant;
}

/**
 * Ends the grant of an access token that its client revoked: `oidc-provider`, which has checked the client by then,
 * refuses to because it keeps no signed tokens.
 *
 * A token that is not valid, or another client's, is answered the same and changes nothing (RFC 7009, section 2.2).
 */
export async function revokeAccessToken(
  ctx: KoaContextWithOIDC,
  { verifyToken, endGrant }: RevocationOptions,
): Promise<void> {
  if (errorIn(ctx) !== "unsupported_token_type" || ctx.oidc.route !== "revocation" || !ctx.oidc.client) return;
  const { clientId } = ctx.oidc.client;
  try {
    const caller = await verifyToken(String(ctx.oidc.params?.["token"])).catch(noneIfInvalid);
    if (caller?.principal.clientId === clientId) {
      await endGrant(grantIdOf(caller), { reason: "revoked", requestId: ctx.response.get("x-request-id") });
    }
    ctx.status = 200;
    ctx.body = "";
  } catch {
    ctx.body = { error: "server_error" };
  }
}

function noneIfInvalid(error: unknown): undefined {
  if (!(error instanceof AuthError) || error.failure === "keys_unavailable") throw error;
}
