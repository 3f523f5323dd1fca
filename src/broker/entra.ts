import type { EntraTokens } from "./sessions.ts";

/** Where to send the browser. */
export interface EntraRequest {
  readonly state: string;
  readonly nonce: string;
  /** PKCE verifier; its hash goes into the address. */
  readonly verifier: string;
  /** A claims challenge that the sign-in has to meet, as JSON. */
  readonly claims?: string | undefined;
}

/** Which tokens are wanted in place of those at hand. */
export interface RefreshRequest {
  readonly tenantId: string;
  /** Of Microsoft Graph. */
  readonly permissions: readonly string[];
  /** A claims challenge that they have to meet, as JSON. */
  readonly claims?: string | undefined;
}

/** Who signed in at Entra, from an id_token that came from its token endpoint. */
export interface Account {
  readonly tenantId: string;
  readonly userId: string;
  /** For the person to recognise. */
  readonly username: string;
}

/** Somebody signed in whose tenant may not use this server. */
export class ForeignTenantError extends Error {
  override readonly name = "ForeignTenantError";
  readonly account: Pick<Account, "tenantId" | "userId">;
  constructor(account: Pick<Account, "tenantId" | "userId">) {
    super("Users of this tenant may not use this server.");
    this.account = account;
  }
}

/** Entra as the broker sees it: this server is one of its confidential clients. Implemented in `platform/`. */
export interface Entra {
  /** Tenant that people sign in to, or `organizations` where there are several. */
  readonly tenant: string;
  authorizeUrl(request: EntraRequest): string;
  /** Rejects with {@link ForeignTenantError}, with the refusal in `cause`, or when the answer does not belong to the request. */
  redeem(code: string, request: Pick<EntraRequest, "nonce" | "verifier">): Promise<EntraTokens & { account: Account }>;
  /** Gets new tokens. Rejects with the refusal in `cause`. */
  refresh(tokens: Pick<EntraTokens, "cache">, wanted: RefreshRequest): Promise<EntraTokens>;
}
