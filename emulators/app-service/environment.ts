import { randomBytes } from "node:crypto";
import { type AppSettings, type AuthSettings, registrationOf, unauthenticatedAction } from "./settings.ts";

/** The identity of a site and of the machine that runs it. */
export interface Instance {
  readonly siteName: string;
  /** Host and port under which clients reach the site. */
  readonly hostName: string;
  readonly instanceId: string;
}

/** A new instance id, 64 hex digits. */
export function createInstanceId(): string {
  return randomBytes(32).toString("hex");
}

/** The environment variables that the platform gives to the application, its own winning over app settings. */
export function appEnvironment(
  authSettings: AuthSettings,
  appSettings: Readonly<AppSettings>,
  { siteName, hostName, instanceId }: Instance,
): Record<string, string> {
  return {
    ...appSettings,
    WEBSITE_SITE_NAME: siteName,
    WEBSITE_HOSTNAME: hostName,
    WEBSITE_INSTANCE_ID: instanceId,
    ...authEnvironment(authSettings),
  };
}

function authEnvironment(authSettings: AuthSettings): Record<string, string> {
  if (authSettings.platform?.enabled === false) return { WEBSITE_AUTH_ENABLED: "False" };
  const { openIdIssuer, clientId } = registrationOf(authSettings);
  const { allowedAudiences = [] } = authSettings.identityProviders.azureActiveDirectory.validation ?? {};
  return {
    WEBSITE_AUTH_ENABLED: "True",
    WEBSITE_AUTH_V2_CONFIG_JSON: JSON.stringify(authSettings),
    WEBSITE_AUTH_DEFAULT_PROVIDER: "AzureActiveDirectory",
    WEBSITE_AUTH_CLIENT_ID: clientId,
    WEBSITE_AUTH_OPENID_ISSUER: openIdIssuer,
    ...(allowedAudiences.length > 0 ? { WEBSITE_AUTH_ALLOWED_AUDIENCES: allowedAudiences.join(" ") } : {}),
    WEBSITE_AUTH_UNAUTHENTICATED_ACTION: unauthenticatedAction(authSettings),
  };
}
