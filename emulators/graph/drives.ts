import type { Drive, DriveEntry } from "../drive.ts";
import { badRequest, driveAccessDenied, GraphFailure } from "./failure.ts";
import { me } from "./resources/users.ts";
import type { Call } from "./route.ts";

/** An item in its drive; without `entry` the drive's root folder. */
export interface Place {
  readonly drive: Drive;
  readonly entry?: DriveEntry;
}

/** Id under which the root folder of a drive is listed and returned. */
export const rootId = ({ id }: Drive) => `01ROOT${id.replace(/[^A-Za-z0-9]/g, "").toUpperCase()}`;

/** A drive's answer for an item that does not exist, or that the caller may not know of. */
export const itemNotFound = () => new GraphFailure(404, "itemNotFound", "The resource could not be found.");

/** Permissions that let a caller read the own drive; the wider ones let them read every other that the user may. */
export const READ_FILES = ["Files.Read", "Files.ReadWrite", "Files.Read.All", "Files.ReadWrite.All"] as const;
const READ_ALL_FILES: readonly string[] = ["Files.Read.All", "Files.ReadWrite.All", "Sites.Read.All"];

/** Whether the token reaches beyond the caller's own drive. */
const reachesAllFiles = ({ caller }: Call) => READ_ALL_FILES.some((permission) => caller.permissions.has(permission));

/** The OneDrive of the signed-in user. */
export function ownDrive(call: Call): Drive {
  const { id } = me(call);
  const drive = call.tenant.drives.find(({ ownerId }) => ownerId === id);
  if (!drive) throw new GraphFailure(404, "itemNotFound", "User's mysite not found.");
  return drive;
}

/** Whether the signed-in user may read this, by drive, by share or by share of a folder around it. */
export function mayRead(call: Call, { drive, entry }: Place): boolean {
  const { id } = me(call);
  if (drive.ownerId === id || drive.readers.includes(id)) return true;
  if (!entry) return false;
  const parent = drive.entries.find((candidate) => candidate.id === entry.parentId);
  return entry.sharedWith?.includes(id) === true || (parent !== undefined && mayRead(call, { drive, entry: parent }));
}

/** The item with this id; refuses as SharePoint does what is not there, malformed or not the caller's to read. */
export function placeById(call: Call, drive: Drive, id: string): Place {
  if (!/^[A-Za-z0-9!._-]{1,200}$/.test(id))
    throw new GraphFailure(400, "invalidRequest", "The resource id is invalid.");
  const entry = drive.entries.find((candidate) => candidate.id === id);
  if (!entry && id !== "root" && id !== rootId(drive)) throw itemNotFound();
  const place: Place = entry ? { drive, entry } : { drive };
  if (drive.ownerId !== me(call).id && !reachesAllFiles(call)) throw driveAccessDenied();
  if (!mayRead(call, place)) throw driveAccessDenied();
  return place;
}

/** The drive with this id. */
export function driveById({ tenant }: Call, id: string): Drive {
  if (!/^b![A-Za-z0-9_-]+$/.test(id)) {
    throw new GraphFailure(
      400,
      "invalidRequest",
      "The provided drive id appears to be malformed, or does not represent a valid drive.",
    );
  }
  const drive = tenant.drives.find((candidate) => candidate.id === id);
  if (!drive) throw itemNotFound();
  return drive;
}

/** What a sharing link or an item's own address leads to; the id is `u!` and the unpadded base64url of the address. */
export function placeByShare(call: Call, id: string): Place {
  if (!/^u![A-Za-z0-9_-]+$/.test(id)) throw badRequest("The sharing id is invalid.");
  const address = Buffer.from(id.slice(2), "base64url").toString();
  const place = call.tenant.drives
    .flatMap((drive) => drive.entries.map((entry): Place => ({ drive, entry })))
    .find((candidate) => candidate.entry?.sharingLink === address || webUrl(candidate) === address);
  if (!place) throw itemNotFound();
  if (!mayRead(call, place) || !(place.drive.ownerId === me(call).id || reachesAllFiles(call)))
    throw driveAccessDenied();
  return place;
}

/** What is directly in a folder. */
export function childrenOf({ drive, entry }: Place): Place[] {
  return drive.entries
    .filter(({ parentId }) => parentId === entry?.id)
    .map((child): Place => ({ drive, entry: child }));
}

/** Names of the folders around an item and of itself, from the root down. */
function trail({ drive, entry }: Place): string[] {
  if (!entry) return [];
  const parent = drive.entries.find(({ id }) => id === entry.parentId);
  return [...trail(parent ? { drive, entry: parent } : { drive }), entry.name];
}

/** The address that an item has in a browser. */
export const webUrl = (place: Place) => [place.drive.webUrl, ...trail(place).map(encodeURIComponent)].join("/");

/** The path of an item's folder as Graph spells it, percent-encoded. */
export const parentPath = (place: Place) =>
  [`/drives/${place.drive.id}/root:`, ...trail(place).slice(0, -1).map(encodeURIComponent)].join("/");
