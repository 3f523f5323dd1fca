import type { JWTPayload } from "jose";
import type { AppRegistration, ManagedIdentity, Tenant, User } from "../directory.ts";
import { type Authority, findClient, findUser, tenantFor } from "./authority.ts";
import { consentedScopes } from "./consent.ts";
import { EntraError } from "./errors.ts";
import { parseScopes, tokenResource } from "./scopes.ts";
import { tokenSource } from "./token-response.ts";
import { appAccessTokenClaims, idTokenClaims, managedIdentityTokenClaims, userAccessTokenClaims } from "./tokens.ts";

/** A token to issue without a sign-in; `claims` replace what the token would say, `undefined` leaves a claim out. */
interface TokenRequestBase {
  /** App id of the client. */
  readonly client: string;
  readonly claims?: Readonly<Record<string, unknown>>;
  /** Default: the first tenant. */
  readonly tenantId?: string;
}

/** An access token as if `user` had signed in to `client`. */
export interface AccessTokenRequest extends TokenRequestBase {
  /** Object id, user principal name or alias. */
  readonly user: string;
  /** Scopes of one resource, fully qualified, separated by spaces. Nobody has to have consented to them. */
  readonly scope: string;
  /** The sign-in included multi-factor authentication. */
  readonly mfa?: boolean;
  /** The client handles claims challenges (`xms_cc: ["cp1"]`). */
  readonly handlesChallenges?: boolean;
}

/** An id_token as if `user` had signed in to `client`. */
export interface IdTokenRequest extends TokenRequestBase {
  readonly user: string;
  readonly nonce?: string;
}

/** An access token that `client` got for itself. */
export interface AppTokenRequest extends TokenRequestBase {
  /** An identifier URI or the app id of the resource. */
  readonly resource: string;
}

function userFor(tenant: Tenant, name: string): User {
  const user = findUser(tenant, name);
  if (!user) throw new EntraError(50034, [name, tenant.displayName]);
  return user;
}

function resourceFor(tenant: Tenant, client: AppRegistration, name: string) {
  return tokenResource(tenant, client, parseScopes(`${name}/.default`), true).resource;
}

/** Issues an access token for a user, without sign-in and without asking for consent. */
export async function issueAccessToken(authority: Authority, request: AccessTokenRequest): Promise<string> {
  const tenant = tenantFor(authority, request.tenantId);
  const client = findClient(tenant, request.client);
  const user = userFor(tenant, request.user);
  const asked = tokenResource(tenant, client, parseScopes(request.scope), true);
  const claims = userAccessTokenClaims(tokenSource(authority, tenant), {
    user,
    client,
    confidential: false,
    resource: asked.resource,
    resourceName: asked.prefix,
    scopes: asked.values.includes(".default")
      ? [...consentedScopes({ tenant, client, user }, asked.resource)]
      : asked.values,
    mfa: request.mfa === true,
    handlesChallenges: request.handlesChallenges === true,
  });
  return authority.keys.sign({ ...claims, ...request.claims });
}

/** Issues an id_token for a user, without sign-in. */
export async function issueIdToken(authority: Authority, request: IdTokenRequest): Promise<string> {
  const tenant = tenantFor(authority, request.tenantId);
  const claims = idTokenClaims(tokenSource(authority, tenant), {
    user: userFor(tenant, request.user),
    client: findClient(tenant, request.client),
    nonce: request.nonce,
    email: false,
  });
  return authority.keys.sign({ ...claims, ...request.claims });
}

/** Issues an app-only access token. */
export async function issueAppToken(authority: Authority, request: AppTokenRequest): Promise<string> {
  const tenant = tenantFor(authority, request.tenantId);
  const client = findClient(tenant, request.client);
  const resource = resourceFor(tenant, client, request.resource);
  const claims: JWTPayload = appAccessTokenClaims(tokenSource(authority, tenant), client, resource, request.resource);
  return authority.keys.sign({ ...claims, ...request.claims });
}

/** A token and when it expires, in seconds since 1970. */
export interface IssuedToken {
  readonly token: string;
  readonly expiresOn: number;
}

/** Issues a managed identity's token, as the identity endpoint of a service obtains it. */
export async function issueManagedIdentityToken(
  authority: Authority,
  identity: ManagedIdentity,
  resource: string,
  tenantId?: string,
): Promise<IssuedToken> {
  const claims = managedIdentityTokenClaims(tokenSource(authority, tenantFor(authority, tenantId)), identity, resource);
  return { token: await authority.keys.sign(claims), expiresOn: claims.exp ?? 0 };
}
