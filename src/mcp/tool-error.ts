/** Stable words for what went wrong; they reach clients in `_meta` and the audit log. */
export type ToolErrorCode =
  | "forbidden"
  | "invalid_arguments"
  | "invalid_cursor"
  | "not_found"
  | "unreadable"
  | "consent_required"
  | "interaction_required"
  | "misconfigured"
  | "throttled"
  | "unavailable"
  | "confirmation_unavailable"
  | "not_confirmed"
  | "already_done"
  | "conflict"
  | "outcome_unknown"
  | "cancelled";

/** What a {@link ToolError} may carry besides its message. */
export interface ToolErrorDetails {
  /** What went wrong underneath; goes to the log by name only, never to the caller. */
  readonly cause?: unknown;
  /** Facts for the client's program, published in the result's `_meta`. */
  readonly meta?: Readonly<Record<string, string | number>>;
}

/** An expected failure. The message reaches the model and the person: it says what happened and what to do next. */
export class ToolError extends Error {
  override readonly name = "ToolError";
  readonly code: ToolErrorCode;
  readonly meta: Readonly<Record<string, string | number>>;

  constructor(code: ToolErrorCode, message: string, { cause, meta = {} }: ToolErrorDetails = {}) {
    super(message, { cause });
    this.code = code;
    this.meta = meta;
  }
}
