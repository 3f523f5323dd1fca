import { createHash } from "node:crypto";
import { mkdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Mutex } from "async-mutex";
import { ToolError } from "../mcp/tool-error.ts";
import { takeLock } from "./file-lock.ts";
import { KeyringError, type KeyStore, openKeyFile, openKeyring } from "./keyring.ts";
import { RefusedFileError, removePrivateFile } from "./private-file.ts";
import { readSealed, writeSealed } from "./sealed-file.ts";

/** What the sign-in library tells of one access to its cache. */
interface Access {
  readonly cacheHasChanged: boolean;
  readonly tokenCache: { serialize(): string; deserialize(text: string): void };
}

/** Where tokens are kept between runs; a cache plug-in of MSAL. */
export interface TokenCache {
  /** Where and how, in words for a person. */
  readonly place: string;
  /** Must be given, before the first access, what empties MSAL's memory: reading alone would keep what others removed. */
  onRead(clear: () => void): void;
  beforeCacheAccess(access: Access): Promise<void>;
  afterCacheAccess(access: Access): Promise<void>;
}

/** Which registration's tokens. */
export interface CacheOwner {
  readonly authority: string;
  readonly clientId: string;
}

/** Which cache, and what may be done where no keyring is. */
export interface TokenCacheOptions extends CacheOwner {
  readonly withoutKeyring: boolean;
  /** Told, in a sentence, that there is no keyring. */
  readonly onMissingKeyring: (sentence: string) => void;
}

const IN_FILE = "No keyring can be used: the sign-in is kept in a file that every program of yours can read.";
const IN_MEMORY =
  "No keyring can be used: the sign-in is kept in memory and ends with this process. --cache-without-keyring keeps it in a file.";

/**
 * Opens the cache of one registration: an encrypted file whose key the operating system's keyring keeps. Undefined where
 * there is no keyring and a file alone is not allowed: tokens then stay in memory. Rejects with `KeyringError` where a
 * keyring that has the key of a file gives none for now.
 *
 * Servers that run at once share it: they write under a lock and in one step, and read anew at each access. A file that
 * cannot be trusted is neither used nor overwritten: accesses reject with `RefusedFileError`.
 */
export async function openTokenCache(options: TokenCacheOptions): Promise<TokenCache | undefined> {
  const { name, lockFile, byKeyring, byKeyFile, keyFile } = await locate(options);
  try {
    const keyring = await openKeyring(name);
    await prepare(keyring);
    return cacheIn(byKeyring, lockFile, keyring);
  } catch (error) {
    if (!(error instanceof KeyringError)) throw error;
    // The file is good: nobody should have to sign in again because a keyring is locked for a moment.
    if (!error.absent && (await exists(byKeyring))) throw error;
  }
  options.onMissingKeyring(options.withoutKeyring ? IN_FILE : IN_MEMORY);
  if (!options.withoutKeyring) return undefined;
  const store = openKeyFile(keyFile);
  await prepare(store);
  return cacheIn(byKeyFile, lockFile, store);

  /** Makes a key where there is none, which shows that this store keeps one. */
  async function prepare(store: KeyStore): Promise<void> {
    // Before the lock: a keyring may ask the person for a password first, and nobody may hold the lock that long.
    if (!(await store.read())) await underLock(lockFile, () => keyOf(store));
  }
}

/** Deletes what is kept for a registration, files and keys, whatever state they are in. */
export async function forgetTokens(owner: CacheOwner): Promise<void> {
  const { name, lockFile, byKeyring, byKeyFile, keyFile } = await locate(owner);
  // Without a keyring that answers there is no key to forget; asked before the lock, as it may take a password.
  const keyring = await openKeyring(name)
    .then(async (store) => {
      await store.read();
      return store;
    })
    .catch(() => undefined);
  await underLock(lockFile, async () => {
    await Promise.all([byKeyring, byKeyFile, keyFile].map(removePrivateFile));
    await keyring?.forget().catch(() => undefined);
  });
}

