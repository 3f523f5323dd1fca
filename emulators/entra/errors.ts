import { randomUUID } from "node:crypto";
import { format } from "node:util";

interface ErrorDefinition {
  readonly error: string;
  readonly text: string;
  readonly suberror?: string;
}

const CATALOGUE = {
  28000: { error: "invalid_request", text: "The scopes of one token request must belong to one resource." },
  50011: {
    error: "invalid_request",
    text: "The redirect URI '%s' in the request is not one of those registered for the application '%s'.",
  },
  50013: { error: "invalid_grant", text: "Assertion failed signature validation." },
  50034: { error: "invalid_grant", text: "The user account '%s' does not exist in the tenant '%s'." },
  50058: { error: "login_required", text: "A silent sign-in request was sent but no user is signed in." },
  50076: {
    error: "interaction_required",
    suberror: "basic_action",
    text: "The user must use multi-factor authentication to access '%s'.",
  },
  50105: {
    error: "invalid_grant",
    text: "The signed in user '%s' is not assigned to a role for the application '%s'(%s).",
  },
  50149: { error: "invalid_request", text: "Invalid code_challenge_method: use S256 or plain." },
  54005: {
    error: "invalid_grant",
    text: "The authorization code was already redeemed; sign in again to get a new one.",
  },
  65001: {
    error: "invalid_grant",
    suberror: "consent_required",
    text: "The user or administrator has not consented to use the application with ID '%s' named '%s'. Send an interactive authorization request for this user and resource.",
  },
  65004: { error: "access_denied", text: "The user declined to consent to access the app." },
  70000: {
    error: "invalid_grant",
    text: "The provided grant is invalid, or it was issued for another client or tenant.",
  },
  70003: { error: "unsupported_grant_type", text: "The grant type '%s' is not supported." },
  70007: { error: "unsupported_response_mode", text: "'%s' is not a supported response_mode for this response_type." },
  70008: { error: "invalid_grant", text: "The authorization code or refresh token has expired." },
  70016: { error: "authorization_pending", text: "The user has not finished signing in with the code yet." },
  70018: { error: "bad_verification_code", text: "The device_code is unknown." },
  70020: { error: "expired_token", text: "The device_code has expired." },
  70021: { error: "invalid_request", text: "No matching federated identity record found for presented assertion." },
  90002: { error: "invalid_request", text: "Tenant '%s' not found." },
  90009: {
    error: "invalid_request",
    text: "Application '%s'(%s) is requesting a token for itself. This is supported only if the resource is given as the GUID based app identifier.",
  },
  90023: { error: "invalid_request", text: "Unsupported value '%s' of '%s'." },
  90094: { error: "access_denied", text: "An administrator must consent to the permissions that '%s' asks for." },
  90095: { error: "access_denied", text: "Admin consent is required: users of this tenant cannot consent to '%s'." },
  165000: {
    error: "invalid_request",
    text: "The sign-in is unknown or has expired. Start again from the application.",
  },
  240002: { error: "invalid_grant", text: "An id_token cannot be used as the assertion of an on-behalf-of request." },
  500011: {
    error: "invalid_resource",
    text: "The resource principal named %s was not found in the tenant named %s.",
  },
  500112: {
    error: "invalid_grant",
    text: "The redirect URI '%s' differs from the '%s' with which the authorization code was requested.",
  },
  500121: { error: "access_denied", text: "Authentication failed during the strong authentication request." },
  500131: {
    error: "invalid_grant",
    text: "Assertion audience does not match the client app presenting the assertion.",
  },
  500133: { error: "invalid_grant", text: "Assertion is not within its valid time range." },
  501481: {
    error: "invalid_grant",
    text: "The code_verifier does not match the code_challenge of the authorization request.",
  },
  501491: { error: "invalid_request", text: "The code_challenge has an invalid size." },
  650053: {
    error: "invalid_client",
    text: "The application '%s' asked for scope '%s' that doesn't exist on the resource '%s'. Contact the app vendor.",
  },
  700016: { error: "unauthorized_client", text: "Application with identifier '%s' was not found in the tenant '%s'." },
  700024: { error: "invalid_client", text: "Client assertion is not within its valid time range." },
  700025: {
    error: "invalid_client",
    text: "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.",
  },
  700027: { error: "invalid_client", text: "Client assertion failed signature validation." },
  700051: { error: "unsupported_response_type", text: "The response_type '%s' is not supported." },
  700054: {
    error: "unsupported_response_type",
    text: "The response_type 'id_token' is not enabled for the application.",
  },
  700211: {
    error: "invalid_client",
    text: "No matching federated identity record found for presented assertion issuer '%s'.",
  },
  700212: {
    error: "invalid_client",
    text: "No matching federated identity record found for presented assertion audience '%s'.",
  },
  700213: {
    error: "invalid_client",
    text: "No matching federated identity record found for presented assertion subject '%s'.",
  },
  700226: {
    error: "invalid_client",
    text: "Of the tokens issued by Entra only those of managed identities may be used as federated identity credentials.",
  },
  700236: { error: "invalid_client", text: "A system-assigned identity cannot be a federated identity credential." },
  900144: { error: "invalid_request", text: "The request must contain the following parameter: '%s'." },
  901002: { error: "invalid_request", text: "The 'resource' request parameter is not supported." },
  1002012: {
    error: "invalid_scope",
    text: "Client credential flows need exactly one scope: the identifier of the resource followed by /.default.",
  },
  7000114: { error: "unauthorized_client", text: "An app-only token cannot be exchanged on behalf of a user." },
  7000215: { error: "invalid_client", text: "Invalid client secret provided." },
  7000218: {
    error: "invalid_client",
    text: "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
  },
  7002121: {
    error: "invalid_client",
    text: "No matching federated identity record found for presented assertion audience '%s'.",
  },
  7000112: { error: "authorization_declined", text: "The user declined to sign in with the code." },
  9002313: { error: "invalid_request", text: "Invalid request. The parameter '%s' is malformed." },
  9002326: {
    error: "invalid_request",
    text: "Cross-origin token redemption is permitted only for the 'Single-Page Application' client-type.",
  },
  9002327: {
    error: "invalid_request",
    text: "Tokens issued for the 'Single-Page Application' client-type may only be redeemed via cross-origin requests.",
  },
  9010010: {
    error: "invalid_target",
    text: "The resource parameter provided in the request doesn't match with the requested scopes.",
  },
} as const satisfies Record<number, ErrorDefinition>;

