import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type IncomingHttpHeaders,
  request,
} from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { SecureVersion } from "node:tls";
import type { Certificates } from "../../emulators/kernel/certificates.ts";

/** A request on its way to the server. */
export interface Passing {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  readonly body: string;
}

/** An answer on its way back. */
export interface PassingAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

/** What goes wrong on the way: both may change what they are given, and the first may take its time or answer itself. */
export interface Fault {
  readonly request?: (passing: Passing) => PassingAnswer | undefined | void | Promise<void>;
  readonly answer?: (answer: PassingAnswer, passing: Readonly<Passing>) => void;
}

/** A front end that does one thing wrong. */
export interface FaultyProxy {
  readonly origin: string;
  /** Applies to the next request; `{}` is a correct front end. */
  fault: Fault;
  close(): Promise<void>;
}

/** How to start a {@link FaultyProxy}. */
export interface FaultyProxyOptions {
  readonly port: number;
  readonly target: () => string;
  /** With certificates it speaks https, from this version on. */
  readonly certificates?: Certificates;
  readonly minVersion?: SecureVersion;
}

/** Starts a front end on loopback that passes everything on until it is told to misbehave. */
export async function startFaultyProxy(options: FaultyProxyOptions): Promise<FaultyProxy> {
  const { port, target, certificates, minVersion = "TLSv1.2" } = options;
  let fault: Fault = {};
  const serve = async (passing: Passing, body: Buffer): Promise<PassingAnswer> => {
    const own = await fault.request?.(passing);
    if (own) return own;
    const answer = await forward(target(), passing, body);
    fault.answer?.(answer, passing);
    return answer;
  };
  const listener: Parameters<typeof createHttpServer>[1] = (req, res) => {
    const chunks: Buffer[] = [];
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => {
      const body = Buffer.concat(chunks);
      const { method = "GET", url = "/", headers } = req;
      serve({ method, url, headers: { ...headers }, body: body.toString("utf8") }, body).then(
        ({ status, headers, body }) => {
          for (const [name, value] of Object.entries(headers)) if (value !== undefined) res.setHeader(name, value);
          res.writeHead(status).end(body);
        },
        () => res.writeHead(502).end(),
      );
    });
  };
  const server: HttpServer = certificates
    ? createHttpsServer({ ...certificates, minVersion, ciphers: "DEFAULT@SECLEVEL=0" }, listener)
    : createHttpServer(listener);
  await new Promise<void>((resolve) => {
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    origin: `${certificates ? "https" : "http"}://localhost:${port}`,
    get fault() {
      return fault;
    },
    set fault(next) {
      fault = next;
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function forward(origin: string, { method, url, headers }: Passing, body: Buffer): Promise<PassingAnswer> {
  return new Promise((resolve, reject) => {
    const { port } = new URL(origin);
    const outgoing = request({ host: "127.0.0.1", port, method, path: url, headers }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("end", () => {
        const { "transfer-encoding": _, "content-length": __, connection: ___, ...kept } = incoming.headers;
        resolve({ status: incoming.statusCode ?? 502, headers: kept, body: Buffer.concat(chunks).toString("utf8") });
      });
    });
    outgoing.on("error", reject).end(body);
  });
}
