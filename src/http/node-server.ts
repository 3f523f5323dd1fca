import { createServer, type RequestListener, type Server } from "node:http";

/** How long a client may take, and how many may come at once. */
export interface ConnectionLimits {
  /** For the head of a request. */
  readonly headersMs: number;
  /** For a whole request; an answer may take any time. */
  readonly requestMs: number;
  /** How often both are checked. */
  readonly checkMs: number;
  readonly connections: number;
}

/** Room for Easy Auth: the token, and the principal with all its claims. Node's default is 16 KiB. */
const MAX_HEADER_BYTES = 64 * 1024;
const MAX_HEADERS = 100;
/**
 * App Service's front end gives a silent connection up after 230 seconds. It must be the first: a connection that this
 * server closes may just then carry a request, which the front end answers 502.
 */
const KEEP_ALIVE_MS = 240_000;

/** What a deployment has: generous for people, short enough for a client that sends a byte at a time. */
const DEFAULTS: ConnectionLimits = { headersMs: 10_000, requestMs: 60_000, checkMs: 2_000, connections: 5_000 };

/** Makes the server of Node with limits for slow and for many connections: one that is too slow is answered 408 and closed. */
export function createNodeServer(handler: RequestListener, limits: Partial<ConnectionLimits> = {}): Server {
  const { headersMs, requestMs, checkMs, connections } = { ...DEFAULTS, ...limits };
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: headersMs,
      requestTimeout: requestMs,
      connectionsCheckingInterval: checkMs,
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
    handler,
  );
  server.maxHeadersCount = MAX_HEADERS;
  server.maxConnections = connections;
  return server;
}
