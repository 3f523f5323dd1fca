import { METADATA_PATH } from "./resource-metadata.ts";
import { advertisedScopes, isV2Issuer, registrationOf, tenantOf } from "./settings.ts";
import type { Address, Site } from "./site.ts";

function legacyParameters(site: Site): string[] {
  const style = site.switches["easyauth.challengeAuthorizationUri"];
  if (style === "none") return [];
  const { openIdIssuer, clientId } = registrationOf(site.authSettings);
  const host = style === "v2-microsoftonline" ? "login.microsoftonline.com" : "login.windows.net";
  const version = style !== "v1" && isV2Issuer(openIdIssuer) ? "v2.0/" : "";
  return [
    `authorization_uri="https://${host}/${tenantOf(openIdIssuer)}/oauth2/${version}authorize"`,
    `resource_id="${clientId}"`,
  ];
}

/**
 * The `WWW-Authenticate` header of a 401, or undefined where the settings switch it off.
 *
 * The separators are the platform's: spaces between the older parameters, a comma between scope and resource_metadata.
 */
export function bearerChallenge(
  site: Site,
  request: { readonly address: Address; readonly path: string; readonly tokenRefused: boolean },
): string | undefined {
  if (site.authSettings.identityProviders.azureActiveDirectory.login?.disableWWWAuthenticate) return undefined;
  const { address, path } = request;
  const { switches } = site;
  const realm = `Bearer realm="${address.host}"`;
  const error = switches["easyauth.challengeInvalidToken"] && request.tokenRefused ? ['error="invalid_token"'] : [];
  const scopes = advertisedScopes(site.appSettings);
  if (scopes.length === 0) return [realm, ...legacyParameters(site), ...error].join(" ");

  const separator = switches["easyauth.challengeScopeSeparator"] === "comma" ? "," : " ";
  const metadata = `${address.origin}${METADATA_PATH}${path === "/" ? "" : path}`;
  const parameters = [`scope="${scopes.join(separator)}"`, `resource_metadata="${metadata}"`, ...error];
  return switches["easyauth.challengeStyle"] === "full"
    ? [realm, ...legacyParameters(site), parameters.join(", ")].join(" ")
    : [realm, ...parameters].join(", ");
}
