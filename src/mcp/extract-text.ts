/** A file as it came from its store, to be read as text. */
export interface FileToRead {
  readonly name: string;
  /** Media type; counts where the name's ending says nothing. */
  readonly contentType: string;
  readonly bytes: Uint8Array;
  /** Whether `bytes` are only the beginning of the file. */
  readonly truncated?: boolean;
  /** Where a person can open the file; named when its text can't be had. */
  readonly webUrl?: string | undefined;
}

/** For whom a file is read. */
export interface ExtractOptions {
  readonly signal: AbortSignal;
  /** Names whose file it is: the files of one user are read one after the other, in turn with those of others. */
  readonly user: string;
}

/**
 * Reads the text of a file, whatever its format, in bounded time and memory.
 *
 * Throws `ToolError` `unreadable` when there is no text to be had, with the reason, or `unavailable`. Text beyond the
 * limits of a format is left out and a last line in brackets says so.
 */
export type ExtractText = (file: FileToRead, options: ExtractOptions) => Promise<string>;
