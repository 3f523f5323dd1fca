import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Certificates } from "./certificates.ts";

/** A server that listens on loopback. */
export interface Listener {
  /** For example `http://localhost:3001`, without a trailing slash. */
  readonly origin: string;
  readonly port: number;
  /** Stops listening and cuts open connections. */
  close(): Promise<void>;
}

/** How to listen. `port` 0 (default) takes a free one; with `certificates` it speaks https. */
export interface ListenOptions {
  readonly port?: number;
  readonly certificates?: Certificates;
}

/** A port that something else holds; the message names it and what wanted it. */
export class PortBusyError extends Error {
  override readonly name = "PortBusyError";
  readonly port: number;
  constructor(port: number, wantedBy: string) {
    super(`Port ${port}, wanted by ${wantedBy}, is in use.`);
    this.port = port;
  }
}

/** Starts `handler` on 127.0.0.1. `name` says in errors who wanted the port. Throws {@link PortBusyError}. */
export async function listen(name: string, handler: RequestListener, options: ListenOptions = {}): Promise<Listener> {
  const { port = 0, certificates } = options;
  const server: Server = certificates
    ? createTlsServer({ key: certificates.key, cert: certificates.cert }, handler)
    : createServer(handler);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(error.code === "EADDRINUSE" ? new PortBusyError(port, name) : error);
    });
    server.listen(port, "127.0.0.1", resolve);
  });
  const bound = (server.address() as AddressInfo).port;
  return {
    origin: `${certificates ? "https" : "http"}://localhost:${bound}`,
    port: bound,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
