/** The signed-in person, and the client application that acts for them. From a verified token only. */
export interface Principal {
  /** Object id in the tenant (`oid`). */
  readonly userId: string;
  /** Tenant (`tid`). */
  readonly tenantId: string;
  /** Client application that obtained the token (`azp`). */
  readonly clientId: string;
  /** Short names of the delegated scopes (`scp`). */
  readonly scopes: readonly string[];
  /** App roles of the user (`roles`). */
  readonly roles: readonly string[];
}

/** A principal with the token that proves it. The token leaves the process only as user assertion, towards Entra. */
export interface Caller {
  readonly principal: Principal;
  readonly accessToken: string;
  /** Seconds since the epoch. */
  readonly expiresAt: number;
  /** Entra's id of the token (`uti`), where it has one. */
  readonly tokenId?: string | undefined;
}

/** Names one user, among those of all tenants. */
export function userKey({ tenantId, userId }: Pick<Principal, "tenantId" | "userId">): string {
  return `${tenantId}:${userId}`;
}
