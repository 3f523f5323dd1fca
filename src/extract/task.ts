import type { Format } from "./format.ts";
import type { Reason } from "./unreadable.ts";

/** What the worker is given. */
export interface Task {
  readonly format: Exclude<Format, "text">;
  readonly bytes: Uint8Array;
  readonly truncated: boolean;
  /** Time after which a format that can be read in part stops with what it has. */
  readonly partialAfterMs: number;
}

/** What the worker answers. */
export type Outcome = { readonly text: string } | { readonly reason: Reason };
