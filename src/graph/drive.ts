import type { ItemReference } from "@microsoft/microsoft-graph-types";
import { clean } from "../safety/clean.ts";

/** The id under which `/shares` opens a sharing link. Source: Microsoft Graph, "Access shared items". */
export function shareId(link: string): string {
  return `u!${Buffer.from(link).toString("base64url")}`;
}

const TEXT_TYPES: Readonly<Record<string, string>> = {
  txt: "text/plain",
  log: "text/plain",
  md: "text/markdown",
  csv: "text/csv",
  tsv: "text/tab-separated-values",
  json: "application/json",
  xml: "application/xml",
  yaml: "application/yaml",
  yml: "application/yaml",
  html: "text/html",
};

/** Endings of the names of files that are plain text all through. */
export const TEXT_ENDINGS = Object.keys(TEXT_TYPES).map((ending) => `.${ending}`);

/** The media type of a text file with this name; undefined for names of other files. */
export function textType(name: string): string | undefined {
  const ending = name.slice(name.lastIndexOf(".") + 1).toLowerCase();
  return Object.hasOwn(TEXT_TYPES, ending) ? TEXT_TYPES[ending] : undefined;
}

const NOT_IN_NAMES = /["*:<>?/\\|\n\t]/;
const RESERVED_NAMES = /^(?:(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?|desktop\.ini|\.lock|~\$.*|.*_vti_.*)$/i;

/**
 * Whether OneDrive and SharePoint take this as the name of a file, and people see all of it: where characters turn the
 * direction of writing, `exe.txt` may be the end of another name.
 *
 * Source: Microsoft Support, "Restrictions and limitations in OneDrive and SharePoint".
 */
export function isFileName(name: string): boolean {
  return (
    name !== "" &&
    name === clean(name).trim() &&
    !name.endsWith(".") &&
    !NOT_IN_NAMES.test(name) &&
    !RESERVED_NAMES.test(name)
  );
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
