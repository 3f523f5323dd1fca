import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { McpServer } from "@modelcontextprotocol/server";
import { expect, test } from "vitest";
import { requestView } from "../../src/http/node-adapter.ts";
import { toAuthInfo } from "../../src/mcp/auth-info.ts";
import { createEndpoint } from "../../src/mcp/endpoint.ts";
import { createProcessKeyRing } from "../../src/mcp/key-ring.ts";
import { createSessions } from "../../src/mcp/sessions.ts";
import { createInProcessBus } from "../../src/platform/in-process-bus.ts";

const caller = {
  principal: { userId: "user", tenantId: "tenant", clientId: "client", scopes: [], roles: [] },
  accessToken: "token",
  expiresAt: 4_000_000_000,
};
const authInfo = toAuthInfo(
  { caller, requestId: "r" },
  { resource: "http://localhost/mcp", resourceMetadataUrl: "http://localhost/prm" },
);
const keys = createProcessKeyRing();

/** Answers one request and notes every member of the request's view that was looked at. */
async function lookedAt(headers: Record<string, string>, message: object) {
  const req = Object.assign(new IncomingMessage(new Socket()), {
    method: "POST",
    url: "/mcp",
    headers: {
      host: "localhost",
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...headers,
    },
  });
  const seen = new Set<string>();
  const watch = <T extends object>(target: T, prefix: string): T =>
    new Proxy(target, {
      get(object, name) {
        seen.add(`${prefix}${String(name)}`);
        const value: unknown = Reflect.get(object, name, object);
        return name === "headers" ? watch(value as object, "headers.") : value;
      },
    });
  const endpoint = createEndpoint({
    factory: () => {
      const mcp = new McpServer({ name: "t", version: "1" }, { capabilities: { tools: {} } });
      mcp.server.setRequestHandler("tools/list", () => ({ tools: [] }));
      return mcp;
    },
    sessions: createSessions(keys),
    bus: createInProcessBus(),
    maxBodyBytes: 1000,
    onerror: () => undefined,
  });
  const request = watch(requestView(req, new AbortController().signal), "");
  const response = await endpoint.handle({ request, text: JSON.stringify(message), authInfo });
  return { seen: [...seen].sort(), status: response.status, text: await response.text() };
}

const KNOWN = new Set(["headers", "headers.get", "headers.has", "method", "signal", "url"]);

test("a request of 2026-07-28 is served from what the view of a request has", async () => {
  const version = "2026-07-28";
  const { seen, status, text } = await lookedAt(
    { "mcp-protocol-version": version, "mcp-method": "tools/list" },
    {
      jsonrpc: "2.0",
      id: 1,
      method: "tools/list",
      params: {
        _meta: { "io.modelcontextprotocol/protocolVersion": version, "io.modelcontextprotocol/clientCapabilities": {} },
      },
    },
  );
  expect([status, text.includes('"tools":[]')]).toEqual([200, true]);
  expect(seen.filter((member) => !KNOWN.has(member))).toEqual([]);
});

test("a request of 2025-11-25 with a session is served from what the view of a request has", async () => {
  const session = await createSessions(keys).issue(caller.principal, {
    protocolVersion: "2025-11-25",
    capabilities: {},
  });
  const { seen, status, text } = await lookedAt(
    { "mcp-protocol-version": "2025-11-25", "mcp-session-id": session },
    { jsonrpc: "2.0", id: 1, method: "tools/list" },
  );
  expect([status, text.includes('"tools":[]')]).toEqual([200, true]);
  expect(seen.filter((member) => !KNOWN.has(member))).toEqual([]);
});
