import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AuthInfo } from "@modelcontextprotocol/server";

/** What the MCP endpoint is asked for one HTTP exchange. */
export interface EndpointCall {
  /** Method, url, headers and signal of the request; its body was read. */
  readonly request: Request;
  /** The body as text, or undefined when it is larger than allowed. */
  readonly text: string | undefined;
  readonly authInfo: AuthInfo | undefined;
}

/**
 * Runs one web-standard exchange on Node's objects.
 *
 * The body is read here, up to `maxBodyBytes`, and the endpoint gets a view of the request instead of a `Request` with a
 * stream: building and reading those costs more than the rest of the way. The view has what the SDK looks at; a test
 * fails when a version of the SDK looks at more.
 */
export async function exchange(
  req: IncomingMessage & { auth?: AuthInfo },
  res: ServerResponse,
  handle: (call: EndpointCall) => Promise<Response>,
  maxBodyBytes: number,
): Promise<void> {
  const abort = new AbortController();
  res.once("close", () => {
    if (!res.writableFinished) abort.abort();
  });
  const text = await readText(req, maxBodyBytes).catch((error: unknown) => {
    if (!req.destroyed && !abort.signal.aborted) throw error;
    // The client went away before it had said what it wants.
    abort.abort();
    return undefined;
  });
  if (abort.signal.aborted) return;
  const response = await handle({ request: requestView(req, abort.signal), text, authInfo: req.auth });
  await send(res, response, abort.signal);
}

/** What the SDK reads of a request whose body it was given parsed. */
export function requestView(req: IncomingMessage, signal: AbortSignal): Request {
  const view: Pick<Request, "method" | "url" | "signal"> & { readonly headers: Pick<Headers, "get" | "has"> } = {
    method: req.method ?? "GET",
    url: `http://${req.headers.host ?? "localhost"}${req.url ?? "/"}`,
    signal,
    headers: {
      get: (name) => req.headers[name.toLowerCase()]?.toString() ?? null,
      has: (name) => req.headers[name.toLowerCase()] !== undefined,
    },
  };
  return view as Request;
}

/** By events: an iterator over the stream costs as much as the rest of the reading. */
function readText(req: IncomingMessage, maxBytes: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    if (Number(req.headers["content-length"]) > maxBytes) return resolve(undefined);
    const chunks: Buffer[] = [];
    let received = 0;
    req.on("data", (chunk: Buffer) => {
      received += chunk.length;
      // A connection that is cut while the client still sends takes the answer with it: Node discards the rest instead.
      if (received > maxBytes) resolve(undefined);
      else chunks.push(chunk);
    });
    req.once("end", () => resolve((chunks.length === 1 ? chunks[0] : Buffer.concat(chunks))?.toString("utf8")));
    req.once("error", reject).once("close", () => reject(new Error("The request ended before it was whole.")));
  });
}

async function send(res: ServerResponse, response: Response, signal: AbortSignal): Promise<void> {
  response.headers.forEach((value, name) => res.setHeader(name, value));
  res.statusCode = response.status;
  if (!response.body) {
    res.end();
  } else if (response.headers.get("content-type")?.startsWith("text/event-stream")) {
    await stream(res, response.body, signal);
  } else {
    // As text, which Node writes together with the head; bytes would be a write of their own.
    res.end(await response.text());
  }
}

async function stream(res: ServerResponse, body: ReadableStream<Uint8Array>, signal: AbortSignal): Promise<void> {
  try {
    for await (const chunk of body) {
      if (signal.aborted) break;
      if (!res.write(chunk)) await once(res, "drain", { signal });
    }
  } catch (error) {
    // A client that went away ends the stream; anything else is a fault of the server.
    if (!signal.aborted) throw error;
  } finally {
    res.end();
  }
}
