import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { TelemetryItem } from "../../emulators/app-insights/index.ts";
import { logLine } from "../support/audit-lines.ts";
import { userToken } from "../support/forged-tokens.ts";
import { mcpRequest, toolCall } from "../support/mcp-messages.ts";
import { type RawAnswer, sendRaw } from "../support/raw-http.ts";
import { type Stack, startStack } from "../support/stack.ts";
import { startWireTap, type WireTap } from "../support/wire-tap.ts";

const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const CLIENT_SPAN = "00f067aa0ba902b7";

let stack: Stack;
let tap: WireTap;
beforeAll(async () => {
  tap = startWireTap();
  stack = await startStack("bearer");
});
afterAll(async () => {
  tap.stop();
  await stack.close();
});
beforeEach(() => {
  stack.appInsights.items.length = 0;
  stack.appInsights.traffic.clear();
});
afterEach(() => {
  for (const { traffic } of [stack.appInsights, stack.graph, stack.managedIdentity]) traffic.recover();
});

const ON = () => ({
  APPLICATIONINSIGHTS_CONNECTION_STRING: stack.appInsights.connectionString,
  TRACES_PER_SECOND: "1000",
});
const itemsOf = (type: string): Item[] =>
  stack.appInsights.items
    .filter(({ data }) => data.baseType === type)
    .map(({ data, tags }) => Object.assign({ tags }, data.baseData));
type Item = Readonly<Record<string, unknown>> & {
  readonly tags: TelemetryItem["tags"];
  readonly name?: string;
  readonly id?: string;
  readonly properties?: Readonly<Record<string, string>>;
  readonly metrics?: readonly { readonly name: string; readonly value: number; readonly count?: number }[];
};
/** Values of a metric: what it is of, how many and their sum. */
const metric = (name: string) =>
  itemsOf("MetricData").flatMap(({ metrics = [], properties = {} }) =>
    metrics.filter((one) => one.name === name).map(({ value, count }) => Object.assign({ value, count }, properties)),
  );

async function call(token: string, tool: string, args: Readonly<Record<string, unknown>> = {}): Promise<RawAnswer> {
  const { headers, body } = toolCall(tool, args, "2025-11-25");
  return sendRaw(stack.serverOrigin, { headers: [["Authorization", `Bearer ${token}`], ...headers], body });
}

/** Ends the server, which sends what waits. */
async function end(): Promise<void> {
  await stack.server.stop();
}

