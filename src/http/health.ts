import type { RequestHandler } from "express";

/** One thing that must work for the server to be useful; the promise rejects when it doesn't. */
export type ReadinessCheck = () => Promise<unknown>;

/** The process lives. */
export const healthz: RequestHandler = (_req, res) => {
  res.json({ status: "ok" });
};

/** Whether the server can do its work: 200, or 503 naming the checks that fail. Says nothing else. */
export function createReadyz(
  checks: Readonly<Record<string, ReadinessCheck>>,
  isDraining: () => boolean,
): RequestHandler {
  return async (_req, res) => {
    const results = await Promise.all(
      Object.entries(checks).map(async ([name, check]) => {
        const works = await check().then(
          () => true,
          () => false,
        );
        return [name, works ? "ok" : "failing"] as const;
      }),
    );
    const ready = !isDraining() && results.every(([, state]) => state === "ok");
    res
      .status(ready ? 200 : 503)
      .json({ status: isDraining() ? "draining" : ready ? "ok" : "failing", checks: Object.fromEntries(results) });
  };
}
