import { destination, pino } from "pino";
import type { Config } from "../config.ts";
import { AUDIT_VERSION, type Audit, type Log } from "../diagnostics.ts";

/** Where lines go, and how many may wait to get there. */
export interface LogOptions {
  /** File descriptor; 1 (default) is standard output. */
  readonly fd?: number;
  readonly maxQueuedBytes?: number;
}

/** A log and an audit that never wait for whoever reads them. */
export interface ServerLog extends Log {
  readonly audit: Audit;
  /** How many audit events were lost because nobody took them in time. */
  readonly auditLost: () => number;
  /** Rejects for some minutes after an audit event was lost. */
  readonly checkAudit: () => Promise<void>;
  /** Resolves when everything is written, or nobody took it within a second. */
  flush(): Promise<void>;
}

/** About 10,000 lines. */
const MAX_QUEUED_BYTES = 4 * 1024 * 1024;
const FLUSH_MS = 1_000;
const LOSS_SHOWN_MS = 5 * 60 * 1000;
const AUDIT_MARK = '"audit":"';

/**
 * Writes one JSON line per event, in order. Lines wait in a bounded queue, so that a reader that is slow or gone slows
 * nothing; those that find it full are dropped, and dropped audit events are counted.
 */
export function createLog(level: Config["logLevel"], options: LogOptions = {}): ServerLog {
  const { fd = 1, maxQueuedBytes = MAX_QUEUED_BYTES } = options;
  const sink = destination({ fd, sync: false, maxLength: maxQueuedBytes });
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    sink,
  );
  // Whatever is logged, what was decided is kept.
  const audit = logger.child({}, { level: "info" });
  let lost = 0;
  let lostAt = Number.NEGATIVE_INFINITY;
  sink.on("drop", (line: string) => {
    if (!line.includes(AUDIT_MARK)) return;
    lost += 1;
    lostAt = performance.now();
  });
  const write =
    (name: "debug" | "info" | "warn" | "error"): Log["info"] =>
    (message, fields) =>
      logger[name](fields ?? {}, message);
  return {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    audit: ({ event, ...fields }) => audit.info({ audit: event, version: AUDIT_VERSION, ...fields }, "audit"),
    auditLost: () => lost,
    async checkAudit() {
      if (performance.now() - lostAt < LOSS_SHOWN_MS) throw new Error("Audit events were lost.");
    },
    flush: () =>
      new Promise((resolve) => {
        const impatient = setTimeout(resolve, FLUSH_MS);
        sink.flush(() => {
          clearTimeout(impatient);
          resolve();
        });
      }),
  };
}
