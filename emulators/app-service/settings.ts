/** What the platform does with a request that carries no credential. */
export type UnauthenticatedClientAction = "RedirectToLoginPage" | "AllowAnonymous" | "Return401" | "Return403";

/**
 * The part of `authsettingsV2` `properties` that a site with Entra ID needs, with ARM's nesting and names.
 *
 * The types leave out what the emulator would ignore, except members that the application may want to read.
 */
export interface AuthSettings {
  platform?: { enabled?: boolean; runtimeVersion?: string };
  globalValidation?: {
    requireAuthentication?: boolean;
    unauthenticatedClientAction?: UnauthenticatedClientAction;
    redirectToProvider?: "azureactivedirectory";
    /** Plain path strings, compared as they are stored. */
    excludedPaths?: string[];
  };
  httpSettings?: {
    requireHttps?: boolean;
    routes?: { apiPrefix?: string };
    forwardProxy?: {
      convention?: "NoProxy" | "Standard" | "Custom";
      customHostHeaderName?: string;
      customProtoHeaderName?: string;
    };
  };
  identityProviders: {
    azureActiveDirectory: {
      enabled?: true;
      /** `clientSecretSettingName` changes nothing: sign-in is always the implicit one, for an id token. */
      registration: { openIdIssuer: string; clientId: string; clientSecretSettingName?: string };
      login?: { loginParameters?: string[]; disableWWWAuthenticate?: boolean };
      validation?: {
        allowedAudiences?: string[];
        defaultAuthorizationPolicy?: {
          allowedApplications?: string[];
          /** Object ids. The schema has `groups` beside it, which the platform is not known to enforce. */
          allowedPrincipals?: { identities?: string[] };
        };
      };
    };
  };
  login?: {
    routes?: { logoutEndpoint?: string };
    tokenStore?: { enabled?: boolean };
    allowedExternalRedirectUrls?: string[];
    cookieExpiration?: { convention?: "FixedTime" | "IdentityProviderDerived"; timeToExpiration?: string };
    nonce?: { validateNonce?: boolean; nonceExpirationInterval?: string };
  };
}

/** What happens to a request without a credential, defaults included. */
export function unauthenticatedAction({ globalValidation = {} }: AuthSettings): UnauthenticatedClientAction {
  const { requireAuthentication = true, unauthenticatedClientAction = "RedirectToLoginPage" } = globalValidation;
  return requireAuthentication ? unauthenticatedClientAction : "AllowAnonymous";
}

/** Path of the sign-in endpoints, without a trailing slash. */
export function authPrefix(settings: AuthSettings): string {
  return settings.httpSettings?.routes?.apiPrefix ?? "/.auth";
}

/** App settings: what the platform and the application read from the environment. */
export type AppSettings = Record<string, string>;

/** The registration of Entra ID, the only identity provider that the emulator knows. */
export function registrationOf(settings: AuthSettings): { openIdIssuer: string; clientId: string } {
  return settings.identityProviders.azureActiveDirectory.registration;
}

/** The tenant id inside an issuer such as `https://login.microsoftonline.com/<tid>/v2.0` or `https://sts.windows.net/<tid>/`. */
export function tenantOf(openIdIssuer: string): string {
  return new URL(openIdIssuer).pathname.split("/")[1] ?? "";
}

/** Whether the issuer is the v2.0 one. */
export function isV2Issuer(openIdIssuer: string): boolean {
  return /\/v2\.0\/?$/.test(openIdIssuer);
}

/** The scopes of `WEBSITE_AUTH_PRM_DEFAULT_WITH_SCOPES`, verbatim; empty when the setting is absent. */
export function advertisedScopes(appSettings: AppSettings): readonly string[] {
  const setting = appSettings["WEBSITE_AUTH_PRM_DEFAULT_WITH_SCOPES"];
  return setting ? setting.split(",") : [];
}

/** Seconds in an `hh:mm:ss` time span. */
export function secondsOf(timeSpan: string): number {
  const [hours = 0, minutes = 0, seconds = 0] = timeSpan.split(":").map(Number);
  return hours * 3600 + minutes * 60 + seconds;
}

/** Whether `path` is exempt from the unauthenticated action. */
export function isListedPath(path: string, list: readonly string[], match: "exact" | "prefix"): boolean {
  return list.some((listed) => path === listed || (match === "prefix" && path.startsWith(listed.replace(/\/?$/, "/"))));
}
