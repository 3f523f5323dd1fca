import { type GraphAnswer, GraphFailure, type GraphReadResult } from "./graph.ts";
import { headerOf, retryAfterMs } from "./middleware.ts";

/** One answer inside the answer to a batch. */
export interface BatchItem {
  readonly id: string;
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** Reads what became of one read in a batch; `undefined` stands for one that Graph did not answer. */
export function toReadResult(item: BatchItem | undefined): GraphReadResult<unknown> {
  if (item === undefined) return { ok: false, failure: new GraphFailure({ status: 0, code: "NoBatchAnswer" }) };
  const { status, body } = item;
  if (status < 400 && typeof body === "object" && body !== null) return { ok: true, body };
  return { ok: false, failure: failureOf({ status, code: codeOf(body), headers: inLowerCase(item.headers) }) };
}

/** Reads a good answer as JSON. Throws {@link GraphFailure} for everything that is no JSON object. */
export function parseAnswer({ bytes }: GraphAnswer): object {
  const answer = parseJson(bytes);
  if (typeof answer !== "object" || answer === null) throw new GraphFailure({ status: 200, code: "UnexpectedAnswer" });
  return answer;
}

/** Reads a refusal: what its headers and the code in its body say. */
export function refusalOf({ status, headers, bytes }: GraphAnswer): GraphFailure {
  return failureOf({ status, code: codeOf(parseJson(bytes)), headers });
}

/** The code in the body of an error, whatever else is in it. */
function codeOf(body: unknown): string {
  const { error } = (typeof body === "object" && body !== null ? body : {}) as { error?: { code?: unknown } | null };
  return typeof error?.code === "string" ? error.code : "UnknownError";
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8"));
  } catch {
    return undefined;
  }
}

/** Header names of a batch item come as Graph pleases. */
function inLowerCase(headers: BatchItem["headers"] = {}): GraphAnswer["headers"] {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/** Reads from the headers of a refusal what its body does not say. */
function failureOf({ status, code, headers }: Pick<GraphAnswer, "status" | "headers"> & { code: string }) {
  const challenge = headerOf(headers, "www-authenticate") ?? "";
  const claims = /error="insufficient_claims"/.test(challenge) ? /claims="([^"]*)"/.exec(challenge)?.[1] : undefined;
  return new GraphFailure({
    status,
    code,
    requestId: headerOf(headers, "request-id"),
    retryAfterMs: retryAfterMs(headerOf(headers, "retry-after")),
    claims: claims === undefined ? undefined : Buffer.from(claims, "base64").toString("utf8"),
  });
}
