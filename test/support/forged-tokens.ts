import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, importJWK, type JWK, SignJWT } from "jose";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import type { Stack } from "./stack.ts";

/** Claims to replace in a token; `undefined` leaves one out. */
export type Claims = Readonly<Record<string, unknown>>;

/** What an access token of the sample tenant says beside its defaults. */
export interface TokenChoices {
  readonly claims?: Claims;
  readonly client?: string;
  readonly mfa?: boolean;
}

/** A good access token for the server, with the sample client's signature and Adele Vance as default. */
export function userToken(
  { entra, mcpUrl }: Pick<Stack, "entra" | "mcpUrl">,
  user = "AdeleV",
  { claims = {}, client = CONTOSO.sampleClientId, mfa = false }: TokenChoices = {},
): Promise<string> {
  return entra.issueAccessToken({ user, client, scope: `${mcpUrl}/${CONTOSO.scope}`, claims, mfa });
}

/** The claims of a token, unverified. */
export function claimsOf(token: string): Readonly<Record<string, unknown>> {
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8")) as Record<string, unknown>;
}

/** What App Service would say of a token's holder: its `X-MS-CLIENT-PRINCIPAL`. */
export function principalHeader(claims: Readonly<Record<string, unknown>>): string {
  const principal = {
    auth_typ: "aad",
    claims: [
      { typ: "http://schemas.microsoft.com/identity/claims/objectidentifier", val: String(claims["oid"]) },
      { typ: "http://schemas.microsoft.com/identity/claims/tenantid", val: String(claims["tid"]) },
    ],
    name_typ: "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
    role_typ: "http://schemas.microsoft.com/ws/2008/06/identity/claims/role",
  };
  return Buffer.from(JSON.stringify(principal)).toString("base64");
}

/** Signs what Entra never would. */
export interface Forger {
  /** The key that Entra publishes, with its `kid`. */
  readonly published: JWK;
  /** The forger's own public key. */
  readonly own: JWK;
  /** The published key as text, the "secret" of a confused verifier. */
  readonly publishedPem: string;
  /** Signs with the forger's key; the header says what the attack wants it to. */
  sign(claims: Claims, header: Readonly<Record<string, unknown>>): Promise<string>;
  /** Signs with a shared secret (HS256). */
  signWithSecret(claims: Claims, secret: string, header: Readonly<Record<string, unknown>>): Promise<string>;
  /** A token without a signature under any header. */
  unsigned(claims: Claims, header: Readonly<Record<string, unknown>>): string;
}

/** Makes a forger who knows everything that Entra publishes. */
export async function createForger({ entra }: Pick<Stack, "entra">): Promise<Forger> {
  const response = await fetch(`${entra.httpOrigin}/${CONTOSO.tenantId}/discovery/v2.0/keys`);
  const { keys } = (await response.json()) as { keys: JWK[] };
  const [published] = keys;
  if (!published) throw new Error("Entra publishes no key.");
  const { privateKey, publicKey } = await generateKeyPair("RS256");
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return {
    published,
    own: await exportJWK(publicKey),
    publishedPem: await exportSPKI((await importJWK(published, "RS256", { extractable: true })) as CryptoKey),
    sign: (claims, header) => new SignJWT(claims).setProtectedHeader({ alg: "RS256", ...header }).sign(privateKey),
    signWithSecret: (claims, secret, header) =>
      new SignJWT(claims).setProtectedHeader({ alg: "HS256", ...header }).sign(Buffer.from(secret)),
    unsigned: (claims, header) => `${encode(header)}.${encode(claims)}.`,
  };
}
