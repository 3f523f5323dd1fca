import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from "jose";
import { listen } from "../../emulators/kernel/listener.ts";

/** The claims of a token; undefined leaves a default out. */
export type Claims = Readonly<Record<string, unknown>>;

/** A stand-in for Entra ID: keys of one tenant, and whatever token a test asks for. */
export interface Issuer {
  /** Plain http origin that serves `/{tenantId}/discovery/v2.0/keys`. */
  readonly origin: string;
  readonly tenantId: string;
  /** The v2.0 issuer of the tenant. */
  readonly openIdIssuer: string;
  /** Requests for the signing keys so far. */
  keyRequests(): number;
  /** Signs `claims` over the defaults `iss`, `tid` and a lifetime of an hour. */
  sign(claims: Claims): Promise<string>;
  /** The same with a key that the tenant does not publish, under the key id of the one that it does. */
  forge(claims: Claims): Promise<string>;
  close(): Promise<void>;
}

// Making RSA keys takes longer than everything else in a test.
const keyPairs = Promise.all([generateKeyPair("RS256"), generateKeyPair("RS256")]);

/** Starts an issuer for `tenantId`. */
export async function startIssuer(tenantId: string): Promise<Issuer> {
  const [published, foreign] = await keyPairs;
  const jwk = { ...(await exportJWK(published.publicKey)), kid: "1", use: "sig", alg: "RS256" };
  let keyRequests = 0;
  const listener = await listen("the test issuer", (req, res) => {
    if (req.url !== `/${tenantId}/discovery/v2.0/keys`) {
      res.writeHead(404).end();
      return;
    }
    keyRequests += 1;
    res.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ keys: [jwk] }));
  });
  const openIdIssuer = `${listener.origin}/${tenantId}/v2.0`;
  const signWith = (key: CryptoKey) => (claims: Claims) => {
    const now = Math.floor(Date.now() / 1000);
    const payload = { iss: openIdIssuer, tid: tenantId, iat: now, nbf: now, exp: now + 3600, ...claims };
    return new SignJWT(payload).setProtectedHeader({ alg: "RS256", kid: "1" }).sign(key);
  };
  return {
    origin: listener.origin,
    tenantId,
    openIdIssuer,
    keyRequests: () => keyRequests,
    sign: signWith(published.privateKey),
    forge: signWith(foreign.privateKey),
    close: () => listener.close(),
  };
}
