import type { Request, Response } from "express";
import type { AppRegistration, Tenant, User } from "../directory.ts";
import { EntraError } from "./errors.ts";
import { ExpiringStore } from "./expiring-store.ts";
import type { Platform } from "./redirect-uris.ts";
import type { RequestedScopes, ResourceScopes } from "./scopes.ts";
import { SigningKeys } from "./signing-keys.ts";
import type { EntraSwitches } from "./switches.ts";

/** The two origins of the emulator; both serve the same tenants, keys and codes. */
export interface Origins {
  readonly http: string;
  readonly https: string;
}

/** What a user's sign-in at a client gave: the part that codes and refresh tokens have in common. */
export interface SignedInGrant {
  readonly tenantId: string;
  readonly clientId: string;
  readonly userId: string;
  /** Platform of the redirect URI; a device code counts as public. */
  readonly platform: Platform;
  readonly scopes: RequestedScopes;
  readonly mfa: boolean;
  readonly handlesChallenges: boolean;
}

/** An issued authorization code. */
export interface AuthorizationCode {
  readonly grant: SignedInGrant;
  readonly redirectUri: string;
  readonly nonce: string | undefined;
  readonly pkce: { readonly challenge: string; readonly method: "S256" | "plain" } | undefined;
  redeemed: boolean;
}

/** A device code and how far its user got. */
export interface DeviceAuthorization {
  readonly tenantId: string;
  readonly client: AppRegistration;
  readonly scopes: RequestedScopes;
  readonly userCode: string;
  /** `undefined` until the user decided. */
  result?: { readonly user: User; readonly mfa: boolean } | "declined";
}

/** Answers one request of a browser. */
export type Reply = (res: Response) => void;

/** A sign-in that a user is in the middle of, for an authorization request or a device code. */
export interface SignIn {
  readonly tenant: Tenant;
  readonly client: AppRegistration;
  readonly resources: readonly ResourceScopes[];
  readonly oidc: readonly string[];
  readonly prompt: string | undefined;
  /** Who the client expects; offered first. */
  readonly hint: User | undefined;
  user?: User;
  /** The user or the client wants a second factor. */
  stepUp: boolean;
  mfa: boolean;
  /** Ends the sign-in well. */
  readonly succeed: (user: User, mfa: boolean) => Reply | Promise<Reply>;
  /** Ends the sign-in with an error that the client is told. */
  readonly fail: (error: EntraError) => Reply;
}

/** Who is signed in in one browser. */
export interface BrowserSession {
  readonly userId: string;
  readonly mfa: boolean;
}

/** Everything that the endpoints share. Tenants are read at every request, so tests may change them. */
export interface Authority {
  readonly origins: Origins;
  readonly tenants: readonly Tenant[];
  readonly switches: EntraSwitches;
  readonly keys: SigningKeys;
  readonly codes: ExpiringStore<AuthorizationCode>;
  readonly refreshTokens: ExpiringStore<SignedInGrant>;
  readonly deviceCodes: ExpiringStore<DeviceAuthorization>;
  readonly signIns: ExpiringStore<SignIn>;
  readonly sessions: ExpiringStore<BrowserSession>;
}

const MINUTES = 60;
const DAYS = 24 * 60 * MINUTES;

/** Seconds that a device code waits for its user. */
export const DEVICE_CODE_LIFETIME = 15 * MINUTES;

/** Makes an authority without any sign-ins, with a new signing key. */
export async function createAuthority(
  origins: Origins,
  tenants: readonly Tenant[],
  switches: EntraSwitches,
): Promise<Authority> {
  return {
    origins,
    tenants,
    switches,
    keys: await SigningKeys.create(),
    codes: new ExpiringStore(10 * MINUTES),
    refreshTokens: new ExpiringStore(90 * DAYS),
    deviceCodes: new ExpiringStore(DEVICE_CODE_LIFETIME),
    signIns: new ExpiringStore(15 * MINUTES),
    sessions: new ExpiringStore(DAYS),
  };
}

/** Finds a tenant by its id or one of its verified domains. Throws AADSTS90002. */
function findTenant({ tenants }: Authority, name: string): Tenant {
  const tenant = tenants.find(({ id, verifiedDomains }) => id === name || verifiedDomains.includes(name));
  if (!tenant) throw new EntraError(90002, [name]);
  return tenant;
}

/** The tenant with an id, or the first one. */
export function tenantFor(authority: Authority, tenantId: string | undefined): Tenant {
  return findTenant(authority, tenantId ?? authority.tenants[0]?.id ?? "");
}

/** The tenant that the path of a request names. */
export function tenantOf(authority: Authority, req: Request): Tenant {
  return findTenant(authority, String(req.params["tenant"]));
}

/** The origin that a request was sent to. */
export function originOf({ origins }: Authority, req: Request): string {
  return req.secure ? origins.https : origins.http;
}

/** Finds a client by its app id. Throws AADSTS900144 without a value and AADSTS700016 for an unknown one. */
export function findClient(tenant: Tenant, clientId: string | null): AppRegistration {
  if (!clientId) throw new EntraError(900144, ["client_id"]);
  const client = tenant.applications.find(({ appId }) => appId === clientId);
  if (!client) throw new EntraError(700016, [clientId, tenant.displayName]);
  return client;
}

/** Finds a user by object id, user principal name, mail address or the part of these before the `@`. */
export function findUser(tenant: Tenant, name: string): User | undefined {
  const wanted = name.toLowerCase();
  return tenant.users.find(({ id, userPrincipalName, mail }) =>
    [id, userPrincipalName, mail].some((text) => {
      const value = text?.toLowerCase();
      return value === wanted || (value?.includes("@") === true && value.split("@")[0] === wanted);
    }),
  );
}

/** The user that a grant or assertion names by object id. Throws AADSTS50034 when it was deleted since. */
export function requireUser(tenant: Tenant, userId: string): User {
  const user = tenant.users.find(({ id }) => id === userId);
  if (!user) throw new EntraError(50034, [userId, tenant.displayName]);
  return user;
}
