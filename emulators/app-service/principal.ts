import type { JWTPayload } from "jose";
import type { AppServiceSwitches } from "./switches.ts";

const XMLSOAP = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims";
const MICROSOFT = "http://schemas.microsoft.com/identity/claims";
const ROLE_TYPE = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role";

const LONG_NAMES: Readonly<Record<string, string>> = {
  oid: `${MICROSOFT}/objectidentifier`,
  tid: `${MICROSOFT}/tenantid`,
  sub: `${XMLSOAP}/nameidentifier`,
  email: `${XMLSOAP}/emailaddress`,
  idp: `${MICROSOFT}/identityprovider`,
  scp: `${MICROSOFT}/scope`,
};

/** One claim in the form that App Service hands to applications. */
export interface PrincipalClaim {
  readonly typ: string;
  readonly val: string;
}

/** The claims of a token under the names that the platform gives them; a list becomes one claim per entry. */
export function principalClaims(claims: JWTPayload, names: "long" | "short"): PrincipalClaim[] {
  return Object.entries(claims).flatMap(([name, value]) => {
    const typ = (names === "long" ? LONG_NAMES[name] : undefined) ?? name;
    const values: readonly unknown[] = Array.isArray(value) ? value : [value];
    return values.map((entry) => ({ typ, val: typeof entry === "string" ? entry : JSON.stringify(entry) }));
  });
}

/** What the platform calls the signed-in user: `upn`, `preferred_username` or `email`; undefined for an application. */
export function principalName(claims: JWTPayload): string | undefined {
  return [claims["upn"], claims["preferred_username"], claims["email"]].find((name) => typeof name === "string");
}

/** The `X-MS-CLIENT-PRINCIPAL*` headers of a request by the holder of `claims`. */
export function principalHeaders(claims: JWTPayload, switches: AppServiceSwitches): Record<string, string> {
  const principal = {
    auth_typ: "aad",
    claims: principalClaims(claims, switches["easyauth.claimNames"]),
    name_typ: `${XMLSOAP}/${switches["easyauth.nameType"]}`,
    role_typ: ROLE_TYPE,
  };
  const name = principalName(claims);
  return {
    "X-MS-CLIENT-PRINCIPAL": Buffer.from(JSON.stringify(principal)).toString("base64"),
    ...(typeof claims["oid"] === "string" ? { "X-MS-CLIENT-PRINCIPAL-ID": claims["oid"] } : {}),
    // node:http takes header values as latin1: this sends a name with other letters as its UTF-8 bytes.
    ...(name ? { "X-MS-CLIENT-PRINCIPAL-NAME": Buffer.from(name).toString("latin1") } : {}),
    "X-MS-CLIENT-PRINCIPAL-IDP": "aad",
  };
}
