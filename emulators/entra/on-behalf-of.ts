import type { JWTPayload } from "jose";
import { type AppRegistration, MICROSOFT_GRAPH_APP_ID, type Tenant, type User } from "../directory.ts";
import { type Authority, requireUser, type SignedInGrant } from "./authority.ts";
import { parseClaimsRequest } from "./claims-request.ts";
import { authenticateConfidentialClient } from "./client-authentication.ts";
import { EntraError } from "./errors.ts";
import { findResource } from "./scopes.ts";
import { type GrantHandler, readTokenScopes, requireField } from "./token-request.ts";
import { issueUserTokens } from "./token-response.ts";
import { issuerV1, issuerV2 } from "./tokens.ts";

interface UserAssertion {
  readonly user: User;
  readonly mfa: boolean;
}

async function verifyUserAssertion(
  { keys, origins }: Authority,
  tenant: Tenant,
  client: AppRegistration,
  assertion: string,
): Promise<UserAssertion> {
  const claims: JWTPayload | undefined = await keys.verify(assertion);
  const issuers = [issuerV1(origins.http, tenant.id), issuerV2(origins.http, tenant.id)];
  if (!claims || !issuers.includes(String(claims.iss))) throw new EntraError(50013);
  const audience = findResource(tenant, String(claims.aud));
  // Graph's tokens are protected in a way that nobody but Graph can verify them.
  if (audience?.appId === MICROSOFT_GRAPH_APP_ID) throw new EntraError(50013);
  const now = Date.now() / 1000;
  if ((claims.exp ?? 0) <= now || (claims.nbf ?? 0) > now) throw new EntraError(500133);
  if (audience?.appId !== client.appId) throw new EntraError(500131);
  if (claims["idtyp"] === "app") throw new EntraError(7000114);
  if (claims["scp"] === undefined) throw new EntraError(240002);
  const methods = claims["amr"];
  return {
    user: requireUser(tenant, String(claims["oid"])),
    mfa: Array.isArray(methods) && methods.includes("mfa"),
  };
}

/** Exchanges a user's token for this client for one that lets the client call another resource as the user. */
export const exchangeOnBehalfOf: GrantHandler = async (request) => {
  const { authority, tenant, form, clientRequest } = request;
  const { client } = clientRequest;
  const assertion = requireField(form, "assertion");
  if (requireField(form, "requested_token_use") !== "on_behalf_of") {
    throw new EntraError(90023, [form.get("requested_token_use") ?? "", "requested_token_use"]);
  }
  await authenticateConfidentialClient(authority, clientRequest);
  const { user, mfa } = await verifyUserAssertion(authority, tenant, client, assertion);
  const { requested, asked } = readTokenScopes(request);
  const { handlesChallenges, stepUp } = parseClaimsRequest(form.get("claims"));
  const signedIn: SignedInGrant = {
    tenantId: tenant.id,
    clientId: client.appId,
    userId: user.id,
    platform: "web",
    scopes: requested,
    mfa,
    handlesChallenges,
  };
  return issueUserTokens(authority, {
    tenant,
    user,
    client,
    confidential: true,
    asked,
    oidc: requested.oidc,
    mfa,
    mfaRequired: stepUp || user.signIn?.requiresMfa === true,
    handlesChallenges,
    clientInfo: form.get("client_info") === "1",
    refresh: requested.oidc.includes("offline_access") ? signedIn : undefined,
  });
};
