import type { RequestHandler } from "express";
import { errors } from "jose";
import { type AccessTokenClaims, createAccessTokenVerifier } from "../kernel/access-tokens.ts";
import { sendError } from "./errors.ts";

/** Who may read the secrets of a vault. */
export interface Authorization {
  /** Plain http origin of the Entra emulator, for its signing keys. */
  readonly entraOrigin: string;
  /** The https origin of Entra that the challenge names. */
  readonly authority: string;
  readonly tenantId: string;
  /** Object ids that hold the role Key Vault Secrets User; without the list everybody in the tenant does. */
  readonly readers?: readonly string[];
}

const AUDIENCE = "https://vault.azure.net";

/** Admits requests that the role Key Vault Secrets User allows, with a token of the tenant for Key Vault. */
export function requireReader({ entraOrigin, authority, tenantId, readers }: Authorization): RequestHandler {
  const verify = createAccessTokenVerifier(entraOrigin, tenantId);
  const challenge = `Bearer authorization="${authority}/${tenantId}", resource="${AUDIENCE}"`;
  return async (req, res, next) => {
    const unauthorized = (message: string) => {
      res.set("WWW-Authenticate", challenge);
      sendError(res, 401, "Unauthorized", message);
    };
    const token = /^Bearer +(\S+)$/i.exec(req.headers.authorization ?? "")?.[1];
    if (!token) return unauthorized("AKV10000: Request is missing a Bearer or PoP token.");

    const claims = await verify(token).catch(refusalOf);
    if (typeof claims === "string") return unauthorized(claims);
    if (claims.aud !== AUDIENCE) {
      return unauthorized(`AKV10022: Invalid audience. Expected ${AUDIENCE}, found: ${claims.aud}.`);
    }
    if (claims.tid !== tenantId) return unauthorized("AKV10032: Invalid issuer.");

    const reads = req.method === "GET";
    if (reads && (!readers || readers.includes(claims.oid))) next();
    else sendError(res, 403, "Forbidden", describeCaller(claims, reads ? "getSecret" : "setSecret"), "ForbiddenByRbac");
  };
}

function refusalOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return "AKV10076: Token is expired.";
  if (error instanceof errors.JOSEError && !(error instanceof errors.JWKSTimeout)) return "AKV10046: Invalid token.";
  throw error;
}

function describeCaller({ client, oid, iss }: AccessTokenClaims, action: "getSecret" | "setSecret"): string {
  return [
    "Caller is not authorized to perform action on resource.",
    `Caller: appid=${client};oid=${oid};iss=${iss}`,
    `Action: 'Microsoft.KeyVault/vaults/secrets/${action}/action'`,
    "Assignment: (not found)",
  ].join("\r\n");
}
