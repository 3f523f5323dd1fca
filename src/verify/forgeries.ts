import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { type Deployment, firstOf } from "./deployment.ts";
import { objectIn } from "./messages.ts";

/** What a token says, as far as forging one needs it. */
export type Claims = Readonly<Record<string, unknown>>;

/** Signs nothing. */
export function unsignedToken(deployment: Deployment): string {
  return `${signedPart(deployment, "none")}.`;
}

/** Signs with a key that nobody published, under the id of one that the authorization server did. */
export function foreignToken(deployment: Deployment): string {
  const { algorithm = "RS256" } = keyOf(deployment) ?? {};
  const isEdwards = algorithm === "EdDSA";
  const { privateKey } = isEdwards
    ? generateKeyPairSync("ed25519")
    : generateKeyPairSync("rsa", { modulusLength: 2048 });
  const signed = signedPart(deployment, algorithm);
  return `${signed}.${sign(isEdwards ? null : "sha256", Buffer.from(signed), privateKey).toString("base64url")}`;
}

/** Signs with the authorization server's public key as if it were a shared secret; undefined where it publishes none. */
export function confusedToken(deployment: Deployment): string | undefined {
  const key = keyOf(deployment);
  if (!key) return undefined;
  const signed = signedPart(deployment, "HS256");
  return `${signed}.${createHmac("sha256", key.pem).update(signed).digest("base64url")}`;
}

/** A good token with another role in it and the old signature. */
export function tamperedToken(token: string): string {
  const [header, , signature] = token.split(".");
  const { roles, ...claims } = claimsOf(token);
  return `${header}.${encode({ ...claims, roles: [...(Array.isArray(roles) ? roles : []), "Mcp.Admin"] })}.${signature}`;
}

/** What App Service Authentication would say of somebody who signed in. */
export function spoofedPrincipal(): Readonly<Record<string, string>> {
  const principal = {
    auth_typ: "aad",
    claims: [
      { typ: "http://schemas.microsoft.com/identity/claims/objectidentifier", val: NOBODY },
      { typ: "http://schemas.microsoft.com/identity/claims/tenantid", val: NOBODY },
    ],
    name_typ: "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
    role_typ: "http://schemas.microsoft.com/ws/2008/06/identity/claims/role",
  };
  return {
    "x-ms-client-principal": Buffer.from(JSON.stringify(principal)).toString("base64"),
    "x-ms-client-principal-id": NOBODY,
    "x-ms-client-principal-name": "nobody@example.com",
    "x-ms-client-principal-idp": "aad",
  };
}

/** The claims of a token, unverified; none where it is no JWT. */
export function claimsOf(token: string): Claims {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"));
    return typeof claims === "object" && claims !== null ? (claims as Claims) : {};
  } catch {
    return {};
  }
}

const NOBODY = "00000000-0000-0000-0000-000000000001";

/** Header and claims of a token to which only a signature is missing. */
function signedPart(deployment: Deployment, alg: string): string {
  // RFC 9068: the broker's own tokens say what they are, Entra's do not.
  const typ = deployment.isBroker ? "at+jwt" : "JWT";
  return `${encode({ alg, typ, kid: keyOf(deployment)?.id ?? "unknown" })}.${encode(plausibleClaims(deployment))}`;
}

/** A real token's claims where there is one, otherwise what can be learned from outside. */
function plausibleClaims(deployment: Deployment): Claims {
  const { token, isBroker } = deployment;
  const now = Math.floor(Date.now() / 1000);
  return {
    ...(isBroker ? brokerClaims(deployment) : entraClaims(deployment)),
    ...(token === undefined ? {} : claimsOf(token)),
    iat: now - 60,
    ...(isBroker ? {} : { nbf: now - 60 }),
    exp: now + 3600,
  };
}

/** Without a real token the grant is one that does not exist, which nobody outside can help. */
function brokerClaims({ url, metadata }: Deployment): Claims {
  const document = objectIn(metadata);
  return {
    iss: firstOf(document, "authorization_servers"),
    aud: url.href,
    sub: `${NOBODY}.${NOBODY}`,
    oid: NOBODY,
    tid: NOBODY,
    roles: [],
    scope: firstOf(document, "scopes_supported") ?? "",
    client_id: NOBODY,
    gid: NOBODY,
    jti: NOBODY,
  };
}

function entraClaims({ url, metadata }: Deployment): Claims {
  const issuer = firstOf(objectIn(metadata), "authorization_servers") ?? "";
  const [, tenant = NOBODY] = URL.canParse(issuer) ? new URL(issuer).pathname.split("/") : [];
  const scope = firstOf(objectIn(metadata), "scopes_supported") ?? "";
  return {
    ver: "2.0",
    iss: issuer,
    aud: url.href,
    oid: NOBODY,
    sub: NOBODY,
    tid: tenant,
    azp: NOBODY,
    scp: scope.slice(scope.lastIndexOf("/") + 1),
  };
}

function keyOf({ authorizationServer }: Deployment) {
  return typeof authorizationServer === "object" ? authorizationServer.key : undefined;
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
