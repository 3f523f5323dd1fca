import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { userToken } from "../support/forged-tokens.ts";
import { ERAS, type McpMessage, mcpRequest, messageIn, toolCall } from "../support/mcp-messages.ts";
import { type RawAnswer, type RawHeader, type RawRequest, sendRaw } from "../support/raw-http.ts";
import { type Stack, startStack } from "../support/stack.ts";

let stack: Stack;
let authorization: RawHeader;
beforeAll(async () => {
  stack = await startStack("bearer");
  authorization = ["Authorization", `Bearer ${await userToken(stack)}`];
});
afterAll(() => stack.close());
beforeEach(() => stack.graph.traffic.clear());

const send = (request: RawRequest) => sendRaw(stack.serverOrigin, request);

/** Sends as Adele Vance; `headers` go before the message's own, which they replace. */
function sendSignedIn({ headers = [], ...request }: RawRequest): Promise<RawAnswer> {
  return send({ ...request, headers: [authorization, ...headers] });
}

/** The headers of a message with some replaced, or left out where the value is undefined. */
function replace({ headers }: McpMessage, changes: Readonly<Record<string, string | undefined>>): RawHeader[] {
  const kept = headers.filter(([name]) => !(name in changes));
  return [
    ...kept,
    ...Object.entries(changes).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])),
  ];
}

const error = (code: number, message: unknown, id: unknown = null) => ({
  jsonrpc: "2.0",
  id,
  error: { code, message },
});

/** What every answer of the server has, and what none has. */
function expectHardened({ headers, body }: RawAnswer): void {
  expect(headers["x-request-id"]).toMatch(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/);
  expect(headers["strict-transport-security"]).toBe("max-age=31536000; includeSubDomains");
  expect(headers["x-content-type-options"]).toBe("nosniff");
  expect(headers["cache-control"]).toMatch(/^no-store$|^no-cache, no-transform$/);
  expect(headers["x-powered-by"]).toBeUndefined();
  expect(headers["server"]).toBeUndefined();
  expect(headers["etag"]).toBeUndefined();
  expect(body).not.toMatch(/node_modules|\.[jt]s:\d+|\bat .*\(|express|node\/v?\d/i);
}

describe("a body that is no message", () => {
  test.each([
    { name: "malformed JSON", body: "{oops", status: 400, code: -32700 },
    { name: "an empty body", body: "", status: 400, code: -32700 },
    { name: "a number", body: "7", status: 400, code: -32600 },
    { name: "null", body: "null", status: 400, code: -32600 },
    { name: "a string", body: '"tools/list"', status: 400, code: -32600 },
    { name: "an object without a method", body: "{}", status: 400, code: -32600 },
    { name: "an empty batch", body: "[]", status: 400, code: -32600 },
    {
      name: "another JSON-RPC version",
      body: '{"jsonrpc":"1.0","id":1,"method":"tools/list"}',
      status: 400,
      code: -32600,
    },
    { name: "bytes that are no UTF-8", body: "\u0000\u0001\u0002", status: 400, code: -32700 },
  ])("$name is answered with $status and $code in both eras", async ({ body, status, code }) => {
    const id: unknown = expect.toSatisfy((value) => value === null || body.includes(`"id":${String(value)}`));
    for (const era of ERAS) {
      const answer = await sendSignedIn({ headers: toolCall("get_my_profile", {}, era).headers, body });

      expect(answer.status).toBe(status);
      expect(answer.headers["content-type"]).toBe("application/json");
      expect(messageIn(answer)).toEqual(error(code, expect.any(String), id));
      expectHardened(answer);
    }
    expect(stack.graph.traffic.requests).toEqual([]);
  });

  test.each(["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", undefined])(
    "content type %j is answered with 415",
    async (type) => {
      const message = toolCall("get_my_profile");
      const answer = await sendSignedIn({ headers: replace(message, { "Content-Type": type }), body: message.body });

      expect(answer.status).toBe(415);
      expect(messageIn(answer)).toEqual(error(-32000, expect.stringContaining("application/json")));
      expectHardened(answer);
      expect(stack.graph.traffic.requests).toEqual([]);
    },
  );

  test.each([
    { name: "announced", headers: [] },
    { name: "sent in chunks", headers: [["Transfer-Encoding", "chunked"]] as const },
  ])("a body of 5 MB, $name, is answered with 413 and not kept", async ({ headers }) => {
    const text = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: { x: "a".repeat(5_000_000) } });
    const chunked = headers.length > 0;
    const body = chunked ? `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n` : text;
    // Several times, because an answer is lost now and then where the connection is cut under a client that still sends.
    for (let attempts = 0; attempts < 10; attempts += 1) {
      const answer = await sendSignedIn({ headers: [...headers, ...toolCall("x").headers], body });

      expect(answer.status).toBe(413);
      expect(messageIn(answer)).toEqual(error(-32000, expect.stringContaining("4194304")));
      expectHardened(answer);
    }
  });

  test("a batch is refused in both eras, so that one request is one call", async () => {
    for (const era of ERAS) {
      const { headers, body } = toolCall("get_my_profile", {}, era);
      const answer = await sendSignedIn({ headers, body: `[${body},${body.replace('"id":1', '"id":2')}]` });

      expect(answer.status).toBe(400);
      expect(messageIn(answer)).toEqual(error(-32600, expect.any(String)));
    }
    expect(stack.graph.traffic.requests).toEqual([]);
  });
});