describe("with a connection string", () => {
  test("a call is one trace, from the client's own to Entra and Graph", async () => {
    await stack.restart(ON());
    const { headers, body } = mcpRequest("2025-11-25", "tools/call", {
      name: "get_my_profile",
      arguments: {},
      _meta: { traceparent: `00-${TRACE_ID}-${CLIENT_SPAN}-01` },
    });
    const token = await userToken(stack);
    await sendRaw(stack.serverOrigin, { headers: [["Authorization", `Bearer ${token}`], ...headers], body });
    await end();

    const [request] = itemsOf("RequestData");
    expect(request).toMatchObject({
      name: "tools/call get_my_profile",
      success: true,
      tags: { "ai.operation.id": TRACE_ID, "ai.operation.parentId": CLIENT_SPAN, "ai.cloud.role": "azure-graph-mcp" },
      properties: { "mcp.method.name": "tools/call", "gen_ai.tool.name": "get_my_profile" },
    });
    const steps = itemsOf("RemoteDependencyData");
    expect(new Set(steps.map(({ name }) => name))).toEqual(new Set(["Entra ID", "Microsoft Graph"]));
    expect(steps).toHaveLength(2);
    for (const { tags } of steps) {
      expect(tags).toMatchObject({ "ai.operation.id": TRACE_ID, "ai.operation.parentId": request?.id });
    }
    expect(stack.server.log).toContainEqual(expect.objectContaining({ audit: "tool_call", traceId: TRACE_ID }));
  });

  test("calls, failures by cause, sizes of results, tokens for Graph and throttling are counted by tool", async () => {
    await stack.restart(ON());
    const token = await userToken(stack);
    await call(token, "get_my_profile");
    await call(token, "get_my_profile");
    await call(token, "get_user", { user: "nobody@contoso.com" });
    stack.graph.traffic.fail({ kind: "status", status: 429, headers: { "retry-after": "60" } });
    await call(token, "search_people", { query: "a" });
    await end();

    const calls = metric("mcp.server.operation.duration");
    expect(
      calls.map(({ count, ...about }) => [count, about["gen_ai.tool.name" as never], about["error.type" as never]]),
    ).toEqual(
      expect.arrayContaining([
        [2, "get_my_profile", undefined],
        [1, "get_user", "not_found"],
        [1, "search_people", "throttled"],
      ]),
    );
    expect(metric("mcp.tool.result.tokens")).toEqual([
      expect.objectContaining({ count: 2, "gen_ai.tool.name": "get_my_profile" }),
    ]);
    expect(
      Object.fromEntries(metric("graph.tokens").map(({ value, ...about }) => [about["source" as never], value])),
    ).toEqual({ exchange: 1, memory: 3 });
    expect(metric("mcp.throttled")).toEqual([expect.objectContaining({ by: "Microsoft Graph", value: 1 })]);
  });

  test("who comes in and what is refused are events; a call that was let in is none", async () => {
    await stack.restart({ ...ON(), CALLS_PER_MINUTE: "1" });
    const token = await userToken(stack);
    await call(token, "get_my_profile");
    await call(token, "get_my_profile");
    await call("no token", "get_my_profile");
    await end();

    expect(
      itemsOf("EventData").map(({ name, properties }) => [name, properties?.["decision"], properties?.["reason"]]),
    ).toEqual([
      ["mcp.sign_in", "allowed", undefined],
      ["mcp.tool_call", "denied", "throttled"],
      ["mcp.sign_in", "denied", "invalid_token"],
    ]);
  });

  test("it proves itself by the managed identity, and nothing is asked of anybody else", async () => {
    tap.clear();
    await stack.restart(ON());
    await call(await userToken(stack), "get_my_profile");
    await end();

    const sent = stack.appInsights.traffic.requests;
    expect(sent.length).toBeGreaterThan(0);
    expect(new Set(sent.map(({ url }) => url))).toEqual(new Set(["/v2.1/track"]));
    for (const { headers } of sent) expect(headers.authorization).toMatch(/^Bearer eyJ/);
    expect(
      stack.managedIdentity.traffic.count("GET", /resource=https(%3A|:)\/?(%2F|\/)?.*monitor\.azure\.com/),
    ).toBeGreaterThan(0);
  });

  test("few calls are traced where few are to be, and all are counted", async () => {
    await stack.restart({ ...ON(), TRACES_PER_SECOND: "0.1" });
    const token = await userToken(stack);
    for (let n = 0; n < 40; n++) await call(token, "get_my_profile");
    await end();

    expect(itemsOf("RequestData").length).toBeLessThan(25);
    expect(metric("mcp.server.operation.duration").map(({ count }) => count)).toEqual([40]);
  });

  test.each([
    ["refuses", { kind: "status", status: 500 }],
    ["does not know this server", { kind: "status", status: 403 }],
    ["hangs", { kind: "hang" }],
    ["cuts connections", { kind: "reset" }],
  ] as const)(
    "ingestion that %s changes nothing but a counter",
    async (_what, fault) => {
      stack.appInsights.traffic.fail(fault);
      await stack.restart({ ...ON(), OTEL_BLRP_SCHEDULE_DELAY: "100", OTEL_BSP_SCHEDULE_DELAY: "100" });
      const token = await userToken(stack);
      const answers = [await call(token, "get_my_profile"), await call(token, "search_people", { query: "a" })];
      const ready = async () =>
        JSON.parse((await sendRaw(stack.serverOrigin, { method: "GET", target: "/readyz" })).body) as {
          status: string;
          counters: Record<string, number>;
        };

      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
      // One that hangs is given up after ten seconds; nobody waits for that here.
      const least = fault.kind === "hang" ? 0 : 1;
      const failures = async () => (await ready()).counters["telemetryFailures"];
      await expect.poll(failures, { timeout: 8_000 }).toBeGreaterThanOrEqual(least);
      expect((await ready()).status).toBe("ok");
      const stopping = performance.now();
      stack.server.signal("SIGTERM");
      expect(await stack.server.exit).toBe(0);
      expect(performance.now() - stopping).toBeLessThan(4_500);
      for (const line of stack.server.output().trimEnd().split("\n")) expect(line).toMatch(/^\{.*\}$/);
    },
    40_000,
  );
});

test("without a connection string nothing is sent", async () => {
  await stack.restart({});
  await call(await userToken(stack), "get_my_profile");
  await end();

  expect(stack.appInsights.traffic.requests).toEqual([]);
});

test("a connection string that is none is refused at start", async () => {
  const started = stack.restart({ APPLICATIONINSIGHTS_CONNECTION_STRING: "InstrumentationKey=here" });
  await started;

  expect(await stack.server.exit).toBe(1);
  expect(stack.server.output()).toContain("APPLICATIONINSIGHTS_CONNECTION_STRING must name");
  await stack.restart({});
  await logLine(stack, "Listening");
});
