/** Why a request was refused at the door; the words are stable and appear in the audit log. */
export type AuthFailure =
  | "invalid_token"
  | "principal_mismatch"
  | "insufficient_scope"
  | "app_only_token"
  | "tenant_not_allowed"
  | "client_not_allowed"
  | "keys_unavailable";

/** Who the token says it is of; known only when its signature was good. */
export interface AuthErrorSubject {
  readonly tenantId?: string | undefined;
  readonly userId?: string | undefined;
  readonly clientId?: string | undefined;
}

/** A request without the right to be here. The message is fixed text and may be shown to the client. */
export class AuthError extends Error {
  override readonly name = "AuthError";
  readonly failure: AuthFailure;
  readonly subject: AuthErrorSubject;

  constructor(failure: AuthFailure, message: string, subject: AuthErrorSubject = {}, cause?: unknown) {
    super(message, { cause });
    this.failure = failure;
    this.subject = subject;
  }
}

/** Makes the error for the time in which no sign-in can be checked. */
export function cannotBeChecked(cause: unknown): AuthError {
  return new AuthError("keys_unavailable", "Sign-in cannot be checked right now. Try again in a minute.", {}, cause);
}