describe("a message that the server cannot serve", () => {
  test.each([
    { era: "2026-07-28", status: 404 },
    { era: "2025-11-25", status: 200 },
  ] as const)("an unknown method is -32601 in $era", async ({ era, status }) => {
    for (const method of ["nope/nope", "tools/nope", "tasks/get", "__proto__"]) {
      const message = mcpRequest(era, method, { name: "x" });
      const answer = await sendSignedIn(message);

      expect(answer.status).toBe(status);
      expect(messageIn(answer)).toEqual(error(-32601, "Method not found", 1));
      expectHardened(answer);
    }
  });

  test.each(ERAS)("an unknown tool is -32602 in %s", async (era) => {
    for (const name of ["nope", "__proto__", "constructor", "GET_MY_PROFILE"]) {
      const answer = await sendSignedIn(toolCall(name, {}, era));

      expect(messageIn(answer)).toMatchObject({ jsonrpc: "2.0", id: 1, error: { code: -32602 } });
      expect(answer.body).not.toContain("isError");
    }
    expect(stack.graph.traffic.requests).toEqual([]);
  });

  test.each(ERAS)(
    "arguments of the wrong type are a result with isError, which a model can correct, in %s",
    async (era) => {
      const answer = await sendSignedIn(toolCall("get_user", { user: 7 }, era));

      expect(answer.status).toBe(200);
      expect(messageIn(answer)).toMatchObject({
        result: {
          isError: true,
          content: [
            { text: "The arguments of get_user are not valid. user: Invalid input: expected string, received number" },
          ],
        },
      });
    },
  );

  test.each(ERAS)("arguments that are no object are -32602 in %s", async (era) => {
    for (const args of ["[]", '"text"', "7"]) {
      const { headers, body } = toolCall("get_my_profile", {}, era);
      const answer = await sendSignedIn({ headers, body: body.replace('"arguments":{}', `"arguments":${args}`) });

      expect(messageIn(answer)).toMatchObject({ error: { code: -32602 } });
    }
    expect(stack.graph.traffic.requests).toEqual([]);
  });
});

