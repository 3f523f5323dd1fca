import { authenticateForPlatform } from "./client-authentication.ts";
import { EntraError } from "./errors.ts";
import { assertOwnGrant, issueForGrant } from "./signed-in-grant.ts";
import { type GrantHandler, requireField } from "./token-request.ts";

/**
 * Exchanges a refresh token for new tokens of the same user and client.
 *
 * The answer holds a new refresh token. The old one stays valid, as at Entra, which merely asks clients to throw it
 * away.
 */
export const redeemRefreshToken: GrantHandler = async (request) => {
  const { authority, form, clientRequest } = request;
  const found = authority.refreshTokens.find(requireField(form, "refresh_token"));
  if (!found) throw new EntraError(70000);
  assertOwnGrant(request, found.value);
  await authenticateForPlatform(authority, clientRequest, found.value.platform);
  if (found.expired) throw new EntraError(70008);
  return issueForGrant(request, found.value, { refresh: true });
};
