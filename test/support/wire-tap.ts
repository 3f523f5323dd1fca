import { channel } from "node:diagnostics_channel";
import type { IncomingMessage, ServerResponse } from "node:http";

/** A request as it reached a listener of this process. */
export interface TappedRequest {
  /** Port of the listener. */
  readonly port: number;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: () => string;
  /** Whether the sender hung up before it had the answer. */
  readonly abandoned: () => boolean;
  /** Everything that was sent: target, headers and body. */
  readonly text: () => string;
}

/** Sees every request to every listener of the test's process, such as the emulators; stop it when done. */
export interface WireTap {
  readonly requests: readonly TappedRequest[];
  clear(): void;
  stop(): void;
}

/** Starts listening in. Bodies are copied while their reader reads them. */
export function startWireTap(): WireTap {
  const started = channel("http.server.request.start");
  const requests: TappedRequest[] = [];
  const onRequest = (message: unknown): void => {
    const { request, response } = message as { request: IncomingMessage; response: ServerResponse };
    requests.push(tap(request, response));
  };
  started.subscribe(onRequest);
  return {
    requests,
    clear: () => {
      requests.length = 0;
    },
    stop: () => {
      started.unsubscribe(onRequest);
    },
  };
}

function tap(request: IncomingMessage, response: ServerResponse): TappedRequest {
  const chunks: Buffer[] = [];
  const emit = request.emit.bind(request);
  request.emit = (event: string | symbol, ...args: unknown[]) => {
    if (event === "data") chunks.push(args[0] as Buffer);
    return emit(event, ...args);
  };
  const { method = "", url = "", headers } = request;
  const body = () => Buffer.concat(chunks).toString("utf8");
  return {
    port: request.socket.localPort ?? 0,
    method,
    url,
    headers,
    body,
    abandoned: () => response.destroyed && !response.writableFinished,
    text: () => [`${method} ${url}`, JSON.stringify(headers), body()].join("\n"),
  };
}