describe("the envelope of 2026-07-28", () => {
  const call = toolCall("get_my_profile");
  const params = (change: (params: Record<string, unknown>) => void) => {
    const message = JSON.parse(call.body) as { params: Record<string, unknown> };
    change(message.params);
    return JSON.stringify(message);
  };

  test.each([
    { name: "no _meta", body: () => params((fields) => delete fields["_meta"]), code: -32602 },
    { name: "an empty _meta", body: () => params((fields) => Object.assign(fields, { _meta: {} })), code: -32602 },
    {
      name: "no client capabilities",
      body: () =>
        params((fields) =>
          Object.assign(fields, { _meta: { "io.modelcontextprotocol/protocolVersion": "2026-07-28" } }),
        ),
      code: -32602,
    },
  ])("$name is $code with 400", async ({ body, code }) => {
    const answer = await sendSignedIn({ headers: call.headers, body: body() });

    expect(answer.status).toBe(400);
    expect(messageIn(answer)).toMatchObject({ id: 1, error: { code } });
    expect(stack.graph.traffic.requests).toEqual([]);
  });

  test.each([
    { name: "another method in the header", changes: { "Mcp-Method": "tools/list" } },
    { name: "no method in the header", changes: { "Mcp-Method": undefined } },
    { name: "another tool in the header", changes: { "Mcp-Name": "get_user" } },
    { name: "no tool in the header", changes: { "Mcp-Name": undefined } },
    { name: "no version in the header", changes: { "MCP-Protocol-Version": undefined } },
    { name: "an older version in the header", changes: { "MCP-Protocol-Version": "2025-11-25" } },
  ])("$name is a mismatch: -32020 with 400", async ({ changes }) => {
    const answer = await sendSignedIn({ headers: replace(call, changes), body: call.body });

    expect(answer.status).toBe(400);
    expect(messageIn(answer)).toMatchObject({ id: 1, error: { code: -32020 } });
    expect(stack.graph.traffic.requests).toEqual([]);
  });

  test("a tool's name in base64 in the header is the same tool", async () => {
    const name = `=?base64?${Buffer.from("get_my_profile").toString("base64")}?=`;
    const answer = await sendSignedIn({ headers: replace(call, { "Mcp-Name": name }), body: call.body });

    expect(answer.status).toBe(200);
    expect(messageIn(answer)).toMatchObject({ result: { structuredContent: { name: "Adele Vance" } } });
  });

  test("a version that nobody speaks is -32022 with 400, and names those that are spoken", async () => {
    const headers = replace(call, { "MCP-Protocol-Version": "2099-01-01" });
    const answer = await sendSignedIn({ headers, body: call.body.replace("2026-07-28", "2099-01-01") });

    expect(answer.status).toBe(400);
    expect(messageIn(answer)).toMatchObject({
      id: 1,
      error: { code: -32022, data: { supported: ["2026-07-28"], requested: "2099-01-01" } },
    });
  });

  test("initialize and ping, which the revision removed, are -32601 with 404", async () => {
    for (const method of ["initialize", "ping", "logging/setLevel", "resources/subscribe"]) {
      const answer = await sendSignedIn(mcpRequest("2026-07-28", method));

      expect(answer.status).toBe(404);
      expect(messageIn(answer)).toMatchObject({ id: 1, error: { code: -32601 } });
    }
  });
});

describe("the protocol of 2025-11-25", () => {
  test("a version header that nobody speaks is refused with 400", async () => {
    const call = toolCall("get_my_profile", {}, "2025-11-25");
    const answer = await sendSignedIn({
      headers: replace(call, { "MCP-Protocol-Version": "1999-01-01" }),
      body: call.body,
    });

    expect(answer.status).toBe(400);
    expect(messageIn(answer)).toMatchObject({ error: { code: expect.any(Number) as number } });
    expect(stack.graph.traffic.requests).toEqual([]);
  });

  test("initialize with a version that nobody speaks is answered with one that is spoken", async () => {
    const message = mcpRequest("2025-11-25", "initialize", {
      protocolVersion: "1999-01-01",
      capabilities: {},
      clientInfo: { name: "test", version: "1" },
    });
    const answer = await sendSignedIn({
      headers: replace(message, { "MCP-Protocol-Version": undefined }),
      body: message.body,
    });

    expect(answer.status).toBe(200);
    expect(messageIn(answer)).toMatchObject({ result: { protocolVersion: "2025-11-25" } });
  });

  test.each([
    { name: "made up", id: "0123456789" },
    { name: "with parts of a signed one", id: "eyJzIjoieCJ9.c2lnbmF0dXJl" },
    { name: "very long", id: "a".repeat(10_000) },
  ])("a session id that is $name is refused with 404", async ({ id }) => {
    const call = toolCall("get_my_profile", {}, "2025-11-25");
    const answer = await sendSignedIn({ headers: [["Mcp-Session-Id", id], ...call.headers], body: call.body });

    expect(answer.status).toBe(404);
    expect(messageIn(answer)).toEqual(error(-32001, "Session not found. Start a new one with initialize."));
    expect(stack.graph.traffic.requests).toEqual([]);
  });
});

