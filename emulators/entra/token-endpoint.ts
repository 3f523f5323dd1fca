import type { RequestHandler } from "express";
import { type Authority, tenantOf } from "./authority.ts";
import { redeemAuthorizationCode } from "./authorization-code.ts";
import { readClientRequest } from "./client-authentication.ts";
import { grantClientCredentials } from "./client-credentials.ts";
import { redeemDeviceCode } from "./device-code.ts";
import { EntraError } from "./errors.ts";
import { formOf } from "./form.ts";
import { exchangeOnBehalfOf } from "./on-behalf-of.ts";
import { redeemRefreshToken } from "./refresh-token.ts";
import { type GrantHandler, requireField } from "./token-request.ts";

const GRANTS: ReadonlyMap<string, GrantHandler> = new Map([
  ["authorization_code", redeemAuthorizationCode],
  ["refresh_token", redeemRefreshToken],
  ["client_credentials", grantClientCredentials],
  ["urn:ietf:params:oauth:grant-type:jwt-bearer", exchangeOnBehalfOf],
  ["urn:ietf:params:oauth:grant-type:device_code", redeemDeviceCode],
  // MSAL says it without the URN.
  ["device_code", redeemDeviceCode],
]);

/** The token endpoint, for every grant. */
export function token(authority: Authority): RequestHandler {
  return async (req, res) => {
    const tenant = tenantOf(authority, req);
    const form = formOf(req);
    const grantType = requireField(form, "grant_type");
    const grant = GRANTS.get(grantType);
    if (!grant) throw new EntraError(70003, [grantType]);
    const clientRequest = readClientRequest(tenant, req, form);
    // Only single-page applications get past the checks of a request from a browser.
    if (req.headers.origin !== undefined) res.set("access-control-allow-origin", req.headers.origin);
    const tokens = await grant({ authority, tenant, form, clientRequest });
    res.set({ "cache-control": "no-store", pragma: "no-cache" }).json(tokens);
  };
}
