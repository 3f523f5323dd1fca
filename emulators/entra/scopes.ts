import { type AppRegistration, MICROSOFT_GRAPH_APP_ID, type Tenant } from "../directory.ts";
import { EntraError } from "./errors.ts";
import type { EntraSwitches } from "./switches.ts";

const OIDC_SCOPES = new Set(["openid", "profile", "email", "offline_access"]);

/** A `scope` parameter taken apart, nothing looked up yet. */
export interface RequestedScopes {
  readonly oidc: readonly string[];
  /** `prefix` is null for a bare scope, which Entra takes as one of Microsoft Graph. */
  readonly api: readonly { readonly prefix: string | null; readonly value: string }[];
}

/** The requested scopes of one resource. */
export interface ResourceScopes {
  readonly resource: AppRegistration;
  /** How the request named the resource; null when it did not. */
  readonly prefix: string | null;
  readonly values: readonly string[];
}

/** Splits a `scope` parameter; a fully qualified scope is cut at its last slash. */
export function parseScopes(scope: string): RequestedScopes {
  const all = [...new Set(scope.split(/\s+/).filter(Boolean))];
  return {
    oidc: all.filter((text) => OIDC_SCOPES.has(text)),
    api: all
      .filter((text) => !OIDC_SCOPES.has(text))
      .map((text) => {
        const slash = text.lastIndexOf("/");
        return { prefix: slash < 0 ? null : text.slice(0, slash), value: text.slice(slash + 1) };
      }),
  };
}

/** Finds the app that a name stands for: its app id or one of its identifier URIs, byte for byte. */
export function findResource(tenant: Tenant, name: string): AppRegistration | undefined {
  return tenant.applications.find((app) => app.appId === name || app.identifierUris.includes(name));
}

/** Refuses `resource` parameters that do not name the resource of every requested API scope (AADSTS9010010). */
export function assertResourceMatches(
  tenant: Tenant,
  rule: EntraSwitches["entra.resourceMatch"],
  { api }: RequestedScopes,
  resources: readonly string[],
): void {
  if (resources.length === 0 || rule === "ignore") return;
  if (rule === "reject-always") throw new EntraError(901002);
  const sameApp = (prefix: string | null, resource: string) =>
    rule === "any-identifier-uri" &&
    prefix !== null &&
    findResource(tenant, prefix)?.identifierUris.includes(resource) === true;
  const matches = (resource: string) =>
    api.length > 0 && api.every(({ prefix }) => prefix === resource || sameApp(prefix, resource));
  if (!resources.every(matches)) throw new EntraError(9010010);
}

/**
 * Looks up the resources of the requested API scopes, in the order of the request.
 *
 * Throws AADSTS500011 for an unknown resource and AADSTS650053 for a scope that the resource does not offer.
 */
export function resolveScopes(tenant: Tenant, client: AppRegistration, requested: RequestedScopes): ResourceScopes[] {
  const byResource = new Map<AppRegistration, { prefix: string | null; values: string[] }>();
  for (const { prefix, value } of requested.api) {
    const name = prefix ?? MICROSOFT_GRAPH_APP_ID;
    const resource = findResource(tenant, name);
    if (!resource) throw new EntraError(500011, [name, tenant.displayName]);
    if (value !== ".default" && !resource.scopes.some((scope) => scope.value === value)) {
      throw new EntraError(650053, [client.displayName, value, resource.appId]);
    }
    const found = byResource.get(resource);
    if (found) found.values.push(value);
    else byResource.set(resource, { prefix, values: [value] });
  }
  return [...byResource].map(([resource, { prefix, values }]) => ({ resource, prefix, values }));
}

/**
 * The one resource that an access token is for; without an API scope it is Graph, for the user's own profile.
 *
 * A sign-in may ask for consent to several resources at once; then its first one counts. A token request that names
 * its scopes (`explicit`) may not mix resources (AADSTS28000).
 */
export function tokenResource(
  tenant: Tenant,
  client: AppRegistration,
  requested: RequestedScopes,
  explicit: boolean,
): ResourceScopes {
  const [first, second] = resolveScopes(tenant, client, requested);
  if (second && explicit) throw new EntraError(28000);
  if (first) return first;
  const graph = findResource(tenant, MICROSOFT_GRAPH_APP_ID);
  if (!graph) throw new EntraError(500011, [MICROSOFT_GRAPH_APP_ID, tenant.displayName]);
  return { resource: graph, prefix: null, values: [] };
}
