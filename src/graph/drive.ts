import type { ItemReference } from "@microsoft/microsoft-graph-types";

/** The id under which `/shares` opens a sharing link. Source: Microsoft Graph, "Access shared items". */
export function shareId(link: string): string {
  return `u!${Buffer.from(link).toString("base64url")}`;
}

/** The folder that an item is in, from the root of its drive, for example `/Reports/2026`; undefined where Graph names none. */
export function folderOf(parent: ItemReference | null | undefined): string | undefined {
  const [, folder] = /root:(.*)$/.exec(parent?.path ?? "") ?? [];
  if (folder === undefined) return undefined;
  try {
    return decodeURIComponent(folder) || "/";
  } catch {
    return folder;
  }
}
