import { randomUUID } from "node:crypto";
import { Client, GraphClientError, ResponseType } from "@microsoft/microsoft-graph-client";
import { userKey } from "../auth/principal.ts";
import { createKeyedSemaphore } from "../mcp/keyed-semaphore.ts";
import { type BatchItem, parseAnswer, refusalOf, toReadResult } from "./answer.ts";
import { toToolError, unwrap } from "./errors.ts";
import {
  type AcquireGraphToken,
  type ConnectGraph,
  type GraphAnswer,
  type GraphCall,
  type GraphChange,
  type GraphCollection,
  GraphFailure,
  type GraphGetOptions,
  type GraphHit,
  type GraphListOptions,
  type GraphPage,
  type GraphRead,
  type GraphReadResult,
  type GraphReadResults,
  type GraphSearch,
  type GraphTransport,
  type GraphUpload,
} from "./graph.ts";
import { MAILBOX_CONCURRENCY, mailboxLoad } from "./mailbox-limit.ts";
import { bearer, followToStorage, headerOf, keepErrors, retry, transport, watched } from "./middleware.ts";
import { checkNextLink } from "./paging.ts";
import type { GraphPath } from "./path.ts";
import { type GraphQuery, renderQuery } from "./query.ts";
import { createRemembered } from "./remembered.ts";

/** How to reach Graph. */
export interface GraphClientOptions {
  /** For example `https://graph.microsoft.com`: requests and tokens go to this origin and no other. */
  readonly endpoint: URL;
  readonly acquireToken: AcquireGraphToken;
  readonly send: GraphTransport;
  /** Host names, with their subdomains, that content may be downloaded from besides the endpoint. */
  readonly downloadHosts: readonly string[];
}

interface GraphRequest {
  readonly method: "GET" | "POST" | "PATCH" | "PUT";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Text as it is, anything else as JSON. */
  readonly body?: unknown;
  /** Whether a request that failed half-way may be sent again. */
  readonly repeatable: boolean;
  /** What a good answer holds: JSON, JSON or nothing, or content that is handed on as it came. */
  readonly answer: "json" | "json or nothing" | "content";
  /** How many of the concurrent requests that Exchange takes for one mailbox this one is; 0 outside of Exchange. */
  readonly mailboxLoad?: number;
}

interface BatchAnswer {
  readonly responses?: unknown;
}

interface SearchAnswer<T> {
  readonly value?: readonly {
    readonly hitsContainers?: readonly {
      /** Left out where nothing was found. */
      readonly hits?: readonly { readonly resource?: T; readonly summary?: string | null }[];
      readonly moreResultsAvailable?: boolean;
    }[];
  }[];
}

/**
 * Connects tool calls to Microsoft Graph through `@microsoft/microsoft-graph-client` with middleware of our own.
 *
 * The token is acquired before the library sees the request, because the library replaces every error thrown inside
 * its chain and a claims challenge would be lost.
 */
