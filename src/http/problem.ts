import type { ErrorRequestHandler, RequestHandler, Response } from "express";
import type { Log } from "../diagnostics.ts";
import { requestIdOf } from "./request-id.ts";

/** Answers with a problem document (RFC 9457): a status, a sentence and the request id, and nothing about the inside. */
export function sendProblem(res: Response, status: number, title: string, detail?: string): void {
  res
    .status(status)
    .type("application/problem+json")
    .json({ title, status, detail, requestId: requestIdOf(res) });
}

/** Answers paths that don't exist. */
export const notFound: RequestHandler = (_req, res) => sendProblem(res, 404, "Not found");

/** Answers what nobody caught: the class of the error is logged, the caller gets a reference. */
export function createErrorHandler(log: Log): ErrorRequestHandler {
  return (error: unknown, _req, res, next) => {
    const status = statusOf(error);
    if (status >= 500) {
      const name = error instanceof Error ? error.name : typeof error;
      log.error("A request failed unexpectedly", { requestId: requestIdOf(res), error: name });
    }
    if (res.headersSent) {
      next(error);
      return;
    }
    sendProblem(res, status, status >= 500 ? "Internal error" : "Bad request");
  };
}

/** Express gives its own errors (a malformed path) a status below 500. */
function statusOf(error: unknown): number {
  const status = (error as { status?: unknown } | null)?.status;
  return typeof status === "number" && status >= 400 && status < 500 ? status : 500;
}
