import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import type { KeyRing } from "../mcp/key-ring.ts";
import { findWrappingKey, newestWrappingKey } from "./keys.ts";
import type { BrokerStore } from "./store.ts";

/** Whose value it is: an id that is hashed before it is stored, and words that the value is bound to. */
export interface Entry {
  readonly kind: string;
  readonly id: string;
  /** Whoever reads must name the same user and client. */
  readonly boundTo?: string;
}

/** A {@link BrokerStore} whose content means nothing without the key ring. */
export interface Vault {
  get<T>(entry: Entry): Promise<T | undefined>;
  put(entry: Entry, value: unknown, ttlMs: number): Promise<void>;
  /** Writes only what is still there; says whether it was. */
  replace(entry: Entry, value: unknown): Promise<boolean>;
  /** Lets what is still there live for this time from now; says whether it was. */
  extend(entry: Entry, ttlMs: number): Promise<boolean>;
  /** Reads once: whoever comes second gets nothing. */
  take<T>(entry: Entry): Promise<T | undefined>;
  delete(...entries: Entry[]): Promise<void>;
  /** Whether it is the first to say so. */
  claim(entry: Entry, ttlMs: number): Promise<boolean>;
  has(entry: Entry): Promise<boolean>;
  /** Sets of words that are no secrets. */
  readonly sets: {
    add(entry: Entry, member: string, ttlMs: number): Promise<void>;
    remove(entry: Entry, member: string): Promise<void>;
    read(entry: Entry): Promise<string[]>;
  };
}

const CIPHER = "aes-256-gcm";
const IV_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Seals every value before it is stored: a data key of its own encrypts it, and a key that follows from Key Vault wraps
 * the data key. Kind, id and `boundTo` are authenticated with it, so that no value can take another's place.
 *
 * Ids (authorization codes, refresh tokens) are stored as hashes. A value that does not open is as good as absent.
 */
export function createVault(store: BrokerStore, keyRing: KeyRing): Vault {
  const keyOf = ({ kind, id }: Entry) => `broker:${kind}:${createHash("sha256").update(id).digest("base64url")}`;
  const contextOf = (entry: Entry) => Buffer.from(`${keyOf(entry)}\n${entry.boundTo ?? ""}`);

  async function seal(entry: Entry, value: unknown): Promise<string> {
    const { id, key } = await newestWrappingKey(keyRing);
    const dataKey = randomBytes(32);
    const content = encrypt(dataKey, Buffer.from(JSON.stringify(value)), contextOf(entry));
    return [id, encrypt(key, dataKey, contextOf(entry)), content].join(" ");
  }

  async function open<T>(entry: Entry, sealed: string | undefined): Promise<T | undefined> {
    if (sealed === undefined) return undefined;
    const [secretId = "", wrapped = "", content = ""] = sealed.split(" ");
    const key = await findWrappingKey(keyRing, secretId);
    const dataKey = key && decrypt(key, wrapped, contextOf(entry));
    const opened = dataKey && decrypt(dataKey, content, contextOf(entry));
    return opened && (JSON.parse(opened.toString()) as T);
  }

  return {
    get: async (entry) => open(entry, await store.get(keyOf(entry))),
    put: async (entry, value, ttlMs) => store.set(keyOf(entry), await seal(entry, value), ttlMs),
    replace: async (entry, value) => store.replace(keyOf(entry), await seal(entry, value)),
    extend: (entry, ttlMs) => store.extend(keyOf(entry), ttlMs),
    take: async (entry) => open(entry, await store.take(keyOf(entry))),
    delete: (...entries) => store.delete(...entries.map(keyOf)),
    claim: (entry, ttlMs) => store.claim(keyOf(entry), ttlMs),
    has: async (entry) => (await store.get(keyOf(entry))) !== undefined,
    sets: {
      add: (entry, member, ttlMs) => store.addMember(keyOf(entry), member, ttlMs),
      remove: (entry, member) => store.removeMember(keyOf(entry), member),
      read: (entry) => store.members(keyOf(entry)),
    },
  };
}

function encrypt(key: Uint8Array, content: Uint8Array, context: Uint8Array): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, key, iv).setAAD(context);
  const body = Buffer.concat([cipher.update(content), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), body]).toString("base64url");
}

function decrypt(key: Uint8Array, sealed: string, context: Uint8Array): Buffer | undefined {
  const bytes = Buffer.from(sealed, "base64url");
  if (bytes.length < IV_BYTES + TAG_BYTES) return undefined;
  const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
    .setAAD(context)
    .setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]);
  } catch {
    return undefined;
  }
}