describe("methods and paths", () => {
  test.each(["GET", "DELETE", "HEAD", "OPTIONS", "PUT", "PATCH", "TRACE", "PROPFIND"])(
    "%s on /mcp is answered with 405 and Allow: POST",
    async (method) => {
      const answer = await sendSignedIn({ method, headers: [["Accept", "text/event-stream"]] });

      expect(answer.status).toBe(405);
      expect(answer.headers["allow"]).toBe("POST");
      expectHardened(answer);
    },
  );

  test.each(["GET", "DELETE", "OPTIONS", "PUT", "TRACE"])(
    "%s on /mcp without a token is challenged",
    async (method) => {
      const answer = await send({ method });

      expect(answer.status).toBe(401);
      expect(answer.headers["www-authenticate"]).toMatch(/^Bearer error="invalid_token"/);
      expectHardened(answer);
    },
  );

  test("an absolute target is served like its path, and no other host is called", async () => {
    const call = toolCall("get_my_profile");
    const answer = await sendSignedIn({ ...call, target: "http://evil.example/mcp" });

    expect(answer.status).toBe(200);
    expect(messageIn(answer)).toMatchObject({ result: { structuredContent: { name: "Adele Vance" } } });
  });

  test.each([
    "/nope",
    "/mcp/x",
    "/mcp/%zz",
    "/%zz",
    "/%",
    "/healthz/%",
    "/healthz/..%2f..%2fetc/passwd",
    "//mcp",
    "/.env",
    "/.git/config",
    "/api/mcp",
    "*",
    "/x?%zz=%",
    `/${"a".repeat(8_000)}`,
  ])("the path %s is a problem document that says nothing about the inside", async (target) => {
    for (const method of ["GET", "POST"]) {
      const answer = await sendSignedIn({ method, target });

      expect([400, 404]).toContain(answer.status);
      expect(answer.headers["content-type"]).toBe("application/problem+json; charset=utf-8");
      expect(JSON.parse(answer.body)).toEqual({
        title: answer.status === 404 ? "Not found" : "Bad request",
        status: answer.status,
        requestId: answer.headers["x-request-id"],
      });
      expectHardened(answer);
    }
  });

  test.each(["/mcp", "/MCP", "/mcp/", "/mcp?x=%zz", "/mcp?access_token=x"])(
    "%s is the endpoint, and asks for a token",
    async (target) => {
      const call = toolCall("get_my_profile");
      expect((await send({ ...call, target })).status).toBe(401);
      expect((await sendSignedIn({ ...call, target })).status).toBe(200);
    },
  );

  test("/healthz and /readyz say that all is well and nothing else", async () => {
    const live = await send({ method: "GET", target: "/healthz" });
    const ready = await send({ method: "GET", target: "/readyz" });

    expect([live.status, JSON.parse(live.body)]).toEqual([200, { status: "ok" }]);
    expect([ready.status, JSON.parse(ready.body)]).toEqual([
      200,
      { status: "ok", checks: { keys: "ok", audit: "ok" }, counters: { auditEventsLost: 0 } },
    ]);
    for (const answer of [live, ready]) expectHardened(answer);
  });

  test("the resource metadata is open to everyone, with no more than what RFC 9728 asks for", async () => {
    for (const [target, resource] of [
      ["/.well-known/oauth-protected-resource/mcp", stack.mcpUrl],
      ["/.well-known/oauth-protected-resource", stack.serverOrigin],
    ] as const) {
      const answer = await send({ method: "GET", target });

      expect(answer.status).toBe(200);
      expect(JSON.parse(answer.body)).toMatchObject({
        resource,
        authorization_servers: [`${stack.entra.httpOrigin}/5b7e1e6c-4a52-4f0e-9d0a-6a3c1f6f2d11/v2.0`],
        scopes_supported: [`${resource.replace(/\/$/, "")}/user_impersonation`],
      });
      expectHardened(answer);
    }
  });
});

