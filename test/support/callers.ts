import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { people } from "../../emulators/contoso/users.ts";
import type { Caller, Principal } from "../../src/auth/principal.ts";

/** Adele Vance, signed in to the sample client, with the role for writing. */
export const ADELE: Principal = {
  userId: people.normal.id,
  tenantId: CONTOSO.tenantId,
  clientId: CONTOSO.sampleClientId,
  scopes: [CONTOSO.scope],
  roles: ["Mcp.Write"],
};

/** A caller whose access token is this text. */
export function callerWith(accessToken: string, principal: Principal = ADELE): Caller {
  return { principal, accessToken, expiresAt: Math.floor(Date.now() / 1000) + 3600 };
}
