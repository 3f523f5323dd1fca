import type { Response } from "express";

/** An error body of Azure AI services. */
export function sendError(res: Response, status: number, code: string, message: string): void {
  res.status(status).json({ error: { code, message } });
}