/** A file of tokens for each kind of key: a session without the keyring, such as SSH, leaves the keyring's file alone. */
async function locate({ authority, clientId }: CacheOwner) {
  const { default: envPaths } = await import("env-paths");
  const folder = envPaths("azure-graph-mcp", { suffix: "" }).data;
  const name = createHash("sha256").update(`${authority} ${clientId}`).digest("hex").slice(0, 16);
  const file = (ending: string) => join(folder, `${name}.${ending}`);
  return {
    name,
    lockFile: file("lock"),
    byKeyring: file("keyring.tokens"),
    byKeyFile: file("file.tokens"),
    keyFile: file("file.key"),
  };
}

type Unlock = Awaited<ReturnType<typeof takeLock>>;

async function lock(path: string): Promise<Unlock> {
  const folder = dirname(path);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return await takeLock(path);
  } catch (cause) {
    const { code, syscall } = cause as NodeJS.ErrnoException;
    // A file in the folder's place is an EEXIST too, of mkdir.
    if (code === "EEXIST" && syscall === "open") {
      const message = "Another server on this machine is writing the sign-in. Call this again.";
      throw new ToolError("unavailable", message, { cause });
    }
    throw new ToolError("misconfigured", `The folder of the sign-in, ${folder}, cannot be written (${code}).`, {
      cause,
    });
  }
}

async function underLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const unlock = await lock(path);
  try {
    return await work();
  } finally {
    await unlock();
  }
}

/** Under the lock only, so that two servers don't make a key each. */
async function keyOf(store: KeyStore): Promise<Uint8Array> {
  return (await store.read()) ?? (await store.make());
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function cacheIn(path: string, lockFile: string, store: KeyStore): TokenCache {
  let key: Uint8Array | undefined;
  // One access at a time: a read in the middle of a write would take from memory what is about to be written.
  const turns = new Mutex();
  const open = new WeakMap<Access, { leave: () => void; unlock: Unlock | undefined }>();
  let clear = (): void => undefined;

  async function content(): Promise<string | undefined> {
    try {
      return await readSealed(path, key);
    } catch (error) {
      if (!(error instanceof RefusedFileError)) throw error;
      // Another process may have signed out, and in again under a new key.
      key = await store.read();
      return readSealed(path, key);
    }
  }

  /** Reads for a write, and keeps the lock; `key` is the file's, or the one for a new file. */
  async function contentForWriting(): Promise<{ readonly text: string | undefined; readonly unlock: Unlock }> {
    if (key) {
      const unlock = await lock(lockFile);
      const text = await readSealed(path, key).catch(() => undefined);
      if (text !== undefined) return { text, unlock };
      await unlock();
    }
    // Another process may have signed out, and in again under a new key. Asked before the lock, as it may take a password.
    key = await store.read();
    const unlock = await lock(lockFile);
    try {
      const text = await readSealed(path, key);
      // With the file, another process may have deleted the key.
      if (text === undefined) key = await keyOf(store);
      return { text, unlock };
    } catch (error) {
      await unlock();
      throw error;
    }
  }

  return {
    place: `${path}, under a key in ${store.place}`,
    onRead(clearMemory) {
      clear = clearMemory;
    },

    async beforeCacheAccess(access) {
      const leave = await turns.acquire();
      let unlock: Unlock | undefined;
      try {
        // MSAL says before it reads whether it will write: no other process may between the two.
        const found = access.cacheHasChanged ? await contentForWriting() : { text: await content(), unlock: undefined };
        unlock = found.unlock;
        clear();
        access.tokenCache.deserialize(found.text ?? "{}");
        open.set(access, { leave, unlock });
      } catch (error) {
        await unlock?.();
        leave();
        throw error;
      }
    },

    // Called also when the access before it failed: then nothing is open.
    async afterCacheAccess(access) {
      const { leave, unlock } = open.get(access) ?? {};
      open.delete(access);
      try {
        if (unlock && key) await writeSealed(path, key, access.tokenCache.serialize());
      } finally {
        await unlock?.();
        leave?.();
      }
    },
  };
}