describe("where a request says that it comes from and goes to", () => {
  const call = toolCall("get_my_profile");

  test.each([
    "evil.example",
    "evil.example:8080",
    "localhost.evil.example",
    "127.0.0.1",
    "localhost@evil.example",
    "[::1]",
    "",
  ])("Host: %s is refused with 403 (DNS rebinding)", async (host) => {
    const answer = await sendSignedIn({ ...call, headers: [["Host", host], ...call.headers] });

    expect(answer.status).toBe(403);
    expect(messageIn(answer)).toEqual(error(-32000, expect.stringMatching(/^(Invalid Host|Missing Host)/)));
    expectHardened(answer);
    expect(stack.graph.traffic.requests).toEqual([]);
  });

  test.each([
    "https://evil.example",
    "http://localhost.evil.example",
    "https://evil.example/localhost",
    "http://localhost@evil.example",
    "null",
    "file://",
    "chrome-extension://abcdefghijklmnop",
    "vscode-webview://localhost.evil",
    "localhost",
  ])("Origin: %s is refused with 403", async (origin) => {
    const answer = await sendSignedIn({ ...call, headers: [["Origin", origin], ...call.headers] });

    expect(answer.status).toBe(403);
    expect(messageIn(answer)).toEqual(error(-32000, expect.stringMatching(/^Invalid Origin/)));
    expectHardened(answer);
    expect(stack.graph.traffic.requests).toEqual([]);
  });

  test("its own Origin is allowed, on any port", async () => {
    for (const origin of [stack.serverOrigin, "http://localhost:9999"]) {
      expect((await sendSignedIn({ ...call, headers: [["Origin", origin], ...call.headers] })).status).toBe(200);
    }
  });

  test("bad Host and Origin are refused before the token is looked at", async () => {
    for (const header of [["Host", "evil.example"] as const, ["Origin", "https://evil.example"] as const]) {
      const answer = await send({ ...call, headers: [header, ...call.headers] });

      expect(answer.status).toBe(403);
      expect(answer.headers["www-authenticate"]).toBeUndefined();
    }
  });
});

describe("headers that are too much", () => {
  const call = toolCall("get_my_profile");

  test("headers of 100 KB are answered with 431", async () => {
    const answer = await sendSignedIn({ ...call, headers: [["X-Filler", "a".repeat(100_000)], ...call.headers] });

    expect(answer.status).toBe(431);
    expect(answer.body).toBe("");
  });

  test("a thousand headers do not bring the server down", async () => {
    const filler = Array.from({ length: 1_000 }, (_value, index): RawHeader => [`X-Filler-${index}`, "a"]);
    const answer = await sendSignedIn({ ...call, headers: [...filler, ...call.headers] });

    // Node drops what is too much, and the content type may be among it.
    expect([200, 415, 431]).toContain(answer.status);
    expect((await sendSignedIn(call)).status).toBe(200);
  });

  test.each([
    { name: "a header line without a colon", head: "X-Bad\r\n" },
    { name: "a space before the colon", head: "X-Bad : x\r\n" },
    { name: "a folded line", head: "X-Good: a\r\n b\r\nX-Bad\r\n" },
    { name: "two different lengths", head: "Content-Length: 3\r\nContent-Length: 4\r\n" },
    { name: "a length and chunks (request smuggling)", head: "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n" },
    { name: "a length that is no number", head: "Content-Length: x\r\n" },
    { name: "an unknown transfer coding", head: "Transfer-Encoding: chunked, identity\r\n" },
  ])("$name is answered with 400 and the connection ends", async ({ head }) => {
    const [name = "", ...value] = head.trimEnd().split(": ");
    const answer = await sendSignedIn({ headers: [[name, value.join(": ")]], body: "{}" });

    expect([400, 415]).toContain(answer.status);
    expect(stack.graph.traffic.requests).toEqual([]);
  });

  test("an encoding that the server does not know is refused and not taken for text", async () => {
    const answer = await sendSignedIn({ ...call, headers: [["Content-Encoding", "gzip"], ...call.headers] });

    expect(answer.status).toBeLessThan(500);
  });
});

test("after all of this the server still serves, and wrote no fault of its own", async () => {
  expect((await sendSignedIn(toolCall("get_my_profile"))).status).toBe(200);
  expect(stack.server.log.filter(({ level }) => level === "error" || level === "warn")).toEqual([]);
});
