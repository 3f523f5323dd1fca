import express, { type Request, type RequestHandler } from "express";

/** Reads form bodies as text, for {@link formOf}. */
export const formBody: RequestHandler = express.text({ type: "application/x-www-form-urlencoded", limit: "256kb" });

/** The fields of a posted form; empty for any other body. */
export function formOf(req: Request): URLSearchParams {
  return new URLSearchParams(typeof req.body === "string" ? req.body : "");
}
