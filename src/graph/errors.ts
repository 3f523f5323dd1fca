import { ToolError, type ToolErrorCode } from "../mcp/tool-error.ts";
import type { GraphFailure, GraphReadResult } from "./graph.ts";

const UNAVAILABLE = "Microsoft Graph could not be reached or failed. Try again in a minute.";

const OUTCOME_UNKNOWN =
  "Microsoft Graph did not say whether this was done. Look whether it was before you try again, or it may be done twice.";
const NAME_TAKEN =
  "Something in this folder has this name already. Choose another name, or replace the file: give drive_id and item_id " +
  "of it (list_folder) instead of the name.";
const NEVER_SENT = new Set(["NotConnected", "ConnectTimedOut"]);

/**
 * Turns Graph's refusal into an error whose message says what the caller can do; Graph's own text is not repeated.
 * `mayBeDone` tells of a change that may have been made although no good answer came.
 */
export function toToolError(failure: GraphFailure, { mayBeDone = false } = {}): ToolError {
  const error = (code: ToolErrorCode, message: string, meta = {}) =>
    new ToolError(code, message, {
      cause: failure,
      meta: { ...(failure.requestId === undefined ? {} : { graphRequestId: failure.requestId }), ...meta },
    });
  if (failure.claims !== undefined) return interactionRequired(failure.claims, failure);
  if (failure.code === "MailboxNotEnabledForRESTAPI")
    return error("not_found", "This account has no Exchange Online mailbox.");
  if (failure.code === "nameAlreadyExists") return error("conflict", NAME_TAKEN);
  switch (failure.status) {
    case 400:
    case 405:
    case 501:
      return error(
        "invalid_arguments",
        "Microsoft Graph does not accept this request. Check the ids and words in the arguments.",
      );
    case 401:
      return error(
        "unavailable",
        "Microsoft Graph refused this server's token. Sign in again; if that does not help, tell the administrator.",
      );
    case 403:
      return error(
        "forbidden",
        "Microsoft Graph does not let you do this: your account lacks the right, or an administrator has to allow it.",
      );
    case 404:
    case 410:
      return error(
        "not_found",
        "Microsoft Graph found nothing with this id. Search again: the id may be wrong or the item gone.",
      );
    case 429: {
      const seconds = Math.ceil((failure.retryAfterMs ?? 30_000) / 1000);
      return error("throttled", `Microsoft Graph is limiting requests. Try again in ${seconds} seconds.`, {
        retryAfterSeconds: seconds,
      });
    }
    case 409:
    case 412:
      return error("conflict", "This exists already or was changed by somebody else. Read it again, then decide anew.");
    default:
      return mayBeDone && !NEVER_SENT.has(failure.code)
        ? error("outcome_unknown", OUTCOME_UNKNOWN)
        : error("unavailable", UNAVAILABLE);
  }
}

/** The body of a read in a batch; throws the {@link ToolError} of one that failed. */
export function unwrap<T>(result: GraphReadResult<T>): T {
  if (result.ok) return result.body;
  throw toToolError(result.failure);
}

/** Whether Graph says that there is no such thing (no manager, no mailbox), which can be an answer and not a failure. */
export function isAbsent(result: GraphReadResult<unknown>): boolean {
  return !result.ok && result.failure.status === 404;
}

/**
 * The organisation asks for more than a token: the person has to do something in a browser. `claims` is the challenge,
 * for clients that can hand it to Entra; `signInUrl` is where the step can be done, if this server has such a place.
 */
export function interactionRequired(claims: string, cause: unknown, signInUrl?: string): ToolError {
  const where = signInUrl === undefined ? "" : `Open ${signInUrl} to complete it, then `;
  return new ToolError(
    "interaction_required",
    "Your organisation asks for an extra sign-in step, such as multi-factor authentication, before Microsoft Graph may be " +
      `used. ${where || "In your client, "}sign out of this MCP server${where ? " in your client" : ""} and sign in again.`,
    { cause, meta: { claims, ...(signInUrl === undefined ? {} : { signInUrl }) } },
  );
}
