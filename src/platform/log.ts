import { destination, pino } from "pino";
import type { Config } from "../config.ts";
import type { Audit, Log } from "../diagnostics.ts";

/** Writes one JSON line per event to standard output (file descriptor 1) or to `fd`. */
export function createLog(level: Config["logLevel"], fd = 1): Log & { readonly audit: Audit } {
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination({ fd, sync: true }),
  );
  // Whatever is logged, what was decided is kept.
  const audit = logger.child({}, { level: "info" });
  const write =
    (name: "debug" | "info" | "warn" | "error"): Log["info"] =>
    (message, fields) =>
      logger[name](fields ?? {}, message);
  return {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    audit: ({ event, ...fields }) => audit.info({ audit: event, ...fields }, "audit"),
  };
}
