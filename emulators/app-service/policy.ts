import type { JWTPayload } from "jose";
import { registrationOf } from "./settings.ts";
import type { Site } from "./site.ts";

// `azp` of v2 access tokens, `appid` of v1; id tokens have neither.
function applicationOf(claims: JWTPayload): unknown {
  return claims["azp"] ?? claims["appid"];
}

/**
 * Whether the site admits the holder of a valid token.
 *
 * Every list that is set must contain its claim. Scopes, app roles and groups are not looked at: as on the platform,
 * they are the application's business.
 */
export function isAdmitted(site: Site, claims: JWTPayload, application = applicationOf(claims)): boolean {
  const { allowedApplications = [], allowedPrincipals } =
    site.authSettings.identityProviders.azureActiveDirectory.validation?.defaultAuthorizationPolicy ?? {};
  const setting = (name: string) => site.appSettings[name] ?? "";
  const tenants = setting("WEBSITE_AUTH_AAD_ALLOWED_TENANTS").split(",");
  const requiresServicePrincipal = /^(true|1)$/i.test(
    setting("WEBSITE_AUTH_AAD_REQUIRE_CLIENT_SERVICE_PRINCIPAL").trim(),
  );
  return (
    admits(allowedApplications, application) &&
    admits(allowedPrincipals?.identities ?? [], claims["oid"]) &&
    admits(tenants.map((tenant) => tenant.trim()).filter(Boolean), claims["tid"]) &&
    (!requiresServicePrincipal || typeof claims["oid"] === "string")
  );
}

/** The same for somebody who signs in at the site: the site itself obtained an id token. */
export function isSignInAdmitted(site: Site, claims: JWTPayload): boolean {
  return isAdmitted(site, claims, applicationOf(claims) ?? registrationOf(site.authSettings).clientId);
}

function admits(list: readonly string[], value: unknown): boolean {
  return list.length === 0 || list.some((entry) => entry === value);
}
