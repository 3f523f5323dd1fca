import { Unreadable } from "./unreadable.ts";
import { readXml } from "./xml.ts";
import { type Archive, openArchive } from "./zip.ts";

/** One part of an Office file (Open Packaging Conventions, ISO 29500-2). */
export interface Part {
  readonly bytes: Uint8Array;
  /** The part that a relationship leads to by its id; undefined for one outside the file, which is never followed. */
  byId(id: string | undefined): Part | undefined;
  /** The first part with a relationship of this type, by the last word of the type's name. */
  byType(type: string): Part | undefined;
}

interface Relationship {
  readonly id: string | undefined;
  readonly type: string;
  readonly target: string;
}

/** A compound file: how Office wraps what is encrypted, and what its formats were before 2007. */
const COMPOUND_FILE = [0xd0, 0xcf, 0x11, 0xe0];

/** Opens an Office file at its main part; throws {@link Unreadable} `protected`, `damaged` or `excessive`. */
export function openOfficeFile(bytes: Uint8Array): Part {
  if (COMPOUND_FILE.every((byte, index) => bytes[index] === byte)) throw new Unreadable("protected");
  const main = partOf(openArchive(bytes), "", new Uint8Array()).byType("officeDocument");
  if (!main) throw new Unreadable("damaged");
  return main;
}

function partOf(archive: Archive, name: string, bytes: Uint8Array): Part {
  let known: readonly Relationship[] | undefined;
  const follow = (fits: (relationship: Relationship) => boolean): Part | undefined => {
    known ??= relationshipsOf(archive, name);
    const target = known.find(fits)?.target;
    if (target === undefined) return undefined;
    // Targets are relative to the folder of the part, or to the root with a slash.
    const path = new URL(target, `file:///${name}`).pathname.slice(1);
    const found = archive.read(decodeURIComponent(path));
    return found && partOf(archive, path, found);
  };
  return {
    bytes,
    byId: (id) => follow((relationship) => id !== undefined && relationship.id === id),
    byType: (type) => follow((relationship) => relationship.type.endsWith(`/${type}`)),
  };
}

function relationshipsOf(archive: Archive, name: string): Relationship[] {
  const found: Relationship[] = [];
  const bytes = archive.read(name.replace(/[^/]*$/, "_rels/$&.rels"));
  if (!bytes) return found;
  readXml(bytes, "Relationships", {
    open(element, { Id: id, Type: type = "", Target: target = "", TargetMode: mode }) {
      if (element === "Relationship" && mode !== "External") found.push({ id, type, target });
    },
  });
  return found;
}
