import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { open, readdir, rename, rm, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** A file that is not what this program wrote, or that others can get at; the message says what to do. */
export class RefusedFileError extends Error {
  override readonly name = "RefusedFileError";
}

const MAX_BYTES = 4 * 1024 * 1024;
/** How {@link writePrivateFile} names what is not complete yet. */
const UNFINISHED = /\.[\da-f-]{36}$/;

/**
 * Reads a file that only its owner can read or write; undefined when there is none. Throws {@link RefusedFileError} when
 * it is a link, somebody else's, or open to others.
 */
export async function readPrivateFile(path: string): Promise<Buffer | undefined> {
  const file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw refusedFile(path, "cannot be opened", error);
    },
  );
  if (!file) return undefined;
  try {
    const { mode, uid, size } = await file.stat();
    // Windows has no such bits: there the folder belongs to the user alone.
    if (process.getuid && (uid !== process.getuid() || (mode & 0o077) !== 0)) {
      throw refusedFile(path, "belongs to somebody else, or can be read by others");
    }
    if (size > MAX_BYTES) throw refusedFile(path, "is damaged");
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** Writes a file that only its owner can read, in one step: whoever reads it sees the old or the new one whole. */
export async function writePrivateFile(path: string, content: Uint8Array): Promise<void> {
  const next = `${path}.${randomUUID()}`;
  try {
    const file = await open(next, "wx", 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(next, path);
  } catch (error) {
    await unlink(next).catch(() => undefined);
    throw error;
  }
}

/** Removes a private file, and what writers of it left that were killed. */
export async function removePrivateFile(path: string): Promise<void> {
  const [folder, name] = [dirname(path), basename(path)];
  const left = (await readdir(folder)).filter((other) => other.startsWith(`${name}.`) && UNFINISHED.test(other));
  await Promise.all([name, ...left].map((file) => rm(join(folder, file), { force: true })));
}

/** Makes the error for a file that is not used: what is wrong with it, and what to do. */
export function refusedFile(path: string, what: string, cause?: unknown): RefusedFileError {
  return new RefusedFileError(
    `The file with the sign-in, ${path}, ${what}. It is not used. Run "azure-graph-mcp logout", which deletes it, and sign in again: nothing else is lost.`,
    { cause },
  );
}