/** Number of an AADSTS error that the emulator can answer. */
export type ErrorNumber = keyof typeof CATALOGUE;

/** A refusal by Entra: `number` is the AADSTS number, `error` and `suberror` are what clients branch on. */
export class EntraError extends Error {
  override readonly name = "EntraError";
  readonly number: ErrorNumber;
  readonly error: string;
  readonly suberror: string | undefined;
  /** Claims challenge (JSON) that a new sign-in must satisfy. */
  readonly claims: string | undefined;

  /** `details` fill the placeholders of the text; `error` replaces the code of the catalogue. */
  constructor(
    number: ErrorNumber,
    details: readonly string[] = [],
    extra: { readonly claims?: string; readonly error?: string } = {},
  ) {
    const definition: ErrorDefinition = CATALOGUE[number];
    super(format(definition.text, ...details));
    this.number = number;
    this.error = extra.error ?? definition.error;
    this.suberror = definition.suberror;
    this.claims = extra.claims;
  }
}

/** The body of every error that Entra answers, at the token endpoint and in its pages. */
export interface ErrorBody {
  readonly error: string;
  readonly error_description: string;
  readonly error_codes: readonly number[];
  readonly timestamp: string;
  readonly trace_id: string;
  readonly correlation_id: string;
  readonly suberror?: string;
  readonly claims?: string;
}

/** Renders an error as Entra does, with new trace data; `correlationId` is the caller's, when it sent one. */
export function errorBody(error: EntraError, correlationId: string = randomUUID()): ErrorBody {
  const traceId = randomUUID();
  const timestamp = `${new Date().toISOString().slice(0, 19).replace("T", " ")}Z`;
  return {
    error: error.error,
    error_description: `AADSTS${error.number}: ${error.message} Trace ID: ${traceId} Correlation ID: ${correlationId} Timestamp: ${timestamp}`,
    error_codes: [error.number],
    timestamp,
    trace_id: traceId,
    correlation_id: correlationId,
    ...(error.suberror === undefined ? {} : { suberror: error.suberror }),
    ...(error.claims === undefined ? {} : { claims: error.claims }),
  };
}
