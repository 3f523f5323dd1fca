import { randomUUID } from "node:crypto";
import { Client, GraphClientError, GraphError, ResponseType } from "@microsoft/microsoft-graph-client";
import { toToolError } from "./errors.ts";
import {
  type AcquireGraphToken,
  type ConnectGraph,
  type GraphCall,
  type GraphCollection,
  GraphFailure,
  type GraphHit,
  type GraphListOptions,
  type GraphPage,
  type GraphRead,
  type GraphReadResult,
  type GraphReadResults,
  type GraphSearch,
  type GraphTransport,
} from "./graph.ts";
import { bearer, followToStorage, keepErrors, retry, retryAfterMs, transport } from "./middleware.ts";
import { checkNextLink } from "./paging.ts";
import type { GraphPath } from "./path.ts";
import { type GraphQuery, renderQuery } from "./query.ts";

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
  readonly method: "GET" | "POST";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: unknown;
  /** Whether a request that failed half-way may be sent again. */
  readonly repeatable: boolean;
  /** Whether the answer is content and not JSON; it is then a {@link Response}. */
  readonly binary?: boolean;
}

interface BatchItem {
  readonly id: string;
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
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

  async function request<T>(
    { method, url, headers = {}, body, repeatable, binary = false }: GraphRequest,
    token: string,
    { signal, onWait }: GraphCall,
  ) {
    const client = Client.initWithMiddleware({
      baseUrl: `${origin}/`,
      middleware: [
        keepErrors((error) => Object.assign(new GraphClientError("kept"), { cause: error })),
        bearer(origin, token),
        retry({ signal, repeatable, onWait }),
        ...(binary ? [followToStorage(downloadHosts)] : []),
        transport(send, signal),
      ],
    });
    const call = client
      .api(url)
      // Without it the library hands on whatever is no JSON: the page of a proxy would look like an empty resource.
      .responseType(binary ? ResponseType.RAW : ResponseType.JSON)
      .headers({ ...headers, "client-request-id": randomUUID() });
    try {
      const answer: unknown = await (method === "GET" ? call.get() : call.post(body));
      if (typeof answer !== "object" || answer === null)
        throw new GraphFailure({ status: 200, code: "UnexpectedAnswer" });
      // The library hands on raw answers whatever their status: an error is no content.
      if (answer instanceof Response && !answer.ok) {
        throw failureOf({ status: answer.status, code: "DownloadRefused", headers: answer.headers });
      }
      return answer as T;
    } catch (error) {
      throw toFailure(error);
    }
  }

