import { createHash, createPrivateKey, createPublicKey, hkdfSync, type KeyObject } from "node:crypto";
import type { KeyRing, SigningSecret } from "../mcp/key-ring.ts";

/** The broker's keys, newest first, each for one purpose; all follow from the secrets of the key ring. */
export interface BrokerKeys {
  /** The same text as long as the secrets are the same. */
  readonly generation: string;
  /** Private Ed25519 keys: the first signs access tokens. */
  readonly signing: readonly { readonly id: string; readonly key: KeyObject }[];
  /** Sign the cookies of a sign-in. */
  readonly cookies: readonly string[];
}

/** What PKCS #8 puts before the 32 bytes of an Ed25519 key (RFC 8410, section 7). */
const ED25519_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");

/** Derives the keys of all secrets in use. Rejects while the secrets cannot be had. */
export async function readBrokerKeys(keyRing: KeyRing): Promise<BrokerKeys> {
  const secrets = await keyRing();
  return {
    generation: secrets.map(({ id }) => id).join(" "),
    signing: secrets.map((secret) => ({ id: keyIdOf(secret), key: signingKeyOf(secret) })),
    cookies: secrets.map((secret) => derive(secret, "cookies").toString("base64url")),
  };
}

/** The public key that verifies tokens of this key id; looked for anew when it is not known, as after a rotation. */
export async function findVerificationKey(keyRing: KeyRing, keyId: string): Promise<KeyObject | undefined> {
  const isWanted = (secret: SigningSecret) => keyIdOf(secret) === keyId;
  const secret = (await keyRing(isWanted)).find(isWanted);
  return secret && createPublicKey(signingKeyOf(secret));
}

/** The key that wraps data keys, for the secret of this id, unless it is gone. */
export async function findWrappingKey(keyRing: KeyRing, secretId: string): Promise<Buffer | undefined> {
  const isWanted = ({ id }: SigningSecret) => id === secretId;
  const secret = (await keyRing(isWanted)).find(isWanted);
  return secret && derive(secret, "wrap");
}

/** The newest wrapping key and the id of its secret. */
export async function newestWrappingKey(keyRing: KeyRing): Promise<{ id: string; key: Buffer }> {
  const [secret] = await keyRing();
  if (!secret) throw new Error("The key ring is empty.");
  return { id: secret.id, key: derive(secret, "wrap") };
}

function signingKeyOf(secret: SigningSecret): KeyObject {
  const key = Buffer.concat([ED25519_PREFIX, derive(secret, "sign")]);
  return createPrivateKey({ key, format: "der", type: "pkcs8" });
}

function keyIdOf({ id }: SigningSecret): string {
  return createHash("sha256").update(`broker ${id}`).digest("base64url").slice(0, 16);
}

function derive({ secret }: SigningSecret, purpose: "sign" | "wrap" | "cookies"): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, "", `azure-graph-mcp broker ${purpose}`, 32));
}
