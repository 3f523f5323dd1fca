import { unzipSync } from "fflate";
import { Unreadable } from "./unreadable.ts";

/** A zip archive of which single entries are unpacked. */
export interface Archive {
  /** The unpacked entry, or undefined when there is none of this name. */
  read(name: string): Uint8Array | undefined;
}

const MAX_ENTRIES = 10_000;
/** Bytes unpacked of one archive, entries that are read again included. */
const MAX_UNPACKED = 96 * 1024 * 1024;

/** Opens an archive; throws {@link Unreadable} `damaged`, or `excessive` now or while reading. */
export function openArchive(bytes: Uint8Array): Archive {
  let entries = 0;
  let unpacked = 0;
  const unzip = (keep: (name: string) => boolean): Record<string, Uint8Array> => {
    entries = 0;
    try {
      return unzipSync(bytes, {
        filter({ name, originalSize }) {
          entries += 1;
          if (entries > MAX_ENTRIES) throw new Unreadable("excessive");
          if (!keep(name)) return false;
          // Not more than the declared size is ever unpacked, so that counting it is enough.
          unpacked += originalSize;
          if (unpacked > MAX_UNPACKED) throw new Unreadable("excessive");
          return true;
        },
      });
    } catch (cause) {
      throw cause instanceof Unreadable ? cause : new Unreadable("damaged", { cause });
    }
  };
  unzip(() => false);
  return { read: (name) => unzip((candidate) => candidate === name)[name] };
}
