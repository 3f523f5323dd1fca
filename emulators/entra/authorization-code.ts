import { createHash } from "node:crypto";
import type { AuthorizationCode } from "./authority.ts";
import { authenticateForPlatform } from "./client-authentication.ts";
import { EntraError } from "./errors.ts";
import { assertOwnGrant, issueForGrant } from "./signed-in-grant.ts";
import { type GrantHandler, requireField } from "./token-request.ts";

function assertPkce({ pkce }: AuthorizationCode, verifier: string | null): void {
  const presented =
    verifier && pkce?.method === "S256" ? createHash("sha256").update(verifier).digest("base64url") : verifier;
  // A verifier without a challenge is refused too: somebody took the challenge out of the authorization request.
  if ((presented || undefined) !== pkce?.challenge) throw new EntraError(501481);
}

/** Redeems an authorization code: once, within ten minutes, by its client, at its redirect URI, with its verifier. */
export const redeemAuthorizationCode: GrantHandler = async (request) => {
  const { authority, form, clientRequest } = request;
  const found = authority.codes.find(requireField(form, "code"));
  if (!found) throw new EntraError(70000);
  const { value: code, expired } = found;
  assertOwnGrant(request, code.grant);
  await authenticateForPlatform(authority, clientRequest, code.grant.platform);
  if (expired) throw new EntraError(70008);
  if (code.redeemed) throw new EntraError(54005);
  const redirectUri = requireField(form, "redirect_uri");
  if (redirectUri !== code.redirectUri) throw new EntraError(500112, [redirectUri, code.redirectUri]);
  assertPkce(code, form.get("code_verifier"));
  code.redeemed = true;
  return issueForGrant(request, code.grant, { refresh: false, nonce: code.nonce });
};
