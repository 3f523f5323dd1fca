import { randomBytes } from "node:crypto";
import type { DriveEntry, FileContent } from "../drive.ts";
import { entityTag } from "./drive-entity.ts";
import { childrenOf, type Place } from "./drives.ts";
import { driveAccessDenied, GraphFailure } from "./failure.ts";
import { me } from "./resources/users.ts";
import type { Call } from "./route.ts";

/** Permissions that let a caller change the own drive; the wider one every other that the user may. */
export const WRITE_FILES = ["Files.ReadWrite", "Files.ReadWrite.All"] as const;

const FORBIDDEN_CHARACTERS = /["*:<>?/\\|]/;
const FORBIDDEN_NAMES = /^(?:\.lock|con|prn|aux|nul|com\d|lpt\d|desktop\.ini|\.|\.\.|~\$.*|.*_vti_.*|\s.*|.*[\s.])$/is;

const TYPES: Readonly<Record<string, string>> = {
  txt: "text/plain",
  log: "text/plain",
  md: "text/markdown",
  csv: "text/csv",
  json: "application/json",
  html: "text/html",
  xml: "text/xml",
};

function contentOf({ body }: Call, name: string): FileContent {
  const bytes = body instanceof Uint8Array ? body : new Uint8Array();
  const extension = /\.([^.]+)$/.exec(name)?.[1]?.toLowerCase() ?? "";
  return {
    mimeType: TYPES[extension] ?? "application/octet-stream",
    size: bytes.length,
    words: Buffer.from(bytes).toString("utf8"),
    read: (start, end) => bytes.subarray(start, end),
  };
}

function requireWrite(call: Call, { drive }: Place): void {
  const own = drive.ownerId === me(call).id;
  const may = own || (drive.readers.includes(me(call).id) && call.caller.permissions.has("Files.ReadWrite.All"));
  if (!may) throw driveAccessDenied();
}

function written({ caller }: Call, version: number) {
  return { modified: new Date().toISOString().replace(/\.\d+/, ""), modifiedBy: caller.objectId, version };
}

/** Puts a file into a folder. Names differ in more than case; what becomes of one that is taken the request says. */
export function createFile(
  call: Call,
  folder: Place,
  name: string,
): { readonly place: Place; readonly isNew: boolean } {
  requireWrite(call, folder);
  if (FORBIDDEN_CHARACTERS.test(name) || FORBIDDEN_NAMES.test(name) || name.length > 255) {
    throw new GraphFailure(400, "invalidRequest", "The provided name is not valid.");
  }
  if (folder.entry?.file) throw new GraphFailure(400, "invalidRequest", "The parent is not a folder.");
  const taken = childrenOf(folder).find(({ entry }) => entry?.name.toLowerCase() === name.toLowerCase());
  const behavior = call.options.get("@microsoft.graph.conflictBehavior") ?? "replace";
  if (taken && behavior !== "replace") {
    throw new GraphFailure(409, "nameAlreadyExists", "An item with the same name already exists under the parent.");
  }
  if (taken) return { place: replaceContent(call, taken), isNew: false };
  const entry: DriveEntry = {
    id: `01${randomBytes(16).toString("hex").toUpperCase()}`,
    name,
    ...(folder.entry && { parentId: folder.entry.id }),
    ...written(call, 1),
    file: contentOf(call, name),
  };
  folder.drive.entries.push(entry);
  return { place: { drive: folder.drive, entry }, isNew: true };
}

/** Gives a file other content. With `If-Match`, only if nobody has changed it since. */
export function replaceContent(call: Call, place: Place): Place {
  requireWrite(call, place);
  const { drive, entry } = place;
  if (!entry?.file) throw new GraphFailure(400, "invalidRequest", "You cannot set content for a folder");
  const expected = call.headers.get("if-match");
  if (expected !== null && expected !== "*" && expected !== entityTag(place)) {
    throw new GraphFailure(412, "resourceModified", "The resource has changed since the caller last read it.");
  }
  const changed: DriveEntry = {
    ...entry,
    ...written(call, (entry.version ?? 1) + 1),
    file: contentOf(call, entry.name),
  };
  drive.entries.splice(drive.entries.indexOf(entry), 1, changed);
  return { drive, entry: changed };
}
