import { randomUUID } from "node:crypto";
import type { RequestHandler, Response } from "express";

/** Gives each request an id, which its answer, the log and the audit name. */
export const identify: RequestHandler = (_req, res, next) => {
  const id = randomUUID();
  res.locals["requestId"] = id;
  res.setHeader("x-request-id", id);
  next();
};

/** The id that {@link identify} gave to the request of this response. */
export function requestIdOf({ locals }: Response): string {
  return String(locals["requestId"]);
}
