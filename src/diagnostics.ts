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

/** A decision worth keeping: who was refused at the door, which tool ran for whom and how it ended. */
export type AuditEvent =
  | {
      readonly event: "sign_in";
      readonly decision: "denied";
      /** Stable word, for example `client_not_allowed`; see `auth/access-token.ts`. */
      readonly reason: string;
      readonly requestId: string;
      readonly tenantId?: string | undefined;
      readonly userId?: string | undefined;
      readonly clientId?: string | undefined;
    }
  | {
      readonly event: "tool_call";
      readonly decision: "allowed" | "denied";
      /** `input_required`: a person was asked something; the call comes back with the answer. */
      readonly outcome: "success" | "error" | "input_required";
      /** Code of the error, or of the denial. */
      readonly reason?: string | undefined;
      readonly tool: string;
      readonly requestId: string;
      readonly tenantId: string;
      readonly userId: string;
      readonly clientId: string;
      readonly durationMs: number;
    }
  | {
      /** Prompt Shields found an attack in what a tool was about to return, or could not be asked. */
      readonly event: "content_check";
      readonly reason: "attack" | "unavailable";
      /** `withheld`: these fields; `refused`: the whole result; `passed`: handed over unchecked. */
      readonly decision: "annotated" | "withheld" | "refused" | "passed";
      /** How many fields of the result are concerned. */
      readonly fields: number;
      readonly tool: string;
      readonly requestId: string;
      readonly tenantId: string;
      readonly userId: string;
      readonly clientId: string;
      readonly durationMs: number;
    };

/** Takes audit events; never throws. */
export type Audit = (event: AuditEvent) => void;
