import { requireUser, type SignedInGrant } from "./authority.ts";
import { parseClaimsRequest } from "./claims-request.ts";
import { EntraError } from "./errors.ts";
import { assertNotSelf, readTokenScopes, type TokenRequest } from "./token-request.ts";
import { issueUserTokens, type TokenResponse } from "./token-response.ts";

/** Refuses a code or refresh token that another client or tenant got. */
export function assertOwnGrant({ tenant, clientRequest }: TokenRequest, grant: SignedInGrant): void {
  if (grant.tenantId !== tenant.id || grant.clientId !== clientRequest.client.appId) throw new EntraError(70000);
}

/** Issues tokens for a sign-in; a request without `scope` gets what the sign-in asked for. */
export async function issueForGrant(
  request: TokenRequest,
  grant: SignedInGrant,
  via: { readonly refresh: boolean; readonly nonce?: string | undefined },
): Promise<TokenResponse> {
  const { authority, tenant, form, clientRequest } = request;
  const { requested, asked, explicit } = readTokenScopes(request, grant.scopes);
  assertNotSelf(request, asked, { refresh: via.refresh, explicit });
  if (via.refresh && !explicit && authority.switches["entra.scopelessRefresh"] === "reject") {
    throw new EntraError(900144, ["scope"]);
  }
  const claims = parseClaimsRequest(form.get("claims"));
  const handlesChallenges = claims.handlesChallenges || grant.handlesChallenges;
  return issueUserTokens(authority, {
    tenant,
    user: requireUser(tenant, grant.userId),
    client: clientRequest.client,
    confidential: grant.platform === "web",
    asked,
    oidc: [...new Set([...requested.oidc, ...grant.scopes.oidc])],
    mfa: grant.mfa,
    mfaRequired: claims.stepUp,
    handlesChallenges,
    nonce: via.nonce,
    clientInfo: form.get("client_info") === "1",
    refresh: grant.scopes.oidc.includes("offline_access") ? { ...grant, handlesChallenges } : undefined,
  });
}
