import {
  Agent,
  type ClientRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request,
  type ServerResponse,
} from "node:http";
import { buffer } from "node:stream/consumers";
import { endToEndHeaders } from "./forwarded-headers.ts";

/** Where and how to forward one request. */
export interface Forwarding {
  /** Origin of the application, or undefined while it has none. */
  readonly origin: string | undefined;
  /** Path and query, undecoded. */
  readonly target: string;
  readonly headers: OutgoingHttpHeaders;
  /** How long both directions may be silent. */
  readonly idleMs: number;
  /** Sends the response only once it is complete. */
  readonly buffered: boolean;
}

/** A streaming reverse proxy. */
export interface Proxy {
  forward(req: IncomingMessage, res: ServerResponse, forwarding: Forwarding): void;
  close(): void;
}

/** Creates a proxy that keeps connections to the application open between requests. */
export function createProxy(): Proxy {
  // Node closes idle connections after 5 s: give them up earlier, or a request could meet one that is being closed.
  const agent = new Agent({ keepAlive: true, timeout: 4000 });
  return {
    close: () => agent.destroy(),
    forward(req, res, { origin, target, headers, idleMs, buffered }) {
      if (origin === undefined) {
        fail(res, 503, "Service Unavailable: the application has not started.");
        return;
      }
      const { hostname, port } = new URL(origin);
      const upstream = request({ agent, hostname, port, method: req.method, path: target, headers });
      const silence = setTimeout(() => {
        fail(res, 504, "Gateway Timeout: the request was silent for too long.");
        upstream.destroy();
      }, idleMs).unref();

      upstream.on("response", (answer) => {
        answer.on("data", () => silence.refresh());
        answer.on("error", () => res.destroy());
        send(answer, res, buffered);
      });
      upstream.on("error", (error: NodeJS.ErrnoException) => {
        const refused = error.code === "ECONNREFUSED";
        fail(res, refused ? 503 : 502, refused ? "Service Unavailable" : "Bad Gateway");
      });
      res.on("close", () => {
        clearTimeout(silence);
        if (!res.writableFinished) upstream.destroy();
      });
      upload(req, upstream, silence);
    },
  };
}

function upload(req: IncomingMessage, upstream: ClientRequest, silence: NodeJS.Timeout): void {
  req.on("data", () => silence.refresh());
  req.on("error", () => upstream.destroy());
  req.pipe(upstream);
}

function send(answer: IncomingMessage, res: ServerResponse, buffered: boolean): void {
  const head = [answer.statusCode ?? 502, answer.statusMessage, endToEndHeaders(answer.rawHeaders).flat()] as const;
  if (buffered) {
    // The error handler of the answer has cut the connection when it breaks off.
    buffer(answer).then(
      (body) => res.writeHead(...head).end(body),
      () => undefined,
    );
    return;
  }
  res.writeHead(...head);
  // An event stream may stay silent after its headers; a response of known length follows at once, in one packet.
  if (answer.headers["content-length"] === undefined) res.flushHeaders();
  answer.pipe(res);
}

/** Answers in the platform's place, or cuts the connection when a response has already begun. */
function fail(res: ServerResponse, status: number, text: string): void {
  if (res.writableEnded || res.destroyed) return;
  if (res.headersSent) {
    res.destroy();
    return;
  }
  res.writeHead(status, { "Content-Type": "text/plain", "Content-Length": Buffer.byteLength(text) }).end(text);
}
