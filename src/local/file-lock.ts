import { randomUUID } from "node:crypto";
import { link, readFile, rename, stat, unlink, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const RETRY_MS = 25;
const GIVE_UP_MS = 8_000;
/** Nobody holds the lock longer than some milliseconds: one of this age belongs to a process that died. */
const STALE_MS = 5_000;

/**
 * Takes a lock between processes, which is a file that exists, and resolves with what releases it. Rejects when somebody
 * else holds it for eight seconds.
 */
export async function takeLock(path: string): Promise<() => Promise<void>> {
  const mine = randomUUID();
  const deadline = Date.now() + GIVE_UP_MS;
  for (;;) {
    try {
      await writeFile(path, mine, { flag: "wx", mode: 0o600 });
      return () => release(path, mine);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST" || Date.now() > deadline) throw error;
    }
    if (await isStale(path)) await removeStale(path);
    await sleep(RETRY_MS);
  }
}

/** Another process may have taken the lock over, and its own stays. */
async function release(path: string, mine: string): Promise<void> {
  const holder = await readFile(path, "utf8").catch(() => undefined);
  if (holder === mine) await unlink(path).catch(() => undefined);
}

/** Moves the file away before it is looked at again: another process may have replaced it by its own lock meanwhile. */
async function removeStale(path: string): Promise<void> {
  const moved = `${path}.${randomUUID()}`;
  const taken = await rename(path, moved).then(
    () => true,
    () => false,
  );
  if (!taken) return;
  if (!(await isStale(moved))) await link(moved, path).catch(() => undefined);
  await unlink(moved).catch(() => undefined);
}

async function isStale(path: string): Promise<boolean> {
  const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
  return Date.now() - mtimeMs > STALE_MS;
}
