import {
  type AuthInfo,
  createMcpHandler,
  isInitializeRequest,
  isJSONRPCNotification,
  isJSONRPCRequest,
  isJSONRPCResponse,
  isJsonContentType,
  isLegacyRequest,
  type JSONRPCRequest,
  type McpServerFactory,
} from "@modelcontextprotocol/server";
import { requestContextOf } from "./auth-info.ts";
import type { Bus } from "./bus.ts";
import { cancelChannel, type OpenSession, replyChannel, serveLegacyRequest } from "./legacy-exchange.ts";
import { createServerEventBus } from "./server-events.ts";
import type { Sessions } from "./sessions.ts";

/** What the endpoint is made of. */
export interface EndpointOptions {
  readonly factory: McpServerFactory;
  /** Whether the server may say something to the client before the result of this request; without it, of every request. */
  readonly talkative?: (request: JSONRPCRequest) => boolean;
  readonly sessions: Sessions;
  readonly bus: Bus;
  readonly maxBodyBytes: number;
  /** Told of errors; their messages may quote the request. */
  readonly onerror: (error: Error) => void;
}

/** The MCP endpoint in web-standard form; authentication is done before. */
export interface Endpoint {
  /**
   * Answers one request. `text` is its body, undefined when it was larger than allowed; of `request` only method, url,
   * headers and signal are looked at.
   */
  handle(call: {
    readonly request: Request;
    readonly text: string | undefined;
    readonly authInfo: AuthInfo | undefined;
  }): Promise<Response>;
  /** Ends open streams of the 2026 era. */
  close(): Promise<void>;
}

const SESSION_HEADER = "mcp-session-id";

/**
 * Serves both protocol eras at one place: requests of 2026-07-28 go to the SDK's handler, older ones to a server per
 * request whose session is a signed id (see {@link Sessions}), so that any instance can take any request.
 */
export function createEndpoint(options: EndpointOptions): Endpoint {
  const { factory, sessions, bus, maxBodyBytes, onerror } = options;
  const modern = createMcpHandler(factory, {
    legacy: "reject",
    bus: createServerEventBus(bus, onerror),
    maxRequestBodySize: maxBodyBytes,
    onerror,
  });

  async function serveLegacy(request: Request, body: unknown, authInfo: AuthInfo): Promise<Response> {
    const { principal } = requestContextOf(authInfo).caller;
    const sessionId = request.headers.get(SESSION_HEADER);
    let session: OpenSession | undefined;
    if (sessionId !== null) {
      const facts = await sessions.open(sessionId, principal).catch(() => "unreadable" as const);
      if (!facts) return refuse(404, -32_001, "Session not found. Start a new one with initialize.");
      // Without signing keys a session cannot be told from a forged one: the request is served as if it had none.
      if (facts !== "unreadable") session = { ...facts, id: sessionId };
    }
    if (isJSONRPCResponse(body)) {
      if (!session) return refuse(400, -32_600, "A reply needs the session that was asked.");
      if (body.id !== undefined) await bus.publish(replyChannel(session.id, body.id), JSON.stringify(body));
      return accepted();
    }
    if (isJSONRPCNotification(body)) {
      const cancelled = body.method === "notifications/cancelled" ? body.params?.["requestId"] : undefined;
      if (session && (typeof cancelled === "string" || typeof cancelled === "number")) {
        await bus.publish(cancelChannel(session.id, cancelled), "");
      }
      return accepted();
    }
    if (!isJSONRPCRequest(body)) return refuse(400, -32_600, "The body is not a JSON-RPC message.");

    const response = await serveLegacyRequest({ request, message: body, authInfo, session }, options);
    if (isInitializeRequest(body) && response.ok) {
      const issued = await sessions.issue(principal, body.params).catch(() => undefined);
      // Without signing keys the client goes on without a session: it works, but cannot be asked anything.
      if (issued !== undefined) response.headers.set(SESSION_HEADER, issued);
    }
    return response;
  }

  return {
    async handle({ request, text, authInfo }) {
      if (request.method !== "POST") {
        return refuse(405, -32_000, "Method not allowed. Send JSON-RPC messages by POST.", { allow: "POST" });
      }
      if (!isJsonContentType(request.headers.get("content-type"))) {
        return refuse(415, -32_000, "Unsupported media type. Content-Type must be application/json.");
      }
      if (text === undefined) return refuse(413, -32_000, `The body is larger than ${maxBodyBytes} bytes.`);
      let body: unknown;
      try {
        body = JSON.parse(text);
      } catch {
        return refuse(400, -32_700, "The body is not valid JSON.");
      }
      if (authInfo && (await isLegacyRequest(request, body))) return serveLegacy(request, body, authInfo);
      return modern.fetch(request, { parsedBody: body, ...(authInfo && { authInfo }) });
    },
    close: () => modern.close(),
  };
}

function accepted(): Response {
  return new Response(null, { status: 202 });
}

function refuse(status: number, code: number, message: string, headers: Record<string, string> = {}): Response {
  return Response.json({ jsonrpc: "2.0", error: { code, message }, id: null }, { status, headers });
}
