import { randomUUID } from "node:crypto";
import { GraphFailure } from "./failure.ts";
import type { GraphSwitches } from "./switches.ts";

/** One response before it is written; without `body` it is empty, and bytes bring their own content type. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** The ids under which Graph logs a request. */
export interface Trace {
  readonly requestId: string;
  readonly clientRequestId: string;
}

/** Names a request; the client's id is echoed where it sent one. */
export function createTrace(clientRequestId: string | undefined): Trace {
  const requestId = randomUUID();
  return { requestId, clientRequestId: clientRequestId ?? requestId };
}

/** Content type of every JSON answer of Graph. */
export const JSON_CONTENT_TYPE =
  "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";

/** Turns whatever was thrown into Graph's error answer; what is not a {@link GraphFailure} becomes a bare 500. */
export function errorAnswer(thrown: unknown, trace: Trace, switches: GraphSwitches): Answer {
  const failure =
    thrown instanceof GraphFailure
      ? thrown
      : new GraphFailure(500, "generalException", "An unexpected error has occurred.");
  const spelling = switches["graph.innerError"];
  const inner = {
    date: new Date().toISOString().slice(0, 19),
    "request-id": trace.requestId,
    "client-request-id": trace.clientRequestId,
  };
  return {
    status: failure.status,
    headers: failure.headers,
    body: {
      error: { code: failure.code, message: failure.message, ...(spelling === "absent" ? {} : { [spelling]: inner }) },
    },
  };
}
