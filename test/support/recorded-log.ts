import type { Audit, AuditEvent, Log, LogFields } from "../../src/diagnostics.ts";

/** One line of a {@link RecordedLog}. */
export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly fields: LogFields | undefined;
}

/** A log and an audit that remember what they were given. */
export interface RecordedLog extends Log {
  readonly lines: readonly LogLine[];
  readonly events: readonly AuditEvent[];
  readonly audit: Audit;
}

/** Creates an empty log. */
export function createRecordedLog(): RecordedLog {
  const lines: LogLine[] = [];
  const events: AuditEvent[] = [];
  const write =
    (level: LogLine["level"]): Log["info"] =>
    (message, fields) =>
      void lines.push({ level, message, fields });
  return {
    lines,
    events,
    audit: (event) => void events.push(event),
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
  };
}
