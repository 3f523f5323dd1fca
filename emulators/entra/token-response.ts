import type { AppRegistration, Tenant, User } from "../directory.ts";
import type { Authority, SignedInGrant } from "./authority.ts";
import { MFA_CHALLENGE } from "./claims-request.ts";
import { assertAssigned, tokenScopes } from "./consent.ts";
import { EntraError } from "./errors.ts";
import type { ResourceScopes } from "./scopes.ts";
import { idTokenClaims, TOKEN_LIFETIME, type TokenSource, userAccessTokenClaims } from "./tokens.ts";

/** A successful answer of the token endpoint. */
export interface TokenResponse {
  readonly token_type: "Bearer";
  readonly expires_in: number;
  readonly ext_expires_in: number;
  readonly access_token: string;
  /** Absent for app-only tokens. */
  readonly scope?: string;
  readonly refresh_token?: string;
  readonly id_token?: string;
  /** Who the tokens belong to, for MSAL's cache key. */
  readonly client_info?: string;
}

/** What every answer of the token endpoint says about the access token in it. */
export function bearer(accessToken: string) {
  return {
    token_type: "Bearer",
    expires_in: TOKEN_LIFETIME,
    ext_expires_in: TOKEN_LIFETIME,
    access_token: accessToken,
  } as const;
}

/** The issuing side of an authority for one tenant. */
export function tokenSource({ origins }: Authority, tenant: Tenant): TokenSource {
  return { httpOrigin: origins.http, tenant };
}

/** Tokens to issue for a user after every check of the grant itself. */
export interface UserTokenRequest {
  readonly tenant: Tenant;
  readonly user: User;
  readonly client: AppRegistration;
  readonly confidential: boolean;
  readonly asked: ResourceScopes;
  readonly oidc: readonly string[];
  /** The sign-in included multi-factor authentication. */
  readonly mfa: boolean;
  readonly mfaRequired: boolean;
  readonly handlesChallenges: boolean;
  readonly nonce?: string | undefined;
  /** MSAL asks for `client_info`. */
  readonly clientInfo: boolean;
  /** What a refresh token would stand for; `undefined` when none may be issued. */
  readonly refresh: SignedInGrant | undefined;
}

const PROFILE_SCOPES = new Set(["openid", "profile", "email"]);

/** The `scope` of the answer, spelled like the request: clients look their tokens up by it. */
function scopeText({ prefix, values }: ResourceScopes, granted: readonly string[], oidc: readonly string[]): string {
  const named = new Set([...granted, ...values]);
  const api = [...named].map((value) => (prefix === null ? value : `${prefix}/${value}`));
  return [...api, ...oidc.filter((scope) => PROFILE_SCOPES.has(scope))].join(" ");
}

/** Checks assignment (AADSTS50105), consent (AADSTS65001) and the strength of the sign-in (AADSTS50076), then issues tokens. */
export async function issueUserTokens(authority: Authority, request: UserTokenRequest): Promise<TokenResponse> {
  const { tenant, user, client, asked, oidc } = request;
  assertAssigned(tenant, asked.resource, user);
  const granted = tokenScopes({ tenant, client, user }, asked);
  if (request.mfaRequired && !request.mfa) {
    throw new EntraError(50076, [asked.resource.appId], { claims: MFA_CHALLENGE });
  }
  const source = tokenSource(authority, tenant);
  const accessToken = await authority.keys.sign(
    userAccessTokenClaims(source, {
      user,
      client,
      confidential: request.confidential,
      resource: asked.resource,
      resourceName: asked.prefix,
      scopes: asked.values.length > 0 ? granted : oidc.filter((scope) => PROFILE_SCOPES.has(scope)),
      mfa: request.mfa,
      handlesChallenges: request.handlesChallenges,
    }),
  );
  const idToken = oidc.includes("openid")
    ? await authority.keys.sign(
        idTokenClaims(source, { user, client, nonce: request.nonce, email: oidc.includes("email") }),
      )
    : undefined;
  return {
    ...bearer(accessToken),
    scope: scopeText(asked, granted, oidc),
    ...(request.refresh ? { refresh_token: authority.refreshTokens.add(request.refresh) } : {}),
    ...(idToken === undefined ? {} : { id_token: idToken }),
    ...(request.clientInfo
      ? { client_info: Buffer.from(JSON.stringify({ uid: user.id, utid: tenant.id })).toString("base64url") }
      : {}),
  };
}
