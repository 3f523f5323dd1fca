import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { pipeline } from "node:stream";

/** A port that leads to another one and counts the connections that are made. */
export interface SocketCounter {
  readonly port: number;
  connections(): number;
  close(): Promise<void>;
}

/** Starts a counter in front of `target` on this machine. */
export async function startSocketCounter(target: number): Promise<SocketCounter> {
  const open: Socket[] = [];
  const server = createServer((client) => {
    const onward = connect(target, "127.0.0.1");
    open.push(client, onward);
    pipeline(client, onward, client, () => undefined);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => open.length / 2,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}