  return (call: GraphCall) => {
    const { caller, permissions, signal, cursors } = call;
    let token: Promise<string> | undefined;

    /** Throws {@link GraphFailure}, or `ToolError` when no token can be had. */
    async function exchange<T>(graphRequest: GraphRequest): Promise<T> {
      token ??= acquireToken(caller, permissions, { signal });
      try {
        return await request<T>(graphRequest, await token, call);
      } catch (error) {
        if (!(error instanceof GraphFailure) || error.claims === undefined) throw error;
        // Once and no more: a second challenge means that a person is needed.
        token = acquireToken(caller, permissions, { signal, claims: error.claims });
        return request<T>(graphRequest, await token, call);
      }
    }

    async function perform<T>(graphRequest: GraphRequest): Promise<T> {
      try {
        return await exchange<T>(graphRequest);
      } catch (error) {
        throw error instanceof GraphFailure ? toToolError(error) : error;
      }
    }

    async function readAlone(read: GraphRead): Promise<GraphReadResult<unknown>> {
      try {
        return { ok: true, body: await exchange({ method: "GET", ...toRequest(read), repeatable: true }) };
      } catch (failure) {
        if (failure instanceof GraphFailure) return { ok: false, failure };
        throw failure;
      }
    }

    async function readTogether(reads: readonly (GraphRead | undefined)[]) {
      const readOnce = async () => {
        const { responses } = await perform<BatchAnswer>({
          method: "POST",
          url: `${origin}/v1.0/$batch`,
          headers: { "content-type": "application/json" },
          body: { requests: reads.flatMap((read, index) => (read ? [toBatchItem(String(index), read)] : [])) },
          repeatable: true,
        });
        const items = Array.isArray(responses) ? (responses as readonly BatchItem[]) : [];
        return reads.map((read, index) => read && toReadResult(items.find((item) => item?.id === String(index))));
      };
      const results = await readOnce();
      const challenged = results.find((result) => result && !result.ok && result.failure.claims !== undefined);
      if (!challenged || challenged.ok) return results;
      // An item is challenged as a request of its own would be, and answered in the same way: once.
      token = acquireToken(caller, permissions, { signal, claims: challenged.failure.claims ?? "" });
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
      post: (target, { body, repeatable, headers, ...options }) =>
        perform({
          method: "POST",
          ...toRequest({ path: target, ...options }),
          headers: { "content-type": "application/json", ...headers },
          body,
          repeatable,
        }),

      async download(target, { maxBytes }) {
        const response = await perform<Response>({
          method: "GET",
          url: `${origin}/v1.0${target}`,
          headers: { range: `bytes=0-${maxBytes - 1}` },
          repeatable: true,
          binary: true,
        });
        const contentType = /^[^;\s]*/.exec(response.headers.get("content-type") ?? "")?.[0].toLowerCase() ?? "";
        return { bytes: new Uint8Array(await response.arrayBuffer()).subarray(0, maxBytes), contentType };
      },

      get: (target, options) =>
        perform({ method: "GET", ...toRequest({ path: target, ...options }), repeatable: true }),

      async list<T>(target: GraphPath, { cursor, ...options }: GraphListOptions): Promise<GraphPage<T>> {
        const first = toRequest({ path: target, ...options });
        const place: Place = cursor === undefined ? first : (JSON.parse(await cursors.open(cursor)) as Place);
        const page = await perform<GraphCollection<T>>({
          method: "GET",
          url: stayOnGraph(place.url),
          headers: place.headers,
          repeatable: true,
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
          headers: { "content-type": "application/json" },
          body: { requests: [{ entityTypes: [entityType], query: { queryString: query }, from, size: limit }] },
          repeatable: true,
        });
        const found = value?.[0]?.hitsContainers?.[0];
        const items = (found?.hits ?? []).flatMap(({ resource, summary }) =>
          resource ? [{ resource, ...(summary && { summary: withoutMarks(summary) }) }] : [],
        );
        if (!found?.moreResultsAvailable) return { items };
        return { items, next: await cursors.seal(String(from + limit)) };
      },

      async batch<T extends readonly unknown[]>(reads: readonly [GraphRead, ...(GraphRead | undefined)[]]) {
        const alone = reads.every((read, index) => index === 0 || read === undefined);
        const results = alone
          ? [await readAlone(reads[0]), ...reads.slice(1).map(() => undefined)]
          : await readTogether(reads);
        return results as GraphReadResults<T>;
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

function toReadResult(item: BatchItem | undefined): GraphReadResult<unknown> {
  if (item === undefined) return { ok: false, failure: new GraphFailure({ status: 0, code: "NoBatchAnswer" }) };
  const { status, body } = item;
  const answer = typeof body === "object" && body !== null ? body : undefined;
  if (status < 400 && answer) return { ok: true, body: answer };
  const { error } = (answer ?? {}) as { error?: { code?: unknown } };
  return {
    ok: false,
    failure: failureOf({
      status,
      code: typeof error?.code === "string" ? error.code : "UnknownError",
      headers: new Headers(item.headers),
    }),
  };
}

function toFailure(error: unknown): unknown {
  if (error instanceof GraphClientError) return error.cause ?? error;
  if (error instanceof GraphFailure) return error;
  // The library trips over some error bodies (`innerError: null`).
  if (!(error instanceof GraphError)) return new GraphFailure({ status: 0, code: "UnexpectedAnswer", cause: error });
  return failureOf({
    status: error.statusCode,
    code: error.code ?? "UnknownError",
    headers: error.headers,
    cause: error,
  });
}

/** Reads from the headers of a refusal what its body does not say. */
function failureOf(refusal: { status: number; code: string; headers: Headers | undefined; cause?: unknown }) {
  const { status, code, headers, cause } = refusal;
  const challenge = headers?.get("www-authenticate") ?? "";
  const claims = /error="insufficient_claims"/.test(challenge) ? /claims="([^"]*)"/.exec(challenge)?.[1] : undefined;
  return new GraphFailure({
    status,
    code,
    requestId: headers?.get("request-id") ?? undefined,
    retryAfterMs: retryAfterMs(headers?.get("retry-after")),
    claims: claims === undefined ? undefined : Buffer.from(claims, "base64").toString("utf8"),
    cause,
  });
}
