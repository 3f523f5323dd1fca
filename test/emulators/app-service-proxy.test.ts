import { once } from "node:events";
import { type ClientRequest, type IncomingMessage, request, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, inject, test } from "vitest";
import { startSite } from "./app-service-fixture.ts";

const OPEN = {
  settings: (settings: { globalValidation?: object }) => {
    settings.globalValidation = { unauthenticatedClientAction: "AllowAnonymous" };
  },
};

interface Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}

/** An application whose requests the test answers one after the other. */
function manualApp(): { app: (req: IncomingMessage, res: ServerResponse) => void; next: () => Promise<Exchange> } {
  const arrived: Exchange[] = [];
  const waiting: ((exchange: Exchange) => void)[] = [];
  return {
    app: (req, res) => {
      const waiter = waiting.shift();
      if (waiter) waiter({ req, res });
      else arrived.push({ req, res });
    },
    next: () => {
      const first = arrived.shift();
      return first ? Promise.resolve(first) : new Promise((resolve) => waiting.push(resolve));
    },
  };
}

async function responseOf(client: ClientRequest): Promise<IncomingMessage> {
  const [response] = (await once(client, "response")) as [IncomingMessage];
  return response;
}

async function chunkOf(stream: IncomingMessage): Promise<string> {
  const [chunk] = (await once(stream, "data")) as [Buffer];
  return chunk.toString();
}

describe("32: streams", () => {
  test("an event of the application reaches the client before the next one is written", async () => {
    const { app, next } = manualApp();
    const { site } = await startSite({ ...OPEN, app });
    const client = request(`${site.origin}/mcp`).end();
    const { res } = await next();
    res.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
    const response = await responseOf(client);
    expect(response.headers["content-type"]).toBe("text/event-stream");
    res.write("data: 1\n\n");
    expect(await chunkOf(response)).toBe("data: 1\n\n");
    res.write("data: 2\n\n");
    expect(await chunkOf(response)).toBe("data: 2\n\n");
    res.end();
    await once(response, "end");
  });

  test("a piece of an upload reaches the application before the next one is sent", async () => {
    const { app, next } = manualApp();
    const { site } = await startSite({ ...OPEN, app });
    const client = request(`${site.origin}/mcp`, { method: "POST" });
    client.write("one");
    const { req, res } = await next();
    expect(await chunkOf(req)).toBe("one");
    client.write("two");
    expect(await chunkOf(req)).toBe("two");
    client.end();
    await once(req, "end");
    res.end("done");
    expect(await chunkOf(await responseOf(client))).toBe("done");
  });

  test("easyauth.bufferResponses holds everything back until the end", async () => {
    const { app, next } = manualApp();
    const { site } = await startSite({ ...OPEN, app, switches: { "easyauth.bufferResponses": true } });
    const client = request(`${site.origin}/mcp`).end();
    const { res } = await next();
    res.writeHead(200, { "content-type": "text/event-stream" }).write("data: 1\n\n");
    const early = await Promise.race([responseOf(client), sleep(100, "nothing")]);
    expect(early).toBe("nothing");
    res.end("data: 2\n\n");
    expect(await chunkOf(await responseOf(client))).toBe("data: 1\n\ndata: 2\n\n");
  });

  test("a large response survives a slow reader", async () => {
    const body = Buffer.alloc(5_000_000, "x");
    const { call } = await startSite({ ...OPEN, app: (_req, res) => res.end(body) });
    const response = await call("/mcp");
    await sleep(50);
    expect((await response.arrayBuffer()).byteLength).toBe(5_000_000);
  });
});

describe("aborted exchanges", () => {
  test("a client that goes away ends the request to the application", async () => {
    const { app, next } = manualApp();
    const { site } = await startSite({ ...OPEN, app });
    const client = request(`${site.origin}/mcp`).end();
    client.on("error", () => undefined);
    const { res } = await next();
    res.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
    await responseOf(client);
    client.destroy();
    await once(res, "close");
    expect(res.writableFinished).toBe(false);
  });

  test("a client that goes away before the response ends the request to the application", async () => {
    const { app, next } = manualApp();
    const { site } = await startSite({ ...OPEN, app });
    const client = request(`${site.origin}/mcp`, { method: "POST" });
    client.on("error", () => undefined);
    client.write("half");
    const { res } = await next();
    client.destroy();
    await once(res, "close");
    expect(res.writableFinished).toBe(false);
  });

  test("an application that breaks off cuts the connection of the client", async () => {
    const { app, next } = manualApp();
    const { site } = await startSite({ ...OPEN, app });
    const client = request(`${site.origin}/mcp`).end();
    const { res } = await next();
    res.writeHead(200).write("half");
    const response = await responseOf(client);
    expect(await chunkOf(response)).toBe("half");
    res.destroy();
    const [error] = (await once(response, "error")) as [NodeJS.ErrnoException];
    expect(error.code).toBe("ECONNRESET");
  });

  test("an application that hangs up without an answer gives 502", async () => {
    const { call } = await startSite({ ...OPEN, app: (req) => req.socket.destroy() });
    const response = await call("/mcp");
    expect(response.status).toBe(502);
    expect(await response.text()).toBe("Bad Gateway");
  });

  test("an application that does not listen gives 503", async () => {
    const { site, call } = await startSite(OPEN);
    site.setApp("http://localhost:9");
    const response = await call("/mcp");
    expect(response.status).toBe(503);
    expect(await response.text()).toBe("Service Unavailable");
  });
});

