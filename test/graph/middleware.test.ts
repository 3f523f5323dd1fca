import { Client } from "@microsoft/microsoft-graph-client";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { bearer, keepErrors, retry, transport } from "../../src/graph/middleware.ts";
import { createGraphTransport } from "../../src/platform/graph-transport.ts";
import { type GraphConnection, startGraphConnection } from "../support/graph-connection.ts";

let connection: GraphConnection;
const graphTransport = createGraphTransport(5_000);
beforeAll(async () => {
  connection = await startGraphConnection();
});
afterAll(async () => {
  await graphTransport.close();
  await connection.close();
});
afterEach(() => {
  connection.emulator.traffic.recover();
  connection.emulator.traffic.clear();
});

const signal = new AbortController().signal;
const RETRY_NOW = { "retry-after": "0" };

/** Sends one request through a chain that may repeat it or not; what went wrong, as the chain threw it. */
async function post(repeatable: boolean, url = `${connection.emulator.origin}/v1.0/me/sendMail`): Promise<unknown> {
  let thrown: unknown;
  const client = Client.initWithMiddleware({
    baseUrl: `${connection.emulator.origin}/`,
    middleware: [
      keepErrors((error) => {
        thrown = error;
        return new Error("kept", { cause: error });
      }),
      bearer(connection.emulator.origin, "a token"),
      retry({ signal, repeatable, onWait: undefined }),
      transport(graphTransport.send, signal),
    ],
  });
  await client
    .api(url)
    .post({ message: {} })
    .catch(() => undefined);
  return thrown;
}

const sent = () => connection.emulator.traffic.requests.length;

describe("request that must not be repeated", () => {
  test.each([503, 504])("is sent once when Graph answers %i", async (status) => {
    connection.emulator.traffic.fail({ kind: "status", status, headers: RETRY_NOW });
    await post(false);

    expect(sent()).toBe(1);
  });

  test("is sent once when the connection is cut", async () => {
    connection.emulator.traffic.fail({ kind: "reset" });

    expect(await post(false)).toMatchObject({ name: "GraphFailure", status: 0, code: "ConnectionFailed" });
    expect(sent()).toBe(1);
  });

  test("is sent again after 429, which Graph has not acted on", async () => {
    connection.emulator.traffic.fail({ kind: "status", status: 429, headers: RETRY_NOW });
    await post(false);

    expect(sent()).toBe(3);
  });
});

describe("request that may be repeated", () => {
  test.each([429, 503, 504])("is sent three times when Graph answers %i", async (status) => {
    connection.emulator.traffic.fail({ kind: "status", status, headers: RETRY_NOW });
    await post(true);

    expect(sent()).toBe(3);
  });

  test.each([400, 401, 403, 404, 500, 502])("is sent once when Graph answers %i", async (status) => {
    connection.emulator.traffic.fail({ kind: "status", status, headers: RETRY_NOW });
    await post(true);

    expect(sent()).toBe(1);
  });
});

describe("token", () => {
  test("is put on requests to Graph", async () => {
    await post(false);

    expect(connection.emulator.traffic.requests[0]?.headers.authorization).toBe("Bearer a token");
  });

  test.each([
    ["host", () => connection.emulator.origin.replace("localhost", "127.0.0.1")],
    ["port", () => "https://localhost:1"],
    ["host that begins alike", () => "https://localhost.evil.example"],
  ])("is not sent to another %s: the request is not made", async (_what, origin) => {
    expect(await post(true, `${origin()}/v1.0/me/sendMail`)).toMatchObject({ status: 0, code: "ForeignOrigin" });
    expect(sent()).toBe(0);
  });
});
