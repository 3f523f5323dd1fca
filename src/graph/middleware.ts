import { setTimeout as sleep } from "node:timers/promises";
import type { Context, Middleware } from "@microsoft/microsoft-graph-client";
import { type CallWatch, type GraphAnswer, GraphFailure, type GraphTransport } from "./graph.ts";

const MAX_ATTEMPTS = 3;
/** Longer waits are not slept through: the caller hears of them at once. */
const MAX_WAIT_MS = 10_000;

/** Turns one function into a middleware of the Graph client. */
function link(run: (context: Context, next: () => Promise<void>) => Promise<void>): Middleware {
  let following: Middleware | undefined;
  return {
    setNext(middleware) {
      following = middleware;
    },
    execute: (context) => run(context, async () => following?.execute(context)),
  };
}

/** Wraps what the chain throws, because the library passes on only errors of its own class unchanged. */
export function keepErrors(wrap: (error: unknown) => Error): Middleware {
  return link(async (_context, next) => {
    await next().catch((error: unknown) => {
      throw wrap(error);
    });
  });
}

/** Attaches the token, to requests for the Graph origin only. */
export function bearer(origin: string, token: string): Middleware {
  return link(async (context, next) => {
    if (!String(context.request).startsWith(`${origin}/`)) throw new GraphFailure({ status: 0, code: "ForeignOrigin" });
    context.options = {
      ...context.options,
      headers: {
        ...(context.options?.headers as Record<string, string> | undefined),
        Authorization: `Bearer ${token}`,
      },
    };
    await next();
  });
}

/** When to repeat a request, and whom to tell of a wait. */
export interface RetryOptions {
  readonly signal: AbortSignal;
  /** Whether sending the request twice does no harm. */
  readonly repeatable: boolean;
  readonly onWait: ((ms: number) => void) | undefined;
}

/**
 * Repeats what Graph asks to repeat: 429 and connections that failed at once always, 503, 504 and broken connections
 * only for `repeatable` requests.
 *
 * At most three attempts; waits follow `Retry-After`, end with `signal`, and are not begun when longer than ten seconds.
 */
export function retry({ signal, repeatable, onWait }: RetryOptions): Middleware {
  return link(async (context, next) => {
    for (let attempt = 1; ; attempt++) {
      const failure = await next().then(
        () => undefined,
        (error: unknown) => error,
      );
      const wait = failure === undefined ? waitFor(answerIn(context), attempt, repeatable) : backOff(attempt);
      const last = attempt === MAX_ATTEMPTS || wait === undefined || wait > MAX_WAIT_MS || signal.aborted;
      if (failure !== undefined && (last || !mayBeSentAgain(failure, repeatable))) throw failure;
      if (last) return;
      onWait?.(wait);
      await sleep(wait, undefined, { signal });
    }
  });
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/**
 * Follows one redirect to a storage host, without the token: the address itself is the permission, for minutes.
 *
 * An address on any other host, or without https, throws {@link GraphFailure} `ForeignRedirect`.
 * Source: Microsoft Graph, "Download driveItem content".
 */
export function followToStorage(hosts: readonly string[]): Middleware {
  return link(async (context, next) => {
    await next();
    const { status, headers: answered } = answerIn(context);
    const location = headerOf(answered, "location");
    if (!location || !REDIRECTS.has(status)) return;
    const url = URL.canParse(location) ? new URL(location) : undefined;
    const known =
      url?.protocol === "https:" && hosts.some((host) => url.hostname === host || url.hostname.endsWith(`.${host}`));
    if (!url || !known || url.username || url.password) throw new GraphFailure({ status: 0, code: "ForeignRedirect" });
    const { Authorization: _token, ...headers } = (context.options?.headers ?? {}) as Record<string, string>;
    context.request = url.href;
    context.options = { ...context.options, headers };
    await next();
  });
}

/** The only network access of the chain. It follows no redirect: Graph's JSON endpoints have none. */
export function transport(send: GraphTransport, signal: AbortSignal): Middleware {
  return link(async (context) => {
    const { method = "GET", headers = {}, body } = context.options ?? {};
    const answer = await send(String(context.request), {
      method,
      headers: headers as Record<string, string>,
      signal,
      ...(typeof body === "string" ? { body } : {}),
    });
    // The library hands a raw answer on without a look at it: building a web `Response` would be for nothing.
    context.response = answer as unknown as Response;
  });
}

/** Tells `watch` of each request that goes out, and of its end; of an address nothing is said. */
export function watched(send: GraphTransport, watch: CallWatch): GraphTransport {
  return async (url, options) => {
    const end = watch.request(options.method);
    try {
      const answer = await send(url, options);
      const id = headerOf(answer.headers, "request-id");
      end({ status: answer.status, ...(id !== undefined && { id }) });
      return answer;
    } catch (error) {
      end({ error: error instanceof GraphFailure ? error.code : "cancelled" });
      throw error;
    }
  };
}

/** What {@link transport} put there. */
function answerIn({ response }: Context): GraphAnswer {
  return response as unknown as GraphAnswer;
}

/** One header of an answer; of several with this name, all of them. */
export function headerOf(headers: GraphAnswer["headers"], name: string): string | undefined {
  return headers[name]?.toString();
}

function waitFor({ status, headers }: GraphAnswer, attempt: number, repeatable: boolean): number | undefined {
  if (status !== 429 && !(repeatable && (status === 503 || status === 504))) return undefined;
  return retryAfterMs(headerOf(headers, "retry-after")) ?? backOff(attempt);
}

/** Reads `Retry-After`: a number of seconds or a date (RFC 9110, section 10.2.3). */
export function retryAfterMs(value: string | null | undefined): number | undefined {
  if (!value) return undefined;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

function backOff(attempt: number): number {
  return 200 * 2 ** attempt * (0.5 + Math.random());
}

/** What was never sent may always be; what broke on the way only if it does no harm twice. */
function mayBeSentAgain(error: unknown, repeatable: boolean): boolean {
  if (!(error instanceof GraphFailure)) return false;
  return error.code === "NotConnected" || (repeatable && error.code === "ConnectionFailed");
}
