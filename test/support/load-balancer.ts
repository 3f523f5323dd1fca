import { type ClientRequest, createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream";

/** A load balancer without affinity: each request goes to the next instance in turn. */
export interface LoadBalancer {
  readonly port: number;
  readonly origin: string;
  /** How many requests each port has got. */
  readonly hits: ReadonlyMap<number, number>;
  /** How many of them are not answered to the end yet. */
  open(port: number): number;
  /** Ports of the instances that live, in the order of their turns. */
  use(ports: readonly number[]): void;
  close(): Promise<void>;
}

/** Starts a load balancer; nothing is behind it until {@link LoadBalancer.use}. */
export async function startLoadBalancer(): Promise<LoadBalancer> {
  let instances: readonly number[] = [];
  let turn = 0;
  const hits = new Map<number, number>();
  const open = new Map<number, number>();
  const server = createServer((req, res) => {
    const port = instances[turn++ % instances.length] ?? 0;
    hits.set(port, (hits.get(port) ?? 0) + 1);
    open.set(port, (open.get(port) ?? 0) + 1);
    res.once("close", () => open.set(port, (open.get(port) ?? 0) - 1));
    forward(req, res, port);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    origin: `http://localhost:${port}`,
    hits,
    open: (port) => open.get(port) ?? 0,
    use(ports) {
      instances = ports;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Passes a request on and the answer back as it comes; who hangs up on one side is hung up on, on the other. */
function forward(req: IncomingMessage, res: ServerResponse, port: number): void {
  const { method, url: path, headers } = req;
  const onward: ClientRequest = request({ host: "127.0.0.1", port, method, path, headers }, (answer) => {
    res.writeHead(answer.statusCode ?? 502, answer.headers).flushHeaders();
    pipeline(answer, res, () => undefined);
  });
  onward.on("error", () => {
    if (res.headersSent) res.destroy();
    else res.writeHead(502).end();
  });
  res.on("close", () => onward.destroy());
  req.pipe(onward);
}
