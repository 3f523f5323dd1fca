import type { Tenant } from "../directory.ts";
import type { Authority } from "./authority.ts";
import type { ClientRequest } from "./client-authentication.ts";
import { EntraError } from "./errors.ts";
import {
  assertResourceMatches,
  parseScopes,
  type RequestedScopes,
  type ResourceScopes,
  tokenResource,
} from "./scopes.ts";
import type { TokenResponse } from "./token-response.ts";

/** A request to the token endpoint of one tenant. */
export interface TokenRequest {
  readonly authority: Authority;
  readonly tenant: Tenant;
  readonly form: URLSearchParams;
  readonly clientRequest: ClientRequest;
}

/** Handles the requests of one grant type. */
export type GrantHandler = (request: TokenRequest) => Promise<TokenResponse>;

/** A form field that a grant cannot do without. Throws AADSTS900144. */
export function requireField(form: URLSearchParams, name: string): string {
  const value = form.get(name);
  if (!value) throw new EntraError(900144, [name]);
  return value;
}

/** The `resource` parameters of a request that have a value. */
export function resourceParameters(parameters: URLSearchParams): string[] {
  return parameters.getAll("resource").filter(Boolean);
}

/** The scopes of a request, or those `bound` to its grant when it names none, and the one resource they belong to. */
export function readTokenScopes(
  { authority, tenant, form, clientRequest }: TokenRequest,
  bound?: RequestedScopes,
): { readonly requested: RequestedScopes; readonly asked: ResourceScopes; readonly explicit: boolean } {
  const explicit = Boolean(form.get("scope"));
  const requested = explicit || !bound ? parseScopes(requireField(form, "scope")) : bound;
  assertResourceMatches(tenant, authority.switches["entra.resourceMatch"], requested, resourceParameters(form));
  return { requested, asked: tokenResource(tenant, clientRequest.client, requested, explicit), explicit };
}

/** Refuses a client that asks for a token for itself in a way that Entra does not support (AADSTS90009). */
export function assertNotSelf(
  { authority, clientRequest: { client } }: TokenRequest,
  { resource, prefix }: ResourceScopes,
  grant: { readonly refresh: boolean; readonly explicit: boolean },
): void {
  if (resource.appId !== client.appId) return;
  const byGuid = prefix === client.appId;
  const refused = {
    "refresh-guid-only": grant.refresh && !(grant.explicit && byGuid),
    "token-guid-only": grant.refresh ? !(grant.explicit && byGuid) : !byGuid,
    "scopeless-only": grant.refresh && !grant.explicit,
    off: false,
  }[authority.switches["entra.selfToken"]];
  if (refused) throw new EntraError(90009, [client.appId, client.displayName]);
}
