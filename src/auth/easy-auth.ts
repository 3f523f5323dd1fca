import type { IncomingHttpHeaders } from "node:http";
import * as z from "zod";
import { AuthError } from "./auth-error.ts";
import type { Caller, Principal } from "./principal.ts";

const clientPrincipal = z.object({
  auth_typ: z.literal("aad"),
  claims: z.array(z.object({ typ: z.string(), val: z.string() })),
});

/** App Service writes claims under the URIs of the .NET claim map, or, configured otherwise, under their short names. */
const CLAIM_TYPES = {
  userId: ["http://schemas.microsoft.com/identity/claims/objectidentifier", "oid"],
  tenantId: ["http://schemas.microsoft.com/identity/claims/tenantid", "tid"],
} as const;

/**
 * Reads the bearer token of a request behind App Service Authentication.
 *
 * The `Authorization` header first; requests of a browser session carry the token in a header of the token store.
 */
export function readBearerToken(headers: IncomingHttpHeaders): string | undefined {
  if (headers.authorization !== undefined) return headers.authorization;
  const stored = headers["x-ms-token-aad-access-token"];
  return typeof stored === "string" ? `Bearer ${stored}` : undefined;
}

/**
 * Demands that the identity which App Service Authentication put into `X-MS-CLIENT-PRINCIPAL` is the token's.
 *
 * The platform removes such headers from the outside and writes its own; a request without one did not come through
 * it, and one with another user's is forged. Throws {@link AuthError} `principal_mismatch`.
 * Source: App Service, "Work with user identities".
 */
export function requireAgreement(headers: IncomingHttpHeaders, principal: Principal): void {
  const claims = readClientPrincipal(headers) ?? [];
  const agrees = (["userId", "tenantId"] as const).every((name) => {
    const values = claims
      .filter(({ typ }) => (CLAIM_TYPES[name] as readonly string[]).includes(typ))
      .map(({ val }) => val);
    return values.length > 0 && values.every((value) => value === principal[name]);
  });
  if (!agrees) throw mismatch(principal);
}

/** Reads the claims of `X-MS-CLIENT-PRINCIPAL`; undefined where it is absent or malformed. On its own it proves nothing. */
export function readClientPrincipal(
  headers: IncomingHttpHeaders,
): readonly { readonly typ: string; readonly val: string }[] | undefined {
  const header = headers["x-ms-client-principal"];
  // `Buffer` skips what is no base64: two headers, joined by a comma, would read as the first of them.
  if (typeof header !== "string" || !/^[\w+/-]+={0,2}$/.test(header)) return undefined;
  try {
    return clientPrincipal.parse(JSON.parse(Buffer.from(header, "base64").toString("utf8"))).claims;
  } catch {
    return undefined;
  }
}

/**
 * Makes a {@link requireAgreement} that decodes a header once for as long as its caller is remembered: the platform
 * writes the same one into every request with the same token.
 */
export function rememberAgreement(): (headers: IncomingHttpHeaders, caller: Caller) => void {
  const agreed = new WeakMap<Caller, string>();
  return (headers, caller) => {
    const header = headers["x-ms-client-principal"];
    if (typeof header === "string" && agreed.get(caller) === header) return;
    requireAgreement(headers, caller.principal);
    agreed.set(caller, String(header));
  };
}

function mismatch({ userId, tenantId, clientId }: Principal): AuthError {
  return new AuthError("principal_mismatch", "The request did not come through App Service Authentication.", {
    userId,
    tenantId,
    clientId,
  });
}
