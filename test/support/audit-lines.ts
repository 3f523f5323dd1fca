import { setTimeout as sleep } from "node:timers/promises";
import type { Stack } from "./stack.ts";

/** A line of the server's audit, without the time. */
export type AuditLine = Readonly<Record<string, unknown>>;

const WAIT_MS = 3_000;

/**
 * The audit line of one request: of the call, or of the refusal, and not that its token was let in. The log comes through
 * a pipe and may be later than the answer.
 */
export async function auditLine({ server }: Pick<Stack, "server">, requestId: string | undefined): Promise<AuditLine> {
  const deadline = Date.now() + WAIT_MS;
  while (Date.now() < deadline) {
    const found = server.log.find((line) => isDecision(line) && line["requestId"] === requestId);
    if (found) {
      const { time: _time, level: _level, msg: _msg, version: _version, requestId: _requestId, ...rest } = found;
      return rest;
    }
    await sleep(10);
  }
  throw new Error(`The server wrote no audit line for the request ${requestId}.`);
}

/** Whether a line is the audit of something that was done or refused. */
export function isDecision({ msg, audit, decision }: AuditLine): boolean {
  return msg === "audit" && audit !== "confirmation" && !(audit === "sign_in" && decision === "allowed");
}

/** Waits until the server has written a line with this message, and returns it. */
export async function logLine(
  { server }: Pick<Stack, "server">,
  message: string,
  waitMs = WAIT_MS,
): Promise<AuditLine> {
  const deadline = Date.now() + waitMs;
  while (Date.now() < deadline) {
    const found = server.log.findLast((line) => line["msg"] === message);
    if (found) return found;
    await sleep(10);
  }
  throw new Error(`The server did not log "${message}" within ${waitMs} ms.`);
}
