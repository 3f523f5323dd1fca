import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { listen } from "../../emulators/kernel/listener.ts";

/** Signs access tokens with arbitrary claims and publishes its keys where the Entra emulator would. */
export interface TokenIssuer {
  /** Plain http origin; the keys of any tenant are at `/{tenant}/discovery/v2.0/keys`. */
  readonly origin: string;
  /** Signs a token that lives for an hour unless the claims say otherwise. */
  sign(claims: Readonly<Record<string, unknown>>): Promise<string>;
  close(): Promise<void>;
}

/** Starts a token issuer with a fresh key. */
export async function startTokenIssuer(): Promise<TokenIssuer> {
  const { privateKey, publicKey } = await generateKeyPair("RS256");
  const key = { ...(await exportJWK(publicKey)), kid: "test", use: "sig", alg: "RS256" };
  const listener = await listen("the test's token issuer", (req, res) => {
    const found = /^\/[^/]+\/discovery\/v2\.0\/keys$/.test(req.url ?? "");
    res.writeHead(found ? 200 : 404, { "Content-Type": "application/json" });
    res.end(JSON.stringify(found ? { keys: [key] } : {}));
  });
  return {
    origin: listener.origin,
    sign(claims) {
      const now = Math.floor(Date.now() / 1000);
      return new SignJWT({ iat: now, nbf: now, exp: now + 3600, ...claims })
        .setProtectedHeader({ alg: "RS256", typ: "JWT", kid: "test" })
        .sign(privateKey);
    },
    close: () => listener.close(),
  };
}
