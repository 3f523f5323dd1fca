import { Provider } from "oidc-provider";
import type { GrantEndReason } from "../diagnostics.ts";

/** Why a grant ends, and in which request of this server. */
export interface GrantEnd {
  readonly reason: GrantEndReason;
  readonly requestId?: string | undefined;
}

/** Ends a grant and everything that follows from it. */
export type EndGrant = (grantId: string, end: GrantEnd) => Promise<void>;

/** Why `oidc-provider` ends a grant, from the request that it works on: the library does not say. */
export function endByProvider(): GrantEnd {
  const { ctx } = Provider;
  const requestId = ctx?.response.get("x-request-id");
  if (ctx?.oidc.route === "revocation") return { reason: "revoked", requestId };
  const isRefresh = ctx?.oidc.params?.["grant_type"] === "refresh_token";
  return { reason: isRefresh ? "refresh_token_reused" : "code_replayed", requestId };
}
