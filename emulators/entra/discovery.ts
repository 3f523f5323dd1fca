import type { RequestHandler } from "express";
import { type Authority, originOf, tenantOf } from "./authority.ts";

/**
 * The discovery document.
 *
 * Issuer and endpoints are those of the origin that was asked: MCP clients and MSAL both insist on it. Only the page
 * for people is always at the http origin, where browsers need no certificate. As at Entra there is neither `code_challenge_methods_supported` nor `registration_endpoint`.
 */
export function discoveryDocument(authority: Authority): RequestHandler {
  return (req, res) => {
    const { id } = tenantOf(authority, req);
    const base = `${originOf(authority, req)}/${id}`;
    const pages = `${authority.origins.http}/${id}`;
    res.set("access-control-allow-origin", "*").json({
      token_endpoint: `${base}/oauth2/v2.0/token`,
      token_endpoint_auth_methods_supported: ["client_secret_post", "private_key_jwt", "client_secret_basic"],
      jwks_uri: `${base}/discovery/v2.0/keys`,
      response_modes_supported: ["query", "fragment", "form_post"],
      subject_types_supported: ["pairwise"],
      id_token_signing_alg_values_supported: ["RS256"],
      response_types_supported: ["code", "id_token", "code id_token"],
      scopes_supported: ["openid", "profile", "email", "offline_access"],
      issuer: `${base}/v2.0`,
      request_uri_parameter_supported: false,
      authorization_endpoint: `${pages}/oauth2/v2.0/authorize`,
      device_authorization_endpoint: `${base}/oauth2/v2.0/devicecode`,
      http_logout_supported: true,
      end_session_endpoint: `${base}/oauth2/v2.0/logout`,
      claims_supported: [
        "sub",
        "iss",
        "aud",
        "exp",
        "iat",
        "nonce",
        "preferred_username",
        "name",
        "tid",
        "oid",
        "email",
      ],
      tenant_region_scope: null,
      cloud_instance_name: new URL(base).host,
    });
  };
}

/** The public keys that verify every token, as a JWK set. */
export function keySet(authority: Authority): RequestHandler {
  return (req, res) => {
    tenantOf(authority, req);
    res.set("access-control-allow-origin", "*").json(authority.keys.published);
  };
}