describe("32: silence", () => {
  const IMPATIENT = { ...OPEN, switches: { "easyauth.idleTimeoutSeconds": 0.8 } };

  test("a request that stays silent is answered with 504, and dropped at the application", async () => {
    const { app, next } = manualApp();
    const { call } = await startSite({ ...IMPATIENT, app });
    const response = call("/mcp");
    const { res } = await next();
    expect((await response).status).toBe(504);
    if (!res.closed) await once(res, "close");
    expect(res.writableFinished).toBe(false);
  });

  test("a stream that falls silent is cut", async () => {
    const { app, next } = manualApp();
    const { site } = await startSite({ ...IMPATIENT, app });
    const client = request(`${site.origin}/mcp`).end();
    const { res } = await next();
    res.writeHead(200, { "content-type": "text/event-stream" }).write(": ping\n\n");
    const response = await responseOf(client);
    response.resume();
    const [error] = (await once(response, "error")) as [NodeJS.ErrnoException];
    expect(error.code).toBe("ECONNRESET");
  });

  test("a stream with pings survives", async () => {
    const { app, next } = manualApp();
    const { site } = await startSite({ ...IMPATIENT, app });
    const client = request(`${site.origin}/mcp`).end();
    const { res } = await next();
    res.writeHead(200, { "content-type": "text/event-stream" });
    const pings = setInterval(() => res.write(": ping\n\n"), 50);
    const response = await responseOf(client);
    response.resume();
    const ended = await Promise.race([once(response, "close"), sleep(1800, "alive")]);
    clearInterval(pings);
    expect(ended).toBe("alive");
    res.end();
    await once(response, "end");
  });
});

describe("forwarding", () => {
  test("keeps method, target, body, status, reason and repeated headers", async () => {
    const { site } = await startSite({
      ...OPEN,
      app: (req, res) => {
        res.writeHead(
          418,
          "Short And Stout",
          [
            ["Set-Cookie", "a=1"],
            ["Set-Cookie", "b=2"],
            ["X-Seen", `${req.method} ${req.url} ${String(req.headers["x-twice"])}`],
          ].flat(),
        );
        req.pipe(res);
      },
    });
    const headers = ["Host", new URL(site.origin).host, "X-Twice", "1", "X-Twice", "2", "Content-Length", "4"];
    const client = request(site.origin, { path: "/a%2Fb/../c?q=%20", method: "PUT", headers });
    client.end("body");
    const response = await responseOf(client);
    expect(response.statusCode).toBe(418);
    expect(response.statusMessage).toBe("Short And Stout");
    expect(response.headers["set-cookie"]).toEqual(["a=1", "b=2"]);
    expect(response.headers["x-seen"]).toBe("PUT /a%2Fb/../c?q=%20 1, 2");
    expect(await chunkOf(response)).toBe("body");
  });

  test("frames the body of a DELETE that was sent in chunks", async () => {
    const { site, received } = await startSite(OPEN);
    const client = request(`${site.origin}/mcp`, { method: "DELETE", headers: { "transfer-encoding": "chunked" } });
    client.end("body");
    (await responseOf(client)).resume();
    expect(received[0]?.body).toBe("body");
  });

  test("answers HEAD and 304 without a body", async () => {
    const { call } = await startSite({
      ...OPEN,
      app: (req, res) => {
        if (req.method === "HEAD") res.writeHead(200, { "content-length": "10" }).end();
        else res.writeHead(304).end();
      },
    });
    const head = await call("/mcp", { method: "HEAD" });
    expect(head.headers.get("content-length")).toBe("10");
    expect((await call("/mcp")).status).toBe(304);
  });

  test("keeps the connection to the application open between requests", async () => {
    const ports = new Set<number | undefined>();
    const { call } = await startSite({
      ...OPEN,
      app: (req, res) => {
        ports.add(req.socket.remotePort);
        res.end("x");
      },
    });
    for (let round = 0; round < 5; round += 1) await (await call("/mcp")).text();
    expect(ports.size).toBe(1);
  });

  test("works from an https front end to a plain http application", async () => {
    const { call, received } = await startSite({ ...OPEN, certificates: inject("certificates") });
    const response = await call("/mcp", { method: "POST", body: "hello" });
    expect(response.status).toBe(200);
    expect(received[0]?.body).toBe("hello");
  });

  test("can be disturbed through the recorded traffic", async () => {
    const { site, call, received } = await startSite(OPEN);
    site.traffic.fail({ kind: "status", status: 503, headers: { "retry-after": "1" } }, { times: 1 });
    expect((await call("/mcp")).status).toBe(503);
    expect((await call("/mcp")).status).toBe(200);
    expect(site.traffic.count("GET", /^\/mcp$/)).toBe(2);
    expect(received).toHaveLength(1);
  });
});
