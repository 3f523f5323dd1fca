import { destination, pino } from "pino";
import type { Audit, Log } from "../diagnostics.ts";

/** Names of the levels that `LOG_LEVEL` takes, loudest last. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;

/** Writes one JSON line per event to standard output (file descriptor 1) or to `fd`. */
export function createLog(level: (typeof LOG_LEVELS)[number], fd = 1): Log & { readonly audit: Audit } {
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination({ fd, sync: true }),
  );
  const write =
    (name: "debug" | "info" | "warn" | "error"): Log["info"] =>
    (message, fields) =>
      logger[name](fields ?? {}, message);
  return {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    audit: ({ event, ...fields }) => logger.info({ audit: event, ...fields }, "audit"),
  };
}
