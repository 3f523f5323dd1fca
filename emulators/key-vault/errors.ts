import type { Response } from "express";

/** An error body of the Key Vault REST API. */
export function sendError(res: Response, status: number, code: string, message: string, innerCode?: string): void {
  const innererror = innerCode ? { innererror: { code: innerCode } } : {};
  res.status(status).json({ error: { code, message, ...innererror } });
}
