/** Codes of the protocol and of MSAL for what nobody but the person at Entra's page can put right. */
const FOR_A_PERSON: ReadonlySet<string> = new Set([
  "interaction_required",
  "consent_required",
  "login_required",
  "invalid_grant",
  "no_tokens_found",
  "native_account_unavailable",
  "refresh_token_expired",
  "bad_token",
  "ui_not_allowed",
  "no_account_found",
]);

/** Whether Entra ID, or MSAL's cache, refused with this code because it wants the person and nothing else will do. */
export function needsPerson(errorCode: string): boolean {
  return FOR_A_PERSON.has(errorCode);
}
