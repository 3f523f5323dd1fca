import { connect } from "node:net";

/** What came back; header names in lower case, several of one name joined with ", ". */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A header as it goes over the wire; a list of them may repeat names and keeps their spelling. */
export type RawHeader = readonly [name: string, value: string];

/** A request that no HTTP client would send. */
export interface RawRequest {
  readonly method?: string;
  /** The request target, sent as it is. */
  readonly target?: string;
  /**
   * Added to Host and Content-Length, which are left out where this list names them, the latter also where it names
   * Transfer-Encoding.
   */
  readonly headers?: readonly RawHeader[];
  readonly body?: string;
}

const TIMEOUT_MS = 20_000;

/** Sends bytes as they are to a plain http origin and reads one answer, however the connection ends. */
export function sendRaw(origin: string, request: RawRequest): Promise<RawAnswer> {
  const { port } = new URL(origin);
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    let failure: Error | undefined;
    const socket = connect({ host: "127.0.0.1", port: Number(port) }, () => socket.write(render(origin, request)));
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`No answer within ${TIMEOUT_MS} ms.`)));
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (isComplete(received, request.method === "HEAD")) socket.destroy();
    });
    // A server that refuses a large body may cut the connection while it is still being sent.
    socket.on("error", (error) => {
      failure = error;
    });
    socket.on("close", () => {
      const answer = parse(received);
      if (answer) resolve(answer);
      else reject(failure ?? new Error("The connection ended without an answer."));
    });
  });
}

/** Some answers leave the connection open. */
function isComplete(bytes: Buffer, withoutBody: boolean): boolean {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return false;
  const head = bytes.subarray(0, end).toString("latin1").toLowerCase();
  if (head.includes("\r\ntransfer-encoding: chunked") && !withoutBody) return bytes.subarray(-5).equals(LAST_CHUNK);
  const length = withoutBody ? 0 : Number(/\r\ncontent-length: (\d+)/.exec(head)?.[1]);
  return bytes.length >= end + 4 + length;
}

const LAST_CHUNK = Buffer.from("0\r\n\r\n");

function render(origin: string, { method = "POST", target = "/mcp", headers = [], body = "" }: RawRequest): string {
  const given = new Set(headers.map(([name]) => name.toLowerCase()));
  const defaults: readonly RawHeader[] = [
    ["Host", new URL(origin).host],
    ...(body === "" || given.has("transfer-encoding")
      ? []
      : [["Content-Length", String(Buffer.byteLength(body))] as const]),
  ];
  const lines = [...defaults.filter(([name]) => !given.has(name.toLowerCase())), ...headers].map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  return `${method} ${target} HTTP/1.1\r\n${lines.join("")}\r\n${body}`;
}

function parse(bytes: Buffer): RawAnswer | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [statusLine = "", ...lines] = bytes.subarray(0, end).toString("latin1").split("\r\n");
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  const rest = bytes.subarray(end + 4);
  const body = headers["transfer-encoding"] === "chunked" ? joinChunks(rest) : rest;
  return { status: Number(statusLine.split(" ")[1]), headers, body: body.toString("utf8") };
}

function joinChunks(bytes: Buffer): Buffer {
  const chunks: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = bytes.indexOf("\r\n", at);
    const size = lineEnd < 0 ? 0 : Number.parseInt(bytes.subarray(at, lineEnd).toString("latin1"), 16);
    if (!size) return Buffer.concat(chunks);
    chunks.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}
