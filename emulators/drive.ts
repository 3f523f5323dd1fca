/** The vocabulary of drives: what OneDrive and SharePoint hold for a tenant. Plain data. */

/** One OneDrive or one document library. */
export interface Drive {
  /** As Graph makes them: `b!` and base64url. */
  readonly id: string;
  readonly name: string;
  readonly kind: "business" | "documentLibrary";
  /** Object id of the user whose OneDrive it is; undefined for a library. */
  readonly ownerId?: string;
  readonly webUrl: string;
  /** Object ids of the users who may read all of it, besides its owner. */
  readonly readers: readonly string[];
  readonly entries: DriveEntry[];
}

/** A file, a folder, or a shortcut to something in another drive. Without `parentId` it is in the root. */
export interface DriveEntry {
  readonly id: string;
  readonly name: string;
  readonly parentId?: string;
  readonly modified: string;
  /** Counts the changes; 1 when left out. */
  readonly version?: number;
  /** Object id of a user. */
  readonly modifiedBy: string;
  readonly file?: FileContent;
  readonly shortcutTo?: { readonly driveId: string; readonly id: string };
  /** Object ids of users who may read it though not its drive. */
  readonly sharedWith?: readonly string[];
  /** Address that whoever it is shared with may open it by. */
  readonly sharingLink?: string;
}

/** What is in a file. */
export interface FileContent {
  readonly mimeType: string;
  readonly size: number;
  /** Words that search knows the file by. */
  readonly words: string;
  /** The bytes from `start` up to `end`; made when asked for, so that a large file costs nothing. */
  readonly read: (start: number, end: number) => Uint8Array;
}
