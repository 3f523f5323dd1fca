/** What one message of the 2025 era is sent with. */
export interface WireOptions {
  /** Absent: without an Authorization header. */
  readonly token?: string;
  readonly session?: string;
  /** Hangs up, also before anything came back. */
  readonly signal?: AbortSignal;
}

/** A JSON-RPC message as it came. */
export type Message = Readonly<Record<string, unknown>> & { readonly id?: string | number | null };

/** An answer to one POST: a body, or a stream that is read message by message. */
export interface Exchange {
  readonly status: number;
  readonly headers: Headers;
  /** The next message, or undefined at the end. Rejects when the connection breaks. */
  readonly next: () => Promise<Message | undefined>;
  readonly hangUp: () => void;
}

/** Posts one message as a client of 2025-11-25, or whatever else a test wants to send. */
export async function post(
  mcpUrl: string,
  message: unknown,
  { token, session, signal }: WireOptions = {},
): Promise<Exchange> {
  const hangUp = new AbortController();
  const response = await fetch(mcpUrl, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": "2025-11-25",
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(session !== undefined && { "mcp-session-id": session }),
    },
    body: JSON.stringify(message),
    signal: signal ? AbortSignal.any([signal, hangUp.signal]) : hangUp.signal,
  });
  const messages = response.headers.get("content-type")?.startsWith("text/event-stream")
    ? events(response)
    : body(response);
  return {
    status: response.status,
    headers: response.headers,
    next: async () => (await messages.next()).value ?? undefined,
    hangUp: () => hangUp.abort(),
  };
}

/** Posts one message and reads everything that comes back. */
export async function postAndRead(mcpUrl: string, message: unknown, options?: WireOptions) {
  const exchange = await post(mcpUrl, message, options);
  const messages: Message[] = [];
  for (let got = await exchange.next(); got; got = await exchange.next()) messages.push(got);
  return { status: exchange.status, headers: exchange.headers, messages, last: messages.at(-1) };
}

/** Starts a session as a client that can show forms, unless the capabilities say otherwise; its id. */
export async function startSession(
  mcpUrl: string,
  token: string,
  capabilities: Readonly<Record<string, unknown>> = { elicitation: { form: {} } },
): Promise<string> {
  const { headers } = await postAndRead(mcpUrl, initialize(capabilities), { token });
  const session = headers.get("mcp-session-id");
  if (session === null) throw new Error("The server issued no session.");
  return session;
}

/** The first message of a client. */
export function initialize(capabilities: Readonly<Record<string, unknown>>, protocolVersion = "2025-11-25") {
  return {
    jsonrpc: "2.0",
    id: 0,
    method: "initialize",
    params: { protocolVersion, capabilities, clientInfo: { name: "wire", version: "1" } },
  };
}

/** A `tools/call`; `more` are further members of its `params`. */
export function callOf(
  name: string,
  args: Readonly<Record<string, unknown>>,
  id: string | number = 1,
  more: Readonly<Record<string, unknown>> = {},
) {
  return { jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: args, ...more } };
}

/** The answer of somebody who says yes to what the server asked under this id. */
export function approval(id: unknown) {
  return { jsonrpc: "2.0", id, result: { action: "accept", content: { approve: true } } };
}

async function* events(response: Response): AsyncGenerator<Message, undefined> {
  let text = "";
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const data = /^data: (.+)$/m.exec(text.slice(0, end))?.[1];
      text = text.slice(end + 2);
      if (data !== undefined) yield JSON.parse(data) as Message;
    }
  }
}

async function* body(response: Response): AsyncGenerator<Message, undefined> {
  const text = await response.text();
  if (text !== "") yield JSON.parse(text) as Message;
}
