import type { RequestHandler } from "express";

/** One thing that the server works with. */
export interface ReadinessCheck {
  /** Whether the server is of no use without it. */
  readonly required: boolean;
  /** Rejects when it doesn't work. */
  readonly check: () => Promise<unknown>;
}

/** The process lives. */
export const healthz: RequestHandler = (_req, res) => {
  res.json({ status: "ok" });
};

/** What `/readyz` tells of. */
export interface ReadyzOptions {
  readonly checks: Readonly<Record<string, ReadinessCheck>>;
  /** Numbers since the start, for example of audit events that were lost. */
  readonly counters: Readonly<Record<string, () => number>>;
  readonly isDraining: () => boolean;
}

/**
 * Whether the server can do its work: 200, or 503 when something that it needs fails or it is being stopped. Names what
 * fails, counts what was lost, and says nothing else.
 */
export function createReadyz({ checks, counters, isDraining }: ReadyzOptions): RequestHandler {
  return async (_req, res) => {
    const results = await Promise.all(
      Object.entries(checks).map(async ([name, { required, check }]) => {
        const works = await check().then(
          () => true,
          () => false,
        );
        return { name, state: works ? "ok" : "failing", blocks: required && !works };
      }),
    );
    const failing = results.some(({ blocks }) => blocks);
    const degraded = results.some(({ state }) => state === "failing");
    const status = isDraining() ? "draining" : failing ? "failing" : degraded ? "degraded" : "ok";
    res.status(isDraining() || failing ? 503 : 200).json({
      status,
      checks: Object.fromEntries(results.map(({ name, state }) => [name, state])),
      counters: Object.fromEntries(Object.entries(counters).map(([name, read]) => [name, read()])),
    });
  };
}
