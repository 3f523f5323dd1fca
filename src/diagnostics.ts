/**
 * What the server reports about itself: types only, implemented in `platform/`.
 *
 * Nothing that came from a caller's data (arguments, contents, names, tokens) may be given to either of them.
 */

/** Values that may appear in a log line. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Structured log; one line per event, `message` is a fixed sentence. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** Who acted, through which application, in which request of this server. */
interface Actor {
  /** This server's id of the request: `x-request-id` of the answer, and Graph's `client-request-id`. */
  readonly requestId: string;
  /** Entra's id of the access token (`uti`): its sign-in log has the same. */
  readonly tokenId?: string | undefined;
  readonly tenantId: string;
  /** Object id. */
  readonly userId: string;
  /** Client application. */
  readonly clientId: string;
}

/** A call of a tool, named in every event that it leads to. */
interface CallFacts extends Actor {
  readonly tool: string;
  /** Digest of the tool's definition, as in `tools.lock.json`. */
  readonly toolDigest?: string | undefined;
}

/**
 * Why the broker ended what a person had let a client do: the person or the client asked for it; a code or refresh token
 * came a second time, so that somebody else has it; Entra does not honour the sign-in any more; the client signed in too
 * often.
 */
export type GrantEndReason =
  | "signed_out"
  | "revoked"
  | "code_replayed"
  | "refresh_token_reused"
  | "refresh_failed"
  | "too_many";

/**
 * A decision worth keeping: who may come in, which tool ran for whom and how it ended. Schema 1, in `docs/security.md`;
 * fields may be added to it, and a changed meaning makes schema 2.
 */
export type AuditEvent =
  | {
      /** Allowed once per access token, denied each time. */
      readonly event: "sign_in";
      readonly decision: "allowed" | "denied";
      /** Stable word, for example `client_not_allowed`; see `auth/access-token.ts`. */
      readonly reason?: string | undefined;
      readonly requestId: string;
      readonly tokenId?: string | undefined;
      readonly tenantId?: string | undefined;
      readonly userId?: string | undefined;
      readonly clientId?: string | undefined;
    }
  | (Omit<Actor, "requestId"> & {
      /** A person let a client act for them through the broker, did at Entra what it still needed, or it ended. */
      readonly event: "grant";
      readonly decision: "approved" | "stepped_up" | "ended";
      /** `remembered`: this approval was an earlier one. */
      readonly reason?: GrantEndReason | "remembered" | undefined;
      /** Absent where a call ended it, which has an event of its own. */
      readonly requestId?: string | undefined;
    })
  | (Actor & {
      /** A user who sends more than a client that works for a person; once a minute and user. */
      readonly event: "flood";
      readonly decision: "denied";
      readonly reason: "too_many_requests" | "too_many_open";
    })
  | (CallFacts & {
      readonly event: "tool_call";
      readonly decision: "allowed" | "denied";
      /** `input_required`: a person was asked something; the call comes back with the answer. */
      readonly outcome: "success" | "error" | "input_required";
      /** Code of the error, or of the denial. */
      readonly reason?: string | undefined;
      readonly durationMs: number;
      /** Size of the result, at four characters a token. */
      readonly resultTokens?: number | undefined;
      /** The client's JSON-RPC id, where it is a number or a GUID: anything else might say something. */
      readonly clientRequestId?: string | number | undefined;
      /** Of the client's `traceparent`. */
      readonly traceId?: string | undefined;
      /** Graph's id of its last answer. */
      readonly graphRequestId?: string | undefined;
    })
  | (CallFacts & {
      /** A person was asked whether a call may run, or has answered. */
      readonly event: "confirmation";
      readonly decision: "asked" | "approved" | "declined";
    })
  | (CallFacts & {
      /** Prompt Shields found an attack in what a tool was about to return or was called with, or could not be asked. */
      readonly event: "content_check";
      readonly part: "result" | "arguments";
      readonly reason: "attack" | "unavailable";
      /** `withheld`: these fields; `refused`: the whole result, or the call; `passed`: handed over unchecked. */
      readonly decision: "annotated" | "withheld" | "refused" | "passed";
      /** How many fields of it are concerned. */
      readonly fields: number;
      readonly durationMs: number;
    });

/** The schema of audit events; each written event says it as `version`. */
export const AUDIT_VERSION = 1;

/** Takes audit events; never throws. */
export type Audit = (event: AuditEvent) => void;

/** A stretch of work in a trace. */
export interface Span {
  /** Begins a request to another service within this stretch. */
  begin(service: "Microsoft Graph" | "Entra ID", fields?: LogFields): Span;
  /** Ends it; `error` is a stable word for what went wrong. */
  end(fields?: LogFields & { readonly error?: string | undefined }): void;
}

/** Traces and counts; absent where nothing is collected. Never throws. */
export interface Telemetry {
  /** Begins the trace of a tool call, as a part of the client's own where it named one (`traceparent`, W3C Trace Context). */
  beginCall(tool: string, traceparent: string | undefined): Span;
  /** Counts a Graph token that was had from memory, or by an exchange. */
  countToken(source: TokenSource): void;
}

/** Where a Graph token came from. */
export type TokenSource = "memory" | "exchange";
