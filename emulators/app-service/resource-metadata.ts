import { advertisedScopes, isV2Issuer, registrationOf, tenantOf } from "./settings.ts";
import type { Site } from "./site.ts";

/** Where protected resource metadata lives (RFC 9728, section 3). */
export const METADATA_PATH = "/.well-known/oauth-protected-resource";

/** Protected resource metadata with the members that App Service sends. */
export interface ResourceMetadata {
  readonly resource: string;
  readonly authorization_servers: readonly string[];
  readonly scopes_supported?: readonly string[];
}

function authorizationServer(site: Site): string {
  const { openIdIssuer } = registrationOf(site.authSettings);
  if (site.switches["easyauth.prmAuthorizationServer"] === "openIdIssuer" || isV2Issuer(openIdIssuer)) {
    return openIdIssuer;
  }
  return `https://login.microsoftonline.com/${tenantOf(openIdIssuer)}/v2.0`;
}

/** The metadata document for a path of the site, or undefined where the application answers the path itself. */
export function resourceMetadata(site: Site, path: string, origin: string): ResourceMetadata | undefined {
  if (path !== METADATA_PATH && !path.startsWith(`${METADATA_PATH}/`)) return undefined;
  const suffix = path.slice(METADATA_PATH.length);
  const document = { resource: `${origin}${suffix}`, authorization_servers: [authorizationServer(site)] };
  const scopes = advertisedScopes(site.appSettings);
  if (scopes.length > 0) return { ...document, scopes_supported: scopes };
  return site.switches["easyauth.prmWithoutSetting"] && suffix === "" ? document : undefined;
}
