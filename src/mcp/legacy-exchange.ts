import { createHash, randomUUID } from "node:crypto";
import {
  type AuthInfo,
  isJSONRPCNotification,
  isJSONRPCRequest,
  type JSONRPCMessage,
  type JSONRPCRequest,
  type JSONRPCResponse,
  type McpServerFactory,
  type Transport,
  WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";
import type { Bus, Unsubscribe } from "./bus.ts";
import type { SessionFacts } from "./sessions.ts";

/** A session id that was opened, and what it says. */
export interface OpenSession extends SessionFacts {
  readonly id: string;
}

/** One 2025-era request and what is known of its sender. */
export interface LegacyRequest {
  readonly request: Request;
  readonly message: JSONRPCRequest;
  readonly authInfo: AuthInfo;
  readonly session: OpenSession | undefined;
}

/** What legacy requests are served with. */
export interface LegacyOptions {
  readonly factory: McpServerFactory;
  /** Whether the server may say something to the client before the result of this request; without it, of every request. */
  readonly talkative?: (request: JSONRPCRequest) => boolean;
  readonly bus: Bus;
  readonly onerror: (error: Error) => void;
}

const SEED_ID = "session-seed";

/** Channel on which the reply to a server-to-client request of a session arrives. */
export function replyChannel(sessionId: string, requestId: string | number): string {
  return `reply:${digest(sessionId)}:${requestId}`;
}

/** Channel on which a session's cancellation of one of its requests arrives. */
export function cancelChannel(sessionId: string, requestId: string | number): string {
  return `cancel:${digest(sessionId)}:${JSON.stringify(requestId)}`;
}

/**
 * Serves one 2025-era request with a server of its own, whichever instance it reached.
 *
 * With a session the server of a talkative request knows what the client declared and may ask it something while the
 * request is open: the question leaves under an id that is unique in the deployment, and its reply comes back over the
 * bus. The answer is a stream only where something may come before the result.
 */
export async function serveLegacyRequest(
  { request, message, authInfo, session }: LegacyRequest,
  { factory, talkative = () => true, bus, onerror }: LegacyOptions,
): Promise<Response> {
  const asks = session !== undefined && talkative(message);
  const streams = asks || hasProgressToken(message);
  const server = await factory({ era: "legacy", authInfo, requestInfo: request });
  const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: !streams });
  const subscriptions: Unsubscribe[] = [];
  let over = false;
  const end = (): void => {
    if (over) return;
    over = true;
    for (const unsubscribe of subscriptions.splice(0)) unsubscribe();
    transport.close().catch(onerror);
    server.close().catch(onerror);
  };
  const listen = async (channel: string, listener: (text: string) => void): Promise<void> => {
    const unsubscribe = await bus.subscribe(channel, listener);
    if (over) unsubscribe();
    else subscriptions.push(unsubscribe);
  };
  request.signal.addEventListener("abort", end, { once: true });
  if (request.signal.aborted) end();

  try {
    await server.connect(transport);
    if (asks) {
      await seed(transport, session);
      askOverBus(transport, (id, onReply) => listen(replyChannel(session.id, id), onReply));
    }
    const cancelled = new Promise<Response>((resolve, reject) => {
      if (!session) return;
      listen(cancelChannel(session.id, message.id), () => {
        transport.onmessage?.({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: message.id } });
        // A cancelled request has no answer, which is what would end it; a question still open is withdrawn first.
        setImmediate(() => {
          end();
          resolve(new Response(null, { status: 202 }));
        });
      }).then(undefined, reject);
    });
    const handled = transport.handleRequest(request, { authInfo, parsedBody: message });
    return onceRead(await Promise.race([handled, cancelled]), end);
  } catch (error) {
    end();
    throw error;
  }
}

/** Lets a fresh server know what was negotiated, by an `initialize` whose answer nobody sees. */
async function seed(transport: Transport, { protocolVersion, capabilities }: SessionFacts): Promise<void> {
  const send = transport.send.bind(transport);
  const answered = new Promise<void>((resolve) => {
    transport.send = async (reply) => {
      if ("id" in reply && reply.id === SEED_ID) resolve();
    };
  });
  transport.onmessage?.({
    jsonrpc: "2.0",
    id: SEED_ID,
    method: "initialize",
    params: { protocolVersion, capabilities, clientInfo: { name: "session", version: "1" } },
  });
  await answered;
  transport.send = send;
}

/** Gives each server-to-client request an id that no other instance uses, and waits for its reply on the bus. */
function askOverBus(
  transport: Transport,
  listenForReply: (id: string, onReply: (text: string) => void) => Promise<void>,
): void {
  const send = transport.send.bind(transport);
  const asked = new Map<unknown, string>();
  transport.send = async (outgoing, options) => {
    if (!isJSONRPCRequest(outgoing)) return send(withdrawing(outgoing, asked), options);
    const id = randomUUID();
    asked.set(outgoing.id, id);
    let answered = false;
    await listenForReply(id, (text) => {
      if (answered) return;
      answered = true;
      transport.onmessage?.({ ...(JSON.parse(text) as JSONRPCResponse), id: outgoing.id });
    });
    return send({ ...outgoing, id }, options);
  };
}

/** Names the question that a cancellation withdraws as the client knows it. */
function withdrawing(message: JSONRPCMessage, asked: ReadonlyMap<unknown, string>): JSONRPCMessage {
  if (!isJSONRPCNotification(message) || message.method !== "notifications/cancelled") return message;
  const id = asked.get(message.params?.["requestId"]);
  return id === undefined ? message : { ...message, params: { ...message.params, requestId: id } };
}

/** Calls `end` when the body was read to its end, or at once when there is nothing to stream. */
function onceRead(response: Response, end: () => void): Response {
  if (!response.body || !response.headers.get("content-type")?.startsWith("text/event-stream")) {
    end();
    return response;
  }
  const body = response.body.pipeThrough(new TransformStream<Uint8Array, Uint8Array>({ flush: end }));
  return new Response(body, { status: response.status, headers: response.headers });
}

function hasProgressToken({ params }: JSONRPCRequest): boolean {
  return (params?.["_meta"] as { progressToken?: unknown } | undefined)?.progressToken !== undefined;
}

function digest(sessionId: string): string {
  return createHash("sha256").update(sessionId).digest("base64url").slice(0, 22);
}
