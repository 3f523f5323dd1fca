import { authenticateConfidentialClient } from "./client-authentication.ts";
import { EntraError } from "./errors.ts";
import { type GrantHandler, readTokenScopes } from "./token-request.ts";
import { bearer, tokenSource } from "./token-response.ts";
import { appAccessTokenClaims } from "./tokens.ts";

/** Issues an app-only token; the one scope must be the `.default` of a resource. */
export const grantClientCredentials: GrantHandler = async (request) => {
  const { authority, tenant, clientRequest } = request;
  await authenticateConfidentialClient(authority, clientRequest);
  const { asked } = readTokenScopes(request);
  const [scope, ...others] = asked.values;
  if (scope !== ".default" || others.length > 0 || asked.prefix === null) throw new EntraError(1002012);
  const claims = appAccessTokenClaims(
    tokenSource(authority, tenant),
    clientRequest.client,
    asked.resource,
    asked.prefix,
  );
  return bearer(await authority.keys.sign(claims));
};
