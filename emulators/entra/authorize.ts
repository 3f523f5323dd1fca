import type { RequestHandler } from "express";
import type { Tenant } from "../directory.ts";
import { type Authority, originOf, type Reply, type SignIn, tenantOf } from "./authority.ts";
import { readAuthorizationRequest, readReturnAddress, type TrustedReturn } from "./authorization-request.ts";
import { errorResponse, successResponse } from "./authorization-response.ts";
import { EntraError } from "./errors.ts";
import { sendPage } from "./page.ts";
import { resolveScopes } from "./scopes.ts";
import { endSession } from "./sessions.ts";
import { beginSignIn, hintedUser } from "./sign-in.ts";
import { messagePage } from "./sign-in-pages.ts";
import { tokenSource } from "./token-response.ts";
import { idTokenClaims } from "./tokens.ts";

/** The sign-in of an authorization request; it ends with a code, an id_token or both. */
function signInOf(authority: Authority, tenant: Tenant, trusted: TrustedReturn, query: URLSearchParams): SignIn {
  const { client, platform, address } = trusted;
  const request = readAuthorizationRequest(tenant, authority.switches, trusted, query);
  const { scopes, claims, nonce } = request;
  return {
    tenant,
    client,
    resources: resolveScopes(tenant, client, scopes),
    oidc: scopes.oidc,
    prompt: request.prompt,
    hint: hintedUser({ tenant }, request.loginHint),
    stepUp: claims.stepUp,
    mfa: false,
    fail: (error) => errorResponse(address, error),
    async succeed(user, mfa) {
      const code = request.wantsCode
        ? authority.codes.add({
            grant: {
              tenantId: tenant.id,
              clientId: client.appId,
              userId: user.id,
              platform,
              scopes,
              mfa,
              handlesChallenges: claims.handlesChallenges,
            },
            redirectUri: address.redirectUri,
            nonce,
            pkce: request.pkce,
            redeemed: false,
          })
        : undefined;
      const idToken = request.wantsIdToken
        ? await authority.keys.sign(
            idTokenClaims(tokenSource(authority, tenant), {
              user,
              client,
              nonce,
              email: scopes.oidc.includes("email"),
              code,
            }),
          )
        : undefined;
      return successResponse(address, { code, idToken });
    },
  };
}

/** Whether an address shares its origin with a registered redirect URI: only there may a sign-out lead. */
function isKnownOrigin({ applications }: Tenant, uri: string): boolean {
  const origin = URL.canParse(uri) ? new URL(uri).origin : "null";
  return applications.some(({ redirectUris }) =>
    Object.values(redirectUris)
      .flat()
      .some((registered) => origin !== "null" && new URL(registered).origin === origin),
  );
}

/** The authorization endpoint: errors reach the client once its redirect URI is known to be registered. */
export function authorize(authority: Authority): RequestHandler {
  return async (req, res) => {
    const tenant = tenantOf(authority, req);
    const { search, searchParams } = new URL(req.originalUrl, originOf(authority, req));
    const trusted = readReturnAddress(tenant, search);
    let reply: Reply;
    try {
      reply = await beginSignIn(authority, signInOf(authority, tenant, trusted, searchParams), req);
    } catch (error) {
      if (!(error instanceof EntraError)) throw error;
      reply = errorResponse(trusted.address, error);
    }
    reply(res);
  };
}

/** Signs the browser out and leads back to the client, if `post_logout_redirect_uri` belongs to one. */
export function logout(authority: Authority): RequestHandler {
  return (req, res) => {
    const tenant = tenantOf(authority, req);
    endSession(authority, tenant, req, res);
    const { searchParams } = new URL(req.originalUrl, originOf(authority, req));
    const target = searchParams.get("post_logout_redirect_uri");
    if (target && isKnownOrigin(tenant, target)) res.redirect(target);
    else sendPage(res, messagePage(tenant, "You signed out", "You may close this window."));
  };
}
