import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { open, readdir, rename, rm, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** A file that is not what this program wrote, or that others can get at; the message says what to do. */
export class RefusedFileError extends Error {
  override readonly name = "RefusedFileError";
}

const FORMAT = Buffer.from("AGM1");
const IV_BYTES = 12;
const TAG_BYTES = 16;
const HEADER_BYTES = FORMAT.length + IV_BYTES + TAG_BYTES;
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
      throw refusal(path, "cannot be opened", error);
    },
  );
  if (!file) return undefined;
  try {
    const { mode, uid, size } = await file.stat();
    // Windows has no such bits: there the folder belongs to the user alone.
    if (process.getuid && (uid !== process.getuid() || (mode & 0o077) !== 0)) {
      throw refusal(path, "belongs to somebody else, or can be read by others");
    }
    if (size > MAX_BYTES) throw refusal(path, "is damaged");
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

/**
 * Reads what {@link writeSealed} wrote; undefined when there is no file. Throws {@link RefusedFileError}, also where there
 * is a file and no key for it.
 */
export async function readSealed(path: string, key: Uint8Array | undefined): Promise<string | undefined> {
  const bytes = await readPrivateFile(path);
  if (!bytes) return undefined;
  try {
    if (!key) throw new Error("There is no key.");
    const iv = bytes.subarray(FORMAT.length, FORMAT.length + IV_BYTES);
    const decipher = createDecipheriv("aes-256-gcm", key, iv, { authTagLength: TAG_BYTES })
      .setAAD(boundTo(path))
      .setAuthTag(bytes.subarray(FORMAT.length + IV_BYTES, HEADER_BYTES));
    return Buffer.concat([decipher.update(bytes.subarray(HEADER_BYTES)), decipher.final()]).toString("utf8");
  } catch (cause) {
    throw refusal(path, "is damaged, or was written with another key", cause);
  }
}

/** Encrypts text (AES-256-GCM) into a private file; it opens under the same key and file name only. */
export async function writeSealed(path: string, key: Uint8Array, text: string): Promise<void> {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv("aes-256-gcm", key, iv).setAAD(boundTo(path));
  const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
  await writePrivateFile(path, Buffer.concat([FORMAT, iv, cipher.getAuthTag(), sealed]));
}

function boundTo(path: string): Buffer {
  return Buffer.concat([FORMAT, Buffer.from(basename(path))]);
}

function refusal(path: string, what: string, cause?: unknown): RefusedFileError {
  return new RefusedFileError(
    `The file with the sign-in, ${path}, ${what}. It is not used. Run "azure-graph-mcp logout", which deletes it, and sign in again: nothing else is lost.`,
    { cause },
  );
}
