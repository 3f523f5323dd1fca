import { randomBytes } from "node:crypto";
import { untilAborted } from "../mcp/abort.ts";
import { RefusedFileError, readPrivateFile, removePrivateFile, writePrivateFile } from "./private-file.ts";

/** The system's keyring gave or took no key; the message says what to do. */
export class KeyringError extends Error {
  override readonly name = "KeyringError";
  /** Whether there is none in this session; otherwise it is locked or does not answer, which may pass. */
  readonly absent: boolean;

  constructor(cause: unknown, { absent }: { readonly absent: boolean }) {
    super(
      'The system\'s keyring is locked or does not answer, and the sign-in on this machine is kept under its key. Unlock it and call this again, or run "azure-graph-mcp logout" to give up that sign-in.',
      { cause },
    );
    this.absent = absent;
  }
}

/** Keeps one random key. Methods reject with {@link KeyringError} or `RefusedFileError` when the store cannot be used. */
export interface KeyStore {
  /** Where the key is, in a few words. */
  readonly place: string;
  /** The key, or undefined when there is none yet. */
  read(): Promise<Uint8Array | undefined>;
  /** Makes the key, in place of one that is there. */
  make(): Promise<Uint8Array>;
  forget(): Promise<void>;
}

const SERVICE = "azure-graph-mcp";
const KEY_BYTES = 32;
/** Unlocking may ask the person for a password. */
const UNLOCK_MS = 60_000;
/** What the Secret Service's library says where no session bus is, or nobody on it who keeps secrets. */
const ABSENT = /autolaunch|connect to socket|not provided by any|Secret Service provider/i;

/**
 * The operating system's keyring: Keychain, Windows Credential Manager, Secret Service. Only the key goes there, because
 * Windows takes no more than 2.5 KB. Rejects with {@link KeyringError} where none can be reached.
 */
export async function openKeyring(name: string): Promise<KeyStore> {
  // Loaded when somebody signs in: it brings a binary.
  const { AsyncEntry } = await import("@napi-rs/keyring").catch((error: unknown) => {
    throw new KeyringError(error, { absent: true });
  });
  // Without the pin Linux falls back to the kernel's keyring, which forgets at the next start.
  const entry = await answered(async () => new AsyncEntry(SERVICE, name, { linux: { store: "secret-service" } }));
  return {
    place: "the system's keyring",
    async read() {
      const known = await answered(() => entry.getSecret());
      return known?.length === KEY_BYTES ? Uint8Array.from(known) : undefined;
    },
    async make() {
      const made = randomBytes(KEY_BYTES);
      await answered(() => entry.setSecret(made));
      return made;
    },
    async forget() {
      await answered(() => entry.deleteCredential());
    },
  };
}

/** The library's own signal stops only what has not begun. */
async function answered<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await untilAborted(ask(), AbortSignal.timeout(UNLOCK_MS));
  } catch (error) {
    throw new KeyringError(error, { absent: ABSENT.test((error as Error).message) });
  }
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
    forget: () => removePrivateFile(path),
  };
}
