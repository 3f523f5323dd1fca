import type { AppRegistration, Tenant, User } from "../directory.ts";
import { EntraError } from "./errors.ts";
import type { ResourceScopes } from "./scopes.ts";

/** Who asks for what on whose behalf. */
interface ConsentQuestion {
  readonly tenant: Tenant;
  readonly client: AppRegistration;
  readonly user: User;
}

/** The scopes of `resource` that the client may use for the user: preauthorised, granted, or its own. */
export function consentedScopes({ tenant, client, user }: ConsentQuestion, resource: AppRegistration): Set<string> {
  if (client.appId === resource.appId) return new Set(resource.scopes.map(({ value }) => value));
  const preauthorized = resource.preAuthorizedApplications
    .filter(({ appId }) => appId === client.appId)
    .flatMap(({ scopes }) => scopes);
  const granted = tenant.grants
    .filter(
      (grant) =>
        grant.clientAppId === client.appId &&
        grant.resourceAppId === resource.appId &&
        (grant.userId === user.id || grant.userId === "all"),
    )
    .flatMap(({ scopes }) => scopes);
  return new Set([...preauthorized, ...granted]);
}

/** The requested scopes that still need consent; `.default` needs it while nothing at all is consented. */
export function missingScopes(question: ConsentQuestion, { resource, values }: ResourceScopes): string[] {
  const consented = consentedScopes(question, resource);
  return values.filter((value) => (value === ".default" ? consented.size === 0 : !consented.has(value)));
}

/** The scopes that a token carries: those asked for, or all consented ones for `.default`. Throws AADSTS65001. */
export function tokenScopes(question: ConsentQuestion, asked: ResourceScopes): string[] {
  if (missingScopes(question, asked).length > 0) {
    throw new EntraError(65001, [question.client.appId, question.client.displayName]);
  }
  return asked.values.includes(".default") ? [...consentedScopes(question, asked.resource)] : [...asked.values];
}

/** The scopes that a consent page lists: `.default` stands for all that a user may consent to. */
export function scopesToShow({ resource, values }: ResourceScopes): AppRegistration["scopes"] {
  return resource.scopes.filter(
    ({ value, adminConsentRequired }) =>
      values.includes(value) || (values.includes(".default") && adminConsentRequired !== true),
  );
}

/** Stores in the tenant that the user consented to what a consent page listed. */
export function grantConsent({ tenant, client, user }: ConsentQuestion, asked: ResourceScopes): void {
  tenant.grants.push({
    clientAppId: client.appId,
    resourceAppId: asked.resource.appId,
    userId: user.id,
    scopes: scopesToShow(asked).map(({ value }) => value),
  });
}

/** Refuses users without a role in an app that requires assignment (AADSTS50105). */
export function assertAssigned(tenant: Tenant, resource: AppRegistration, user: User): void {
  if (resource.appRoleAssignmentRequired !== true) return;
  const assigned = tenant.roleAssignments.some(
    ({ userId, resourceAppId }) => userId === user.id && resourceAppId === resource.appId,
  );
  if (!assigned) throw new EntraError(50105, [user.userPrincipalName, resource.appId, resource.displayName]);
}
