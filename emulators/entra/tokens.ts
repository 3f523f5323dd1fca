import { createHash, randomBytes } from "node:crypto";
import type { JWTPayload } from "jose";
import type { AppRegistration, ManagedIdentity, Tenant, User } from "../directory.ts";

/** Seconds that an access token or id token lives: an hour and a bit, as Entra's do. */
export const TOKEN_LIFETIME = 3900;

const MANAGED_IDENTITY_TOKEN_LIFETIME = 24 * 60 * 60;

/** Issuer of v2.0 tokens, of managed identity tokens and of federated credentials. */
export const issuerV2 = (httpOrigin: string, tenantId: string) => `${httpOrigin}/${tenantId}/v2.0`;

/** Issuer of v1.0 tokens, the emulator's counterpart of `https://sts.windows.net/<tid>/`. */
export const issuerV1 = (httpOrigin: string, tenantId: string) => `${httpOrigin}/sts/${tenantId}/`;

/** A user's identifier that differs between apps, like the `sub` of Entra. */
const pairwiseSubject = (userId: string, appId: string) =>
  createHash("sha256").update(`${userId}/${appId}`).digest("base64url");

/** Object id of an app's service principal: stable, and different in every tenant. */
const servicePrincipalId = (tenantId: string, appId: string) =>
  createHash("sha256")
    .update(`${tenantId}/${appId}`)
    .digest("hex")
    .replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, "$1-$2-4$3-8$4-$5");

const lifetime = (seconds: number) => {
  const now = Math.floor(Date.now() / 1000);
  return { iat: now, nbf: now, exp: now + seconds };
};

const tokenId = () => randomBytes(16).toString("base64url");

/** The name that a user signed in with: a guest's is that of the home organisation. */
const signInName = (user: User) =>
  user.userType === "Guest" ? (user.mail ?? user.userPrincipalName) : user.userPrincipalName;

const rolesOf = (tenant: Tenant, resource: AppRegistration, user: User) => {
  const roles = tenant.roleAssignments
    .filter(({ userId, resourceAppId }) => userId === user.id && resourceAppId === resource.appId)
    .map(({ role }) => role);
  return roles.length > 0 ? { roles } : {};
};

/** Where a token comes from: the plain http origin that issuers name, and the tenant. */
export interface TokenSource {
  readonly httpOrigin: string;
  readonly tenant: Tenant;
}

/** Content of an access token for a user. */
export interface UserTokenContent {
  readonly user: User;
  readonly client: AppRegistration;
  /** The client proved who it is. */
  readonly confidential: boolean;
  readonly resource: AppRegistration;
  /** How the request named the resource; null when it did not. */
  readonly resourceName: string | null;
  readonly scopes: readonly string[];
  readonly mfa: boolean;
  readonly handlesChallenges: boolean;
}

/**
 * Claims of an access token for a user, in the version that the resource registered for.
 *
 * Entra leaves `amr` out of v2.0 tokens; here it is always present, because on-behalf-of reads the strength of
 * the sign-in from it.
 */
export function userAccessTokenClaims({ httpOrigin, tenant }: TokenSource, content: UserTokenContent): JWTPayload {
  const { user, client, resource } = content;
  const common = {
    ...lifetime(TOKEN_LIFETIME),
    amr: content.mfa ? ["pwd", "mfa"] : ["pwd"],
    name: user.displayName,
    oid: user.id,
    ...rolesOf(tenant, resource, user),
    scp: content.scopes.join(" "),
    sub: pairwiseSubject(user.id, resource.appId),
    tid: tenant.id,
    uti: tokenId(),
    ...(content.handlesChallenges ? { xms_cc: ["cp1"] } : {}),
  };
  if (resource.requestedAccessTokenVersion === 2) {
    return {
      aud: resource.appId,
      iss: issuerV2(httpOrigin, tenant.id),
      ...common,
      azp: client.appId,
      azpacr: content.confidential ? "2" : "0",
      preferred_username: signInName(user),
      ver: "2.0",
    };
  }
  return {
    aud: content.resourceName ?? resource.appId,
    iss: issuerV1(httpOrigin, tenant.id),
    ...common,
    acr: "1",
    appid: client.appId,
    appidacr: content.confidential ? "2" : "0",
    family_name: user.surname,
    given_name: user.givenName,
    unique_name: signInName(user),
    upn: user.userPrincipalName,
    ver: "1.0",
  };
}

/** Claims of an access token that an app got for itself: no user, no scopes. */
export function appAccessTokenClaims(
  { httpOrigin, tenant }: TokenSource,
  client: AppRegistration,
  resource: AppRegistration,
  resourceName: string,
): JWTPayload {
  const principal = servicePrincipalId(tenant.id, client.appId);
  const common = {
    ...lifetime(TOKEN_LIFETIME),
    idtyp: "app",
    oid: principal,
    sub: principal,
    tid: tenant.id,
    uti: tokenId(),
  };
  return resource.requestedAccessTokenVersion === 2
    ? {
        aud: resource.appId,
        iss: issuerV2(httpOrigin, tenant.id),
        ...common,
        azp: client.appId,
        azpacr: "2",
        ver: "2.0",
      }
    : {
        aud: resourceName,
        iss: issuerV1(httpOrigin, tenant.id),
        ...common,
        appid: client.appId,
        appidacr: "2",
        ver: "1.0",
      };
}

/** Claims of a managed identity's token; whether the identity is user-assigned shows in `xms_mirid`, as in Azure. */
export function managedIdentityTokenClaims(
  { httpOrigin, tenant }: TokenSource,
  identity: ManagedIdentity,
  resource: string,
): JWTPayload {
  const userAssigned = tenant.managedIdentities.some(({ principalId }) => principalId === identity.principalId);
  const provider = userAssigned ? "Microsoft.ManagedIdentity/userAssignedIdentities" : "Microsoft.Web/sites";
  return {
    aud: resource,
    iss: issuerV2(httpOrigin, tenant.id),
    ...lifetime(MANAGED_IDENTITY_TOKEN_LIFETIME),
    azp: identity.clientId,
    azpacr: "2",
    idtyp: "app",
    oid: identity.principalId,
    sub: identity.principalId,
    tid: tenant.id,
    uti: tokenId(),
    ver: "2.0",
    xms_mirid: `/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/local/providers/${provider}/local`,
  };
}

/** Content of an id_token. */
export interface IdTokenContent {
  readonly user: User;
  readonly client: AppRegistration;
  readonly nonce?: string | undefined;
  /** With the `email` scope the user's mail address is included. */
  readonly email: boolean;
  /** Authorization code that is returned beside the token; binds the two together. */
  readonly code?: string | undefined;
}

/** Claims of a v2.0 id_token. */
export function idTokenClaims({ httpOrigin, tenant }: TokenSource, content: IdTokenContent): JWTPayload {
  const { user, client, nonce, code } = content;
  return {
    aud: client.appId,
    iss: issuerV2(httpOrigin, tenant.id),
    ...lifetime(TOKEN_LIFETIME),
    ...(code === undefined
      ? {}
      : { c_hash: createHash("sha256").update(code).digest().subarray(0, 16).toString("base64url") }),
    ...(content.email && user.mail !== null ? { email: user.mail } : {}),
    name: user.displayName,
    ...(nonce === undefined ? {} : { nonce }),
    oid: user.id,
    preferred_username: signInName(user),
    ...rolesOf(tenant, client, user),
    sub: pairwiseSubject(user.id, client.appId),
    tid: tenant.id,
    uti: tokenId(),
    ver: "2.0",
  };
}
