import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { RefusedFileError, readPrivateFile, writePrivateFile } from "./sealed-file.ts";

/** Keeps one random key. */
export interface KeyStore {
  /** Where the key is, in a few words. */
  readonly place: string;
  /** The key, or undefined when there is none yet. Rejects when the store cannot be used. */
  read(): Promise<Uint8Array | undefined>;
  /** Makes the key, in place of one that is there. */
  make(): Promise<Uint8Array>;
  forget(): Promise<void>;
}

const SERVICE = "azure-graph-mcp";
const KEY_BYTES = 32;
/** Unlocking may ask the person for a password. */
const UNLOCK_MS = 60_000;

/**
 * The operating system's keyring: Keychain, Windows Credential Manager, Secret Service. Only the key goes there, because
 * Windows takes no more than 2.5 KB. Rejects where there is none.
 */
export async function openKeyring(name: string): Promise<KeyStore> {
  // Loaded when somebody signs in: it brings a binary.
  const { AsyncEntry } = await import("@napi-rs/keyring");
  // Without the pin Linux falls back to the kernel's keyring, which forgets at the next start.
  const entry = new AsyncEntry(SERVICE, name, { linux: { store: "secret-service" } });
  return {
    place: "the system's keyring",
    async read() {
      const known = await entry.getSecret(AbortSignal.timeout(UNLOCK_MS));
      return known?.length === KEY_BYTES ? Uint8Array.from(known) : undefined;
    },
    async make() {
      const made = randomBytes(KEY_BYTES);
      await entry.setSecret(made, AbortSignal.timeout(UNLOCK_MS));
      return made;
    },
    async forget() {
      await entry.deleteCredential(AbortSignal.timeout(UNLOCK_MS));
    },
  };
}

/** A key in a file that only its owner can read: it keeps out other users, but no program of this one. */
export function openKeyFile(path: string): KeyStore {
  return {
    place: `the file ${path}`,
    async read() {
      const known = await readPrivateFile(path);
      if (!known || known.length === KEY_BYTES) return known;
      throw new RefusedFileError(`The key file ${path} is damaged. Run "azure-graph-mcp logout".`);
    },
    async make() {
      const made = randomBytes(KEY_BYTES);
      await writePrivateFile(path, made);
      return made;
    },
    forget: () => rm(path, { force: true }),
  };
}
