import {
  type CryptoKey,
  calculateJwkThumbprint,
  compactVerify,
  createLocalJWKSet,
  exportJWK,
  generateKeyPair,
  type JSONWebKeySet,
  type JWK,
  type JWTPayload,
  SignJWT,
} from "jose";

interface SigningKey {
  readonly privateKey: CryptoKey;
  readonly kid: string;
  readonly publicJwk: JWK;
}

async function generateSigningKey(): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair("RS256");
  const jwk = await exportJWK(publicKey);
  const kid = await calculateJwkThumbprint(jwk);
  // Like Entra's key set: `use` but no `alg`.
  return { privateKey, kid, publicJwk: { ...jwk, kid, use: "sig" } };
}

/** The keys that sign every token of the emulator; the first one signs, the others are still published. */
export class SigningKeys {
  #keys: [current: SigningKey, ...old: SigningKey[]];

  private constructor(first: SigningKey) {
    this.#keys = [first];
  }

  /** Makes a set with one new RSA key. */
  static async create(): Promise<SigningKeys> {
    return new SigningKeys(await generateSigningKey());
  }

  /** The public keys, as the `jwks_uri` serves them. */
  get published(): JSONWebKeySet {
    return { keys: this.#keys.map(({ publicJwk }) => publicJwk) };
  }

  /** Signs with a new key from now on; the old ones stay published. */
  async rotate(): Promise<void> {
    this.#keys = [await generateSigningKey(), ...this.#keys];
  }

  /** Publishes only the key that signs. */
  retireOld(): void {
    this.#keys = [this.#keys[0]];
  }

  /** Signs claims as they are, without adding any. */
  sign(claims: JWTPayload): Promise<string> {
    const [{ privateKey, kid }] = this.#keys;
    return new SignJWT(claims).setProtectedHeader({ typ: "JWT", alg: "RS256", kid }).sign(privateKey);
  }

  /** Returns the claims of a token that a published key signed and `undefined` for any other; lifetime is not checked. */
  async verify(token: string): Promise<JWTPayload | undefined> {
    try {
      const { payload } = await compactVerify(token, createLocalJWKSet(this.published), { algorithms: ["RS256"] });
      return JSON.parse(new TextDecoder().decode(payload)) as JWTPayload;
    } catch {
      return undefined;
    }
  }
}