export function createGraphClient({ endpoint, acquireToken, send, downloadHosts }: GraphClientOptions): ConnectGraph {
  const { origin } = endpoint;
  const mailboxes = createKeyedSemaphore(MAILBOX_CONCURRENCY);
  const remembered = createRemembered();

  async function request<T>(
    { method, url, headers = {}, body, repeatable, answer }: GraphRequest,
    token: string,
    { signal, onWait, requestId = randomUUID(), watch }: GraphCall,
  ) {
    const client = Client.initWithMiddleware({
      baseUrl: `${origin}/`,
      middleware: [
        keepErrors((error) => Object.assign(new GraphClientError("kept"), { cause: error })),
        bearer(origin, token),
        retry({ signal, repeatable, onWait }),
        ...(answer === "content" ? [followToStorage(downloadHosts)] : []),
        transport(watch ? watched(send, watch) : send, signal),
      ],
    });
    const call = client
      .api(url)
      // Read here: the library hands on whatever is no JSON, so that the page of a proxy would look like an empty resource.
      .responseType(ResponseType.RAW)
      .headers({ ...headers, "client-request-id": requestId });
    const received = await sendBy(call, method, body).catch((error: unknown) => {
      throw error instanceof GraphClientError && error.cause !== undefined ? error.cause : error;
    });
    if (received.status >= 300) throw refusalOf(received);
    if (answer === "content") return received as T;
    if (received.bytes.length === 0 && answer === "json or nothing") return undefined as T;
    return parseAnswer(received) as T;
  }

  return (call: GraphCall) => {
    const { caller, permissions, signal, cursors } = call;
    let token: Promise<string> | undefined;

    const acquire = (claims?: string): Promise<string> => {
      token = acquireToken(caller, permissions, { signal, watch: call.watch, ...(claims !== undefined && { claims }) });
      return token;
    };

    /** Throws {@link GraphFailure}, or `ToolError` when no token can be had. */
    async function exchange<T>(graphRequest: GraphRequest): Promise<T> {
      const load = graphRequest.mailboxLoad ?? mailboxLoad(graphRequest.url.slice(origin.length));
      return mailboxes.run(userKey(caller.principal), { weight: load, signal }, async () => {
        try {
          return await request<T>(graphRequest, await (token ?? acquire()), call);
        } catch (error) {
          if (!(error instanceof GraphFailure) || error.claims === undefined) throw error;
          // Once and no more: a second challenge means that a person is needed.
          return request<T>(graphRequest, await acquire(error.claims), call);
        }
      });
    }

    async function perform<T>(graphRequest: GraphRequest): Promise<T> {
      try {
        return await exchange<T>(graphRequest);
      } catch (error) {
        throw error instanceof GraphFailure ? toToolError(error, { mayBeDone: !graphRequest.repeatable }) : error;
      }
    }

    const change = <T>(method: "POST" | "PATCH" | "PUT", target: GraphPath, { body, ...options }: GraphChange) =>
      perform<T>({
        method,
        ...toRequest({ path: target, ...options }),
        body,
        repeatable: options.repeatable,
        answer: "json or nothing",
      });

    async function readAlone(read: GraphRead): Promise<GraphReadResult<unknown>> {
      const known = recall(read);
      if (known !== undefined) return { ok: true, body: known };
      try {
        const body = await exchange<object>({ method: "GET", ...toRequest(read), repeatable: true, answer: "json" });
        if (read.remember) remembered.keep(caller.principal, toRequest(read), body);
        return { ok: true, body };
      } catch (failure) {
        if (failure instanceof GraphFailure) return { ok: false, failure };
        throw failure;
      }
    }

    const recall = (read: GraphRead) =>
      read.remember ? remembered.find(caller.principal, toRequest(read)) : undefined;

    async function readTogether(reads: readonly (GraphRead | undefined)[]) {
      const readOnce = async () => {
        const { responses } = await perform<BatchAnswer>({
          method: "POST",
          url: `${origin}/v1.0/$batch`,
          body: { requests: reads.flatMap((read, index) => (read ? [toBatchItem(String(index), read)] : [])) },
          repeatable: true,
          answer: "json",
          mailboxLoad: reads.reduce((load, read) => load + (read ? mailboxLoad(`/v1.0${read.path}`) : 0), 0),
        });
        const items = Array.isArray(responses) ? (responses as readonly BatchItem[]) : [];
        return reads.map((read, index) => {
          const result = read && toReadResult(items.find((item) => item?.id === String(index)));
          if (read?.remember && result?.ok) remembered.keep(caller.principal, toRequest(read), result.body as object);
          return result;
        });
      };
      const results = await readOnce();
      const [claims] = results.flatMap((result) => (result && !result.ok && result.failure.claims) || []);
      if (claims === undefined) return results;
      // An item is challenged as a request of its own would be, and answered in the same way: once. Awaited here, since
      // the second try may end before it takes the token, and nobody would hear of a refusal.
      await acquire(claims);
      return readOnce();
    }

    /** A link that leads elsewhere is reported like any other answer that cannot be used. */
    function stayOnGraph(link: string): string {
      try {
        return checkNextLink(link, endpoint);
      } catch (error) {
        throw error instanceof GraphFailure ? toToolError(error) : error;
      }
    }

    const toRequest = ({ path: target, query, headers }: GraphRead) => ({
      url: `${origin}/v1.0${withQuery(target, query)}`,
      headers,
    });

    return {
      post: <T>(target: GraphPath, options: GraphChange) => change<T>("POST", target, options),
      patch: <T>(target: GraphPath, options: GraphChange) => change<T>("PATCH", target, options),
      put: <T>(target: GraphPath, { content, contentType, headers, ...options }: GraphUpload) =>
        change<T>("PUT", target, { ...options, headers: { ...headers, "content-type": contentType }, body: content }),

      async download(target, { maxBytes }) {
        const { headers, bytes } = await perform<GraphAnswer>({
          method: "GET",
          url: `${origin}/v1.0${target}`,
          headers: { range: `bytes=0-${maxBytes - 1}` },
          repeatable: true,
          answer: "content",
        });
        const contentType = /^[^;\s]*/.exec(headerOf(headers, "content-type") ?? "")?.[0].toLowerCase() ?? "";
        return { bytes: bytes.subarray(0, maxBytes), contentType };
      },

      get: async <T>(target: GraphPath, options?: GraphGetOptions) =>
        unwrap(await readAlone({ path: target, ...options })) as T,

      async list<T>(target: GraphPath, { cursor, ...options }: GraphListOptions): Promise<GraphPage<T>> {
        const first = toRequest({ path: target, ...options });
        const place: Place = cursor === undefined ? first : (JSON.parse(await cursors.open(cursor)) as Place);
        const page = await perform<GraphCollection<T>>({
          method: "GET",
          url: stayOnGraph(place.url),
          headers: place.headers,
          repeatable: true,
          answer: "json",
        });
        const items = Array.isArray(page.value) ? page.value : [];
        const link = page["@odata.nextLink"];
        if (link === undefined) return { items };
        // Graph wants the headers of the first page again, with every page (ConsistencyLevel).
        const next: Place = { url: stayOnGraph(link), headers: place.headers };
        return { items, next: await cursors.seal(JSON.stringify(next)) };
      },

      async search<T>({ entityType, query, limit, cursor }: GraphSearch): Promise<GraphPage<GraphHit<T>>> {
        const from = cursor === undefined ? 0 : Number(await cursors.open(cursor));
        const { value } = await perform<SearchAnswer<T>>({
          method: "POST",
          url: `${origin}/v1.0/search/query`,
          body: { requests: [{ entityTypes: [entityType], query: { queryString: query }, from, size: limit }] },
          repeatable: true,
          answer: "json",
        });
        const found = value?.[0]?.hitsContainers?.[0];
        const items = (found?.hits ?? []).flatMap(({ resource, summary }) =>
          resource ? [{ resource, ...(summary && { summary: withoutMarks(summary) }) }] : [],
        );
        if (!found?.moreResultsAvailable) return { items };
        return { items, next: await cursors.seal(String(from + limit)) };
      },

      async batch<T extends readonly unknown[]>(reads: readonly [GraphRead, ...(GraphRead | undefined)[]]) {
        const asked = reads.map((read) => (read && recall(read) === undefined ? read : undefined));
        const count = asked.filter((read) => read !== undefined).length;
        const answers = count > 1 ? await readTogether(asked) : [];
        const results = reads.map(async (read, index) => read && (answers[index] ?? readAlone(read)));
        return (await Promise.all(results)) as unknown as GraphReadResults<T>;
      },
    };
  };
}

/** A summary marks the words that were found with `<c0>`, and what it leaves out with `<ddd/>`. */
function withoutMarks(summary: string): string {
  return summary.replace(/<\/?c0>/g, "").replace(/<ddd\/>/g, "…");
}

/** Where a page is: what a cursor holds. */
interface Place {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>> | undefined;
}

function withQuery(target: GraphPath, query: GraphQuery = {}): string {
  const rendered = renderQuery(query);
  return rendered ? `${target}?${rendered}` : target;
}

function toBatchItem(id: string, { path: target, query, headers }: GraphRead) {
  return { id, method: "GET", url: withQuery(target, query), ...(headers && { headers }) };
}

/** Sends by the library's own methods; with raw answers each gives what the transport put there. */
async function sendBy(call: ReturnType<Client["api"]>, method: GraphRequest["method"], body: unknown) {
  const send = {
    GET: () => call.get() as Promise<GraphAnswer>,
    POST: () => call.post(body) as Promise<GraphAnswer>,
    PATCH: () => call.patch(body) as Promise<GraphAnswer>,
    PUT: () => call.put(body) as Promise<GraphAnswer>,
  };
  return send[method]();
}
