import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { basename } from "node:path";
import { readPrivateFile, refusedFile, writePrivateFile } from "./private-file.ts";

const FORMAT = Buffer.from("AGM1");
const IV_BYTES = 12;
const TAG_BYTES = 16;
const HEADER_BYTES = FORMAT.length + IV_BYTES + TAG_BYTES;

/**
 * Reads what {@link writeSealed} wrote; undefined when there is no file. Throws `RefusedFileError`, also where there
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
    throw refusedFile(path, "is damaged, or was written with another key", cause);
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
