import { type Answer, createTrace, errorAnswer } from "./answer.ts";
import type { Dispatch } from "./dispatch.ts";
import { badRequest, GraphFailure } from "./failure.ts";
import type { Call } from "./route.ts";
import { parseTarget } from "./target.ts";

const MAX_ITEMS = 20;

interface BatchItem {
  readonly id: string;
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly body: unknown;
  readonly dependsOn: readonly string[];
}

interface ItemAnswer extends Answer {
  readonly id: string;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isText = (value: unknown): value is string => typeof value === "string" && value !== "";

const malformed = () => badRequest("Invalid batch payload format.");

function parseHeaders(headers: unknown): Headers {
  try {
    return new Headers((headers ?? {}) as Record<string, string>);
  } catch {
    throw malformed();
  }
}

function parseItem(item: unknown): BatchItem {
  if (!isRecord(item)) throw malformed();
  const { id, method, url, body, dependsOn = [] } = item;
  if (!isText(id) || !isText(method) || !isText(url)) throw malformed();
  if (!Array.isArray(dependsOn) || !dependsOn.every(isText)) throw malformed();
  if (/^[a-z][a-z\d+.-]*:|^\/\//i.test(url)) throw badRequest(`Request url of request ${id} has to be relative.`);
  const headers = parseHeaders(item["headers"]);
  if (body !== undefined && !headers.has("content-type")) {
    throw badRequest(`Write request id : ${id} does not contain Content-Type header or body.`);
  }
  return { id, method: method.toUpperCase(), url, headers, body, dependsOn };
}

/** Puts every item behind the ones it depends on; a circle is refused. */
function inOrder(items: readonly BatchItem[]): BatchItem[] {
  const ordered: BatchItem[] = [];
  const done = new Set<string>();
  while (ordered.length < items.length) {
    const ready = items.filter(({ id, dependsOn }) => !done.has(id) && dependsOn.every((other) => done.has(other)));
    if (ready.length === 0) throw badRequest("The dependencies of the batch requests form a circle.");
    for (const item of ready) done.add(item.id);
    ordered.push(...ready);
  }
  return ordered;
}

function parseBatch(body: unknown): BatchItem[] {
  if (!isRecord(body) || !Array.isArray(body["requests"]) || body["requests"].length === 0) throw malformed();
  if (body["requests"].length > MAX_ITEMS) {
    throw badRequest(`Number of batch request steps exceeds the maximum value of ${MAX_ITEMS}.`);
  }
  const items = body["requests"].map(parseItem);
  const ids = new Set(items.map(({ id }) => id));
  if (ids.size < items.length) throw badRequest("Request ids have to be unique in a batch.");
  if (items.some(({ dependsOn }) => dependsOn.some((id) => !ids.has(id)))) {
    throw badRequest("A batch request depends on a request that is not in the batch.");
  }
  return inOrder(items);
}

/** The answer to `POST /$batch`: each item is dispatched as the batch's caller, with its own headers and status. */
export async function answerBatch(batch: Call, dispatch: Dispatch): Promise<Answer> {
  const { switches } = batch;
  const answers = new Map<string, ItemAnswer>();

  async function answerItem(item: BatchItem): Promise<Answer> {
    if (item.dependsOn.some((id) => (answers.get(id)?.status ?? 0) >= 400)) {
      throw new GraphFailure(424, "FailedDependency", "Failed Dependency");
    }
    const throttled = switches["graph.throttledBatchItems"];
    if (throttled !== undefined && item.url.startsWith(throttled)) {
      throw new GraphFailure(429, "TooManyRequests", "Too many requests.", { "Retry-After": "1" });
    }
    const url = item.url.startsWith("/") ? item.url : `/${item.url}`;
    const { method, headers, body } = item;
    return dispatch({ ...batch, ...parseTarget(url), method, headers, body });
  }

  for (const item of parseBatch(batch.body)) {
    const trace = createTrace(item.headers.get("client-request-id") ?? undefined);
    const answer = await answerItem(item).catch((error: unknown) => errorAnswer(error, trace, switches));
    const headers = { "request-id": trace.requestId, "Content-Type": "application/json", ...answer.headers };
    answers.set(item.id, { id: item.id, ...answer, headers });
  }
  // Graph promises no order; a client that relies on one must not work here.
  return { status: 200, body: { responses: [...answers.values()].toReversed() } };
}
