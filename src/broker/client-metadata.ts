import { type ClientMetadata, errors } from "oidc-provider";
import { isAllowedRedirect } from "./redirects.ts";

/** Strangers send it, and it is kept: clients that exist need a tenth of this. */
const MAX_CHARACTERS = 8 * 1024;

/**
 * Checks a client's metadata and narrows it, in place, to what a client may be here: a native one whose redirect URIs are
 * allowed. Throws what `oidc-provider` answers with.
 */
export function settleClient(metadata: ClientMetadata, allowedRedirects: readonly string[]): void {
  if (JSON.stringify(metadata).length > MAX_CHARACTERS) {
    throw new errors.InvalidClientMetadata(`the metadata is longer than ${MAX_CHARACTERS} characters`);
  }
  const redirects: unknown = metadata.redirect_uris;
  const isAllowed = (uri: unknown) =>
    typeof uri === "string" && isAllowedRedirect(uri, metadata.client_id, allowedRedirects);
  if (!Array.isArray(redirects) || !redirects.every(isAllowed)) {
    throw new errors.InvalidRedirectUri();
  }
  // RFC 8252: any port of the loopback address, and only there http. MCP clients leave this out or say "web".
  metadata.application_type = "native";
  // RFC 7591, section 2: the server may replace what it does not support.
  const grants: unknown = metadata.grant_types;
  const supported = new Set<unknown>(["authorization_code", "refresh_token"]);
  if (Array.isArray(grants)) metadata.grant_types = grants.filter((grant) => supported.has(grant)) as string[];
  delete metadata.scope;
  if (metadata.token_endpoint_auth_method === "none") {
    delete metadata.client_secret;
    delete metadata.client_secret_expires_at;
  }
}
