import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { RefusedFileError, readPrivateFile, writePrivateFile } from "./sealed-file.ts";

/** Keeps one random key. */
export interface KeyStore {
  /** Where the key is, in a few words. */
  readonly place: string;
  /** The key; made when there is none yet. Rejects when the store cannot be used. */
  key(): Promise<Uint8Array>;
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
    async key() {
      const known = await entry.getSecret(AbortSignal.timeout(UNLOCK_MS));
      if (known?.length === KEY_BYTES) return Uint8Array.from(known);
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
    async key() {
      const known = await readPrivateFile(path);
      if (known?.length === KEY_BYTES) return known;
      if (known) throw new RefusedFileError(`The key file ${path} is damaged. Run "azure-graph-mcp logout".`);
      const made = randomBytes(KEY_BYTES);
      await writePrivateFile(path, made);
      return made;
    },
    forget: () => rm(path, { force: true }),
  };
}
