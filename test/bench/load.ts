import { connect } from "node:net";

/** One request, repeated over and over. */
export interface LoadOptions {
  readonly port: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly connections: number;
  readonly durationMs: number;
  /** Text that every right answer holds. */
  readonly expect: string;
}

/** What the load saw; latencies in milliseconds. */
export interface LoadResult {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** Right answers. */
  readonly answers: number;
}

/**
 * Sends one request after the other on each of some kept-alive connections, and checks each answer.
 *
 * Raw sockets, because a client library would cost the load's core more than the server's. Rejects on a wrong answer.
 */
export async function hammer(options: LoadOptions): Promise<LoadResult> {
  const request = render(options);
  const latencies: number[] = [];
  const started = performance.now();
  const until = started + options.durationMs;
  await Promise.all(
    Array.from({ length: options.connections }, () => useConnection(options, request, until, latencies)),
  );
  const seconds = (performance.now() - started) / 1000;
  latencies.sort((a, b) => a - b);
  return {
    perSecond: latencies.length / seconds,
    p50: latencies[Math.floor(latencies.length * 0.5)] ?? 0,
    p99: latencies[Math.floor(latencies.length * 0.99)] ?? 0,
    answers: latencies.length,
  };
}

function render({ port, headers, body }: LoadOptions): Buffer {
  const lines = Object.entries({
    host: `localhost:${port}`,
    ...headers,
    "content-length": String(Buffer.byteLength(body)),
  });
  return Buffer.from(
    `POST /mcp HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${body}`,
  );
}

function useConnection(
  { port, expect }: LoadOptions,
  request: Buffer,
  until: number,
  latencies: number[],
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let received = "";
    let sentAt = 0;
    const send = (): void => {
      sentAt = performance.now();
      socket.write(request);
    };
    socket.setNoDelay(true).setEncoding("latin1").once("connect", send).once("error", reject);
    socket.on("data", (chunk: string) => {
      received += chunk;
      if (!isWhole(received)) return;
      if (!received.startsWith("HTTP/1.1 200 ") || !received.includes(expect)) {
        socket.destroy();
        reject(new Error(`Wrong answer: ${received.slice(0, 2000)}`));
        return;
      }
      const now = performance.now();
      latencies.push(now - sentAt);
      received = "";
      if (now < until) send();
      else {
        socket.destroy();
        resolve();
      }
    });
  });
}

/** Whether an answer is complete: by its length, or by the last chunk. */
function isWhole(received: string): boolean {
  const head = received.indexOf("\r\n\r\n");
  if (head < 0) return false;
  const length = /^content-length: (\d+)/im.exec(received.slice(0, head + 2))?.[1];
  return length === undefined ? received.endsWith("0\r\n\r\n") : received.length >= head + 4 + Number(length);
}
