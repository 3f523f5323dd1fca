import { createHash } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Mutex } from "async-mutex";
import { takeLock } from "./file-lock.ts";
import { type KeyStore, openKeyFile, openKeyring } from "./keyring.ts";
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
 * there is no keyring and a file alone is not allowed: tokens then stay in memory.
 *
 * Servers that run at once share it: they write under a lock and in one step, and read anew at each access. A file that
 * cannot be trusted is neither used nor overwritten: accesses reject with `RefusedFileError`.
 */
export async function openTokenCache(options: TokenCacheOptions): Promise<TokenCache | undefined> {
  const { name, tokens, keyFile } = await locate(options);
  const store = await prepare(() => openKeyring(name)).catch(() => {
    options.onMissingKeyring(options.withoutKeyring ? IN_FILE : IN_MEMORY);
    return options.withoutKeyring ? prepare(async () => openKeyFile(keyFile)) : undefined;
  });
  return store && cacheIn(tokens, store);

  async function prepare(openStore: () => Promise<KeyStore>) {
    const store = await openStore();
    // Before the lock: a keyring may ask the person for a password first, and nobody may hold the lock that long.
    return { place: store.place, key: (await store.read()) ?? (await makeKey(store)) };
  }

  /** Under the lock, so that two servers that start at once don't make a key each. */
  async function makeKey(store: KeyStore) {
    const unlock = await lock(tokens);
    try {
      return (await store.read()) ?? (await store.make());
    } finally {
      await unlock();
    }
  }
}

/** Deletes what is kept for a registration, file and key, whatever state they are in. */
export async function forgetTokens(owner: CacheOwner): Promise<void> {
  const { name, tokens, keyFile } = await locate(owner);
  await Promise.all([rm(tokens, { force: true }), rm(keyFile, { force: true })]);
  // Without a keyring there is no key to forget.
  await openKeyring(name)
    .then((store) => store.forget())
    .catch(() => undefined);
}

async function locate({ authority, clientId }: CacheOwner) {
  const { default: envPaths } = await import("env-paths");
  const folder = envPaths("azure-graph-mcp", { suffix: "" }).data;
  const name = createHash("sha256").update(`${authority} ${clientId}`).digest("hex").slice(0, 16);
  return { name, tokens: join(folder, `${name}.tokens`), keyFile: join(folder, `${name}.key`) };
}

type Unlock = Awaited<ReturnType<typeof takeLock>>;

async function lock(path: string): Promise<Unlock> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  return takeLock(`${path}.lock`);
}

function cacheIn(path: string, { place, key }: { place: string; key: Uint8Array }): TokenCache {
  // One access at a time: a read in the middle of a write would take from memory what is about to be written.
  const turns = new Mutex();
  const open = new WeakMap<Access, { leave: () => void; unlock: Unlock | undefined }>();
  let clear = (): void => undefined;
  return {
    place: `${path}, under a key in ${place}`,
    onRead(clearMemory) {
      clear = clearMemory;
    },

    async beforeCacheAccess(access) {
      const leave = await turns.acquire();
      let unlock: Unlock | undefined;
      try {
        // MSAL says before it reads whether it will write: no other process may between the two.
        if (access.cacheHasChanged) unlock = await lock(path);
        const text = (await readSealed(path, key)) ?? "{}";
        clear();
        access.tokenCache.deserialize(text);
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
        if (unlock) await writeSealed(path, key, access.tokenCache.serialize());
      } finally {
        await unlock?.();
        leave?.();
      }
    },
  };
}
