import { GRANT_MS, UNREDEEMED_MS } from "./lifetimes.ts";
import type { Vault } from "./vault.ts";

/** A grant, and whose it is: nobody else's tokens can be read with it. */
export interface GrantKey {
  readonly grantId: string;
  readonly tenantId: string;
  readonly userId: string;
  readonly clientId: string;
}

/** Names a user to `oidc-provider`. */
export function accountIdOf({ tenantId, userId }: Pick<GrantKey, "tenantId" | "userId">): string {
  return `${tenantId}.${userId}`;
}

/** Whose a grant is, from what `oidc-provider` knows of it. */
export function grantKeyOf(grantId: string, accountId: string, clientId: string): GrantKey {
  const [tenantId = "", userId = ""] = accountId.split(".");
  return { grantId, tenantId, userId, clientId };
}

/** Entra's tokens for one user and one client. They never leave the server but towards Entra and Graph. */
export interface EntraTokens {
  readonly accessToken: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** Graph permissions that the access token was asked for with, sorted, separated by spaces. */
  readonly permissions: string;
  /** MSAL's cache of this sign-in, which holds the refresh token. */
  readonly cache: string;
  /** App roles of the user as of this token. */
  readonly roles: readonly string[];
}

/** Entra's tokens of all grants, each sealed for its user and client. */
export interface Sessions {
  read(key: GrantKey): Promise<EntraTokens | undefined>;
  isAlive(grantId: string): Promise<boolean>;
  /** Keeps the tokens of a grant until its code must have been redeemed. */
  create(key: GrantKey, tokens: EntraTokens): Promise<void>;
  /** Keeps them for as long as the grant lives, now that somebody has redeemed its code; says whether it was still there. */
  keep(grantId: string): Promise<boolean>;
  /** Says whether the grant was still there; one that was ended meanwhile stays ended. */
  update(key: GrantKey, tokens: EntraTokens): Promise<boolean>;
  end(grantId: string): Promise<void>;
}

/** Keeps Entra's tokens in the vault for as long as their grant lives. */
export function createSessions(vault: Vault): Sessions {
  const idOf = (grantId: string) => ({ kind: "entra", id: grantId });
  const entryOf = ({ grantId, tenantId, userId, clientId }: GrantKey) => ({
    ...idOf(grantId),
    boundTo: `${tenantId}\n${userId}\n${clientId}`,
  });
  return {
    read: (key) => vault.get(entryOf(key)),
    isAlive: (grantId) => vault.has(idOf(grantId)),
    create: (key, tokens) => vault.put(entryOf(key), tokens, UNREDEEMED_MS),
    keep: (grantId) => vault.extend(idOf(grantId), GRANT_MS),
    update: (key, tokens) => vault.replace(entryOf(key), tokens),
    end: (grantId) => vault.delete(idOf(grantId)),
  };
}
