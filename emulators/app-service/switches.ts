/**
 * Platform behaviour that is unverified or reported in conflicting ways, one switch each.
 *
 * Mutable while the emulator runs; a change applies to the next request.
 */
export interface AppServiceSwitches {
  /** With PRM on: only realm, scope and resource_metadata, or authorization_uri and resource_id as well. */
  "easyauth.challengeStyle": "minimal" | "full";
  /** The authorization_uri of a challenge without PRM, or of a `full` one. */
  "easyauth.challengeAuthorizationUri": "v2" | "v1" | "v2-microsoftonline" | "none";
  /** Adds `error="invalid_token"` when a bearer token was sent and refused. */
  "easyauth.challengeInvalidToken": boolean;
  "easyauth.challengeScopeSeparator": "space" | "comma";
  /** Serves the root metadata document, without scopes, although the PRM setting is absent. */
  "easyauth.prmWithoutSetting": boolean;
  "easyauth.prmAuthorizationServer": "openIdIssuer" | "always-v2";
  /** CORS headers on metadata and challenges. */
  "easyauth.prmCors": boolean;
  /** `Cache-Control` of the metadata document; empty for none. */
  "easyauth.prmCacheControl": string;
  /** Status for a valid token that a policy refuses. */
  "easyauth.forbiddenStatus": 403 | 401;
  /** Applies the cross-site rule of cookie sessions to bearer requests too. */
  "easyauth.csrfForBearer": boolean;
  "easyauth.excludedPathsMatch": "exact" | "prefix";
  /** Whether a token sent to an excluded path is validated and its identity injected. */
  "easyauth.excludedPathsIdentity": boolean;
  "easyauth.forwardAuthorization": boolean;
  /** Sends a bearer token to the app as `X-MS-TOKEN-AAD-ACCESS-TOKEN` as well. */
  "easyauth.tokenHeaderOnBearer": boolean;
  "easyauth.claimNames": "long" | "short";
  "easyauth.nameType": "emailaddress" | "name";
  /** Treats the health check path of the site as excluded without being listed. */
  "easyauth.healthCheckBypass": boolean;
  /** false: with `platform.runtimeVersion` `~1` nobody is turned away. */
  "easyauth.runtimeV1Enforces": boolean;
  /** Holds responses back until the app has finished them. */
  "easyauth.bufferResponses": boolean;
  /** How long a request may be silent in both directions. */
  "easyauth.idleTimeoutSeconds": number;
  /** Whether `httpSettings.forwardProxy` decides the host in realm and metadata, and not only in redirects. */
  "easyauth.forwardProxyAffectsPrm": boolean;
  /** Plain http on loopback counts as if TLS had ended in front of it. false: `requireHttps` redirects it. */
  "easyauth.loopbackCountsAsHttps": boolean;
}

/** The assumed behaviour of the platform. */
export const DEFAULT_SWITCHES: Readonly<AppServiceSwitches> = {
  "easyauth.challengeStyle": "minimal",
  "easyauth.challengeAuthorizationUri": "v2",
  "easyauth.challengeInvalidToken": false,
  "easyauth.challengeScopeSeparator": "space",
  "easyauth.prmWithoutSetting": false,
  "easyauth.prmAuthorizationServer": "openIdIssuer",
  "easyauth.prmCors": false,
  "easyauth.prmCacheControl": "",
  "easyauth.forbiddenStatus": 403,
  "easyauth.csrfForBearer": false,
  "easyauth.excludedPathsMatch": "exact",
  "easyauth.excludedPathsIdentity": true,
  "easyauth.forwardAuthorization": true,
  "easyauth.tokenHeaderOnBearer": false,
  "easyauth.claimNames": "long",
  "easyauth.nameType": "emailaddress",
  "easyauth.healthCheckBypass": false,
  "easyauth.runtimeV1Enforces": true,
  "easyauth.bufferResponses": false,
  "easyauth.idleTimeoutSeconds": 230,
  "easyauth.forwardProxyAffectsPrm": true,
  "easyauth.loopbackCountsAsHttps": true,
};
