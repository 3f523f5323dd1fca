import type { IncomingHttpHeaders } from "node:http";
import { readClientPrincipal } from "../../auth/easy-auth.ts";
import type { Principal } from "../../auth/principal.ts";

/** Somebody who is signed in to App Service in this browser. */
export interface Visitor {
  readonly name: string;
  readonly principal: Principal;
}

const NAMES = ["name", "preferred_username", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"];
const ROLES = ["roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"];

/**
 * Reads who App Service Authentication says is there. From a sign-in of the site, whose id token has the app roles of
 * the person, but neither scopes nor a client.
 */
export function readVisitor(headers: IncomingHttpHeaders): Visitor | undefined {
  const claims = readClientPrincipal(headers);
  if (!claims) return undefined;
  const valuesOf = (types: readonly string[]) =>
    types.flatMap((type) => claims.filter(({ typ }) => typ === type).map(({ val }) => val));
  return {
    name: valuesOf(NAMES)[0] ?? "you",
    principal: { userId: "", tenantId: "", clientId: "", scopes: [], roles: valuesOf(ROLES) },
  };
}
