import type { Caller } from "../auth/principal.ts";
import type { TokenSource } from "../diagnostics.ts";
import type { GraphPath } from "./path.ts";
import type { GraphQuery } from "./query.ts";

/** What a request may say besides its path. */
export interface GraphRequestOptions {
  readonly query?: GraphQuery;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A read of one resource. */
export interface GraphGetOptions extends GraphRequestOptions {
  /** Answers this user's later reads of the same from memory, for some minutes: for what changes seldom. */
  readonly remember?: boolean;
}

/** A request that may change something. */
export interface GraphChange extends GraphRequestOptions {
  /** Whether sending it twice does no harm: it is then repeated after 503, 504 and a broken connection. */
  readonly repeatable: boolean;
  /** Sent as JSON; actions without arguments have none. */
  readonly body?: unknown;
}

/** The content of a text file. */
export interface GraphUpload extends Omit<GraphChange, "body"> {
  readonly content: string;
  readonly contentType: string;
}

/** Bytes of a file or an attachment. */
export interface GraphContent {
  readonly bytes: Uint8Array;
  /** Media type without parameters, lower case; empty when Graph named none. */
  readonly contentType: string;
}

/** A read of a collection; `cursor` as the tool received it. */
export interface GraphListOptions extends GraphRequestOptions {
  readonly cursor?: string | undefined;
}

/** One read inside a batch. */
export interface GraphRead extends GraphGetOptions {
  readonly path: GraphPath;
}

/** A search over everything of one kind that the caller may read. */
export interface GraphSearch {
  readonly entityType: "driveItem" | "chatMessage";
  /** Keyword Query Language. */
  readonly query: string;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** What a search found, with the words around the hit as plain text. */
export interface GraphHit<T> {
  readonly resource: T;
  readonly summary?: string;
}

/** A collection as Graph sends it. */
export interface GraphCollection<T> {
  readonly value: readonly T[];
  readonly "@odata.nextLink"?: string;
}

/** Some items of a collection; `next` is a sealed cursor for the rest, absent on the last page. */
export interface GraphPage<T> {
  readonly items: readonly T[];
  readonly next?: string;
}

/** What became of one read in a batch. */
export type GraphReadResult<T> =
  | { readonly ok: true; readonly body: T }
  | { readonly ok: false; readonly failure: GraphFailure };

/**
 * Microsoft Graph on behalf of one caller, for the time of one tool call.
 *
 * Every method throws a `ToolError` when Graph refuses or cannot be reached; requests end with the call.
 */
export interface Graph {
  /** Reads one resource. */
  get<T>(path: GraphPath, options?: GraphGetOptions): Promise<T>;
  /**
   * Reads the first page of a collection, or with the `cursor` of an earlier page the one after it, from wherever that
   * page came.
   */
  list<T>(path: GraphPath, options: GraphListOptions): Promise<GraphPage<T>>;
  /** Asks Microsoft Search for a page of hits, with the `cursor` of an earlier page for the one after it. */
  search<T>(search: GraphSearch): Promise<GraphPage<GraphHit<T>>>;
  /**
   * Sends a change, or a query in the form of one, and reads the answer: `undefined` of actions that have none.
   *
   * Throws `ToolError` `outcome_unknown` when a change that is not repeatable may have been done.
   */
  post<T>(path: GraphPath, change: GraphChange): Promise<T>;
  /** As {@link Graph.post}: changes the named properties of a resource and reads it. */
  patch<T>(path: GraphPath, change: GraphChange): Promise<T>;
  /** As {@link Graph.post}: writes the content of a file and reads its item. */
  put<T>(path: GraphPath, upload: GraphUpload): Promise<T>;
  /**
   * Reads the content of a file or an attachment, at most its first `maxBytes`. A redirect to a storage host is followed
   * once, without the token.
   */
  download(path: GraphPath, options: { readonly maxBytes: number }): Promise<GraphContent>;
  /**
   * Sends up to 20 independent reads as one request; each has a result of its own. Places after the first may be left
   * `undefined` and stay so in the results; one read alone is sent as itself.
   */
  batch<T extends readonly unknown[]>(
    reads: readonly [GraphRead, ...(GraphRead | undefined)[]],
  ): Promise<GraphReadResults<T>>;
}

/** Results of a batch, place by place; what was surely asked for is surely there. */
export type GraphReadResults<T extends readonly unknown[]> = T extends readonly [infer First, ...infer Rest]
  ? [GraphReadResult<First>, ...{ [K in keyof Rest]: GraphReadResult<Rest[K]> | undefined }]
  : never;

/** Opens and seals the cursors of one tool call; bound to its user, tool and arguments. */
export interface Cursors {
  seal(content: string): Promise<string>;
  /** Throws `ToolError` `invalid_cursor` when the cursor is not one of this user, tool and arguments. */
  open(cursor: string): Promise<string>;
}

/** Told of the end of a request: its status and Graph's id of it, or a stable word for why there was no answer. */
export type EndOfRequest = (facts: { readonly status?: number; readonly id?: string; readonly error?: string }) => void;

/** Looks on at the requests of one call. Never throws. */
export interface CallWatch {
  /** A request to Graph begins. */
  readonly request: (method: string) => EndOfRequest;
  /** A token for Graph is wanted, and remembered or about to be asked for. */
  readonly token: (source: TokenSource) => EndOfRequest;
}

/** Who asks, with which permissions, for how long. */
export interface GraphCall {
  readonly caller: Caller;
  /** Delegated permissions that the tool declares; nothing else is asked for. */
  readonly permissions: readonly string[];
  readonly signal: AbortSignal;
  readonly cursors: Cursors;
  /** Told when Graph asks to wait, before the wait. */
  readonly onWait?: (ms: number) => void;
  /** Sent with each request as `client-request-id`, so that Graph's logs name it; a GUID. */
  readonly requestId?: string;
  readonly watch?: CallWatch;
}

/** Makes a {@link Graph} for one call. */
export type ConnectGraph = (call: GraphCall) => Graph;

/**
 * Gets a Graph token on behalf of a caller. With `claims` (a claims challenge as JSON) past every cache.
 *
 * Throws `ToolError`: `consent_required`, `interaction_required`, `misconfigured` or `unavailable`; after an abort the signal's reason.
 */
export type AcquireGraphToken = (
  caller: Caller,
  permissions: readonly string[],
  options: { readonly signal: AbortSignal; readonly claims?: string; readonly watch?: CallWatch | undefined },
) => Promise<string>;

/** Graph's refusal of one request, with what is needed to tell refusals apart. `status` 0: there was no answer. */
export class GraphFailure extends Error {
  override readonly name = "GraphFailure";
  readonly status: number;
  /** Graph's error code, for example `Request_ResourceNotFound`. */
  readonly code: string;
  /** Graph's own id of the request, for a support case. */
  readonly requestId: string | undefined;
  readonly retryAfterMs: number | undefined;
  /** Claims challenge of continuous access evaluation, as JSON. */
  readonly claims: string | undefined;

  constructor(
    facts: Pick<GraphFailure, "status" | "code"> &
      Partial<Pick<GraphFailure, "requestId" | "retryAfterMs" | "claims">> & { readonly cause?: unknown },
  ) {
    super(`Microsoft Graph answered ${facts.status} ${facts.code}`, { cause: facts.cause });
    this.status = facts.status;
    this.code = facts.code;
    this.requestId = facts.requestId;
    this.retryAfterMs = facts.retryAfterMs;
    this.claims = facts.claims;
  }
}

/** An answer of Graph, read whole; names of headers in lower case. */
export interface GraphAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly bytes: Uint8Array;
}

/**
 * One HTTP exchange; the answer is read whole. Throws `GraphFailure` `NotConnected` or `ConnectTimedOut` (nothing was
 * sent), `ConnectionFailed`, `TimedOut` or `TooLarge`.
 */
export type GraphTransport = (
  url: string,
  options: {
    readonly method: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: string;
    readonly signal: AbortSignal;
  },
) => Promise<GraphAnswer>;
