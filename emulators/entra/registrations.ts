import type { AppRegistration, Tenant } from "../directory.ts";
import type { EntraSwitches } from "./switches.ts";

/** A change to an app registration that a policy of the tenant refuses. */
export class RegistrationPolicyError extends Error {
  override readonly name = "RegistrationPolicyError";
  /** Error code of Microsoft Graph. */
  readonly code = "InvalidUniqueTenantIdentifierAsPerAppPolicy";
  constructor(uri: string) {
    super(
      `Failed to add identifier URI ${uri}: it must contain a verified domain of the tenant, the tenant ID or the app ID.`,
    );
  }
}

const isOnVerifiedDomain = ({ verifiedDomains }: Tenant, uri: string) => {
  const host = URL.canParse(uri) ? new URL(uri).hostname : "";
  return verifiedDomains.some((domain) => host === domain || host.endsWith(`.${domain}`));
};

/**
 * Adds an identifier URI as Microsoft Graph would, subject to the tenant's policy.
 *
 * Apps on v2.0 tokens are exempt by default. Throws {@link RegistrationPolicyError}.
 */
export function addIdentifierUri(
  policy: EntraSwitches["entra.identifierUriPolicy"],
  tenant: Tenant,
  app: AppRegistration,
  uri: string,
): void {
  const exempt = policy === "off" || (policy === "v2-exempt" && app.requestedAccessTokenVersion === 2);
  const unique = [tenant.id, app.appId].some((id) => uri.includes(id)) || isOnVerifiedDomain(tenant, uri);
  if (!exempt && !unique) throw new RegistrationPolicyError(uri);
  app.identifierUris = [...app.identifierUris, uri];
}
