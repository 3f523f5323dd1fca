import { needsPerson } from "../auth/needs-person.ts";
import { ToolError } from "../mcp/tool-error.ts";
import { KeyringError } from "./keyring.ts";
import { RefusedFileError } from "./private-file.ts";

/** What MSAL reports of a refusal. */
interface Refusal {
  readonly errorCode: string;
  readonly subError: string;
  readonly aadsts: string | undefined;
}

/** MSAL passes on what the answer held: words that are none of the protocol's reach neither the log nor the caller. */
function refusalOf(error: unknown): Refusal {
  const { errorCode, subError, errorNo, errorMessage } = (error ?? {}) as Record<string, unknown>;
  const word = (value: unknown) => (typeof value === "string" && /^[a-z_]{1,64}$/.test(value) ? value : "");
  const number = /^\d{1,10}$/.exec(String(errorNo))?.[0] ?? /^AADSTS(\d{1,10})\b/.exec(String(errorMessage))?.[1];
  return {
    // While it waits for a device code, MSAL puts the protocol's word where its own text would be.
    errorCode: word(errorCode === "post_request_failed" ? errorMessage : errorCode),
    subError: word(subError),
    aadsts: number === undefined ? undefined : `AADSTS${number}`,
  };
}

/** Whether nobody has allowed the permissions that were asked for. */
export function isConsentMissing(error: unknown): boolean {
  const { errorCode, subError } = refusalOf(error);
  return subError === "consent_required" || errorCode === "consent_required";
}

/** Whether Entra ID, or the cache, wants the person and nothing else will do. */
export function isForPerson(error: unknown): boolean {
  return needsPerson(refusalOf(error).errorCode);
}

/** Turns what went wrong with a sign-in into an error that says what to do; Entra's own text is not repeated. */
export function toToolError(error: unknown, adminConsentUrl: string): ToolError {
  if (error instanceof ToolError) return error;
  if (error instanceof RefusedFileError) return new ToolError("misconfigured", error.message, { cause: error });
  if (error instanceof KeyringError) return new ToolError("unavailable", error.message, { cause: error });
  const { errorCode, aadsts } = refusalOf(error);
  const named = aadsts === undefined ? "" : ` (${aadsts})`;
  const meta = aadsts === undefined ? {} : { aadsts };
  switch (errorCode) {
    case "access_denied":
    case "authorization_declined":
    case "user_canceled":
    case "user_cancelled":
      return new ToolError(
        "interaction_required",
        `The sign-in was refused${named}, and nothing was done. Ask the person before you call this again: it would ask them anew. ` +
          `If permissions are the reason, an administrator can allow them for everyone: ${adminConsentUrl}`,
        { cause: error, meta },
      );
    case "device_code_expired":
    case "user_timeout_reached":
    case "expired_token":
      return new ToolError("interaction_required", "Nobody entered the code in time. Call this again for a new one.", {
        cause: error,
      });
    case "consent_required":
      return new ToolError(
        "consent_required",
        `An administrator has to allow the permissions of this server${named}: ${adminConsentUrl}`,
        { cause: error, meta: { ...meta, adminConsentUrl } },
      );
    case "invalid_client":
    case "unauthorized_client":
    case "invalid_request":
    case "invalid_scope":
    case "invalid_resource":
      return new ToolError(
        "misconfigured",
        `Entra ID does not accept this server's registration${named}. Check --client-id and --tenant; it has to be a public client with the redirect URI http://localhost.`,
        { cause: error, meta },
      );
    default:
      return new ToolError("unavailable", `Sign-in to Microsoft failed for now${named}. Try again in a minute.`, {
        cause: error,
        meta,
      });
  }
}
