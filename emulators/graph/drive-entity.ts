import { createHash } from "node:crypto";
import { childrenOf, driveById, type Place, parentPath, rootId, webUrl } from "./drives.ts";
import type { Row, Schema } from "./odata/schema.ts";
import type { Call } from "./route.ts";

/** Annotation with the pre-authenticated address of a file's content. */
export const DOWNLOAD_URL = "@microsoft.graph.downloadUrl";

const PROPERTIES = [
  "id",
  "name",
  "size",
  "webUrl",
  "eTag",
  "cTag",
  "createdBy",
  "createdDateTime",
  "lastModifiedBy",
  "lastModifiedDateTime",
  "parentReference",
  "fileSystemInfo",
  "file",
  "folder",
  "root",
  "shared",
  "remoteItem",
];

/** What can be selected and sorted on items. */
export const DRIVE_ITEM: Schema = {
  type: "microsoft.graph.driveItem",
  properties: new Set([...PROPERTIES, DOWNLOAD_URL]),
};

/** The tag of a file's content. */
export const entityTag = ({ drive, entry }: Place) =>
  `"{${createHash("sha256").update(`${drive.id} ${entry?.id} ${entry?.modified}`).digest("hex").slice(0, 32).toUpperCase()}},${entry?.version ?? 1}"`;

function identity({ tenant }: Call, id: string | undefined) {
  const user = tenant.users.find((candidate) => candidate.id === id);
  return user && { user: { email: user.mail, id: user.id, displayName: user.displayName } };
}

function sizeOf(place: Place): number {
  return place.entry?.file?.size ?? childrenOf(place).reduce((sum, child) => sum + sizeOf(child), 0);
}

/** An item as Graph returns it; properties that it does not have are absent. */
export function driveItem(call: Call, place: Place): Row {
  const { drive, entry } = place;
  const modified = entry?.modified ?? "2024-01-08T08:00:00Z";
  const by = identity(call, entry?.modifiedBy ?? drive.ownerId);
  const common = {
    id: entry?.id ?? rootId(drive),
    name: entry?.name ?? "root",
    size: sizeOf(place),
    webUrl: webUrl(place),
    eTag: entityTag(place),
    cTag: entityTag(place).replace("{", "c:{"),
    createdDateTime: modified,
    lastModifiedDateTime: modified,
    ...(by && { createdBy: by, lastModifiedBy: by }),
    fileSystemInfo: { createdDateTime: modified, lastModifiedDateTime: modified },
    parentReference: parentReference(place),
  };
  if (entry?.shortcutTo) return { ...common, size: 0, remoteItem: remoteItem(call, entry.shortcutTo) };
  if (entry?.file)
    return {
      ...common,
      file: { mimeType: entry.file.mimeType, hashes: { quickXorHash: "AAAAAAAAAAAAAAAAAAAAAAAAAAA=" } },
    };
  return { ...common, folder: { childCount: childrenOf(place).length }, ...(!entry && { root: {} }) };
}

function parentReference({ drive, entry }: Place) {
  const own = { driveType: drive.kind, driveId: drive.id };
  if (!entry) return own;
  return { ...own, id: entry.parentId ?? rootId(drive), path: parentPath({ drive, entry }) };
}

/** What a shortcut leads to, as far as Graph shows it beside the shortcut. */
function remoteItem(call: Call, { driveId, id }: { readonly driveId: string; readonly id: string }): Row {
  const drive = driveById(call, driveId);
  const entry = drive.entries.find((candidate) => candidate.id === id);
  const {
    parentReference: parent,
    eTag: _eTag,
    cTag: _cTag,
    ...row
  } = driveItem(call, entry ? { drive, entry } : { drive });
  return { ...row, parentReference: parent };
}
