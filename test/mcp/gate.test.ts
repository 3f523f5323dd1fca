import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { path } from "../../src/graph/path.ts";
import { defineTool, type Tool, type ToolContext, ToolError } from "../../src/mcp/tool.ts";
import { trusted } from "../../src/safety/untrusted.ts";
import { ADELE, callerWith } from "../support/callers.ts";
import { type GraphConnection, startGraphConnection } from "../support/graph-connection.ts";
import { createToolBench, REQUEST_ID, type ToolBench, type ToolBenchOptions } from "../support/tool-bench.ts";

const CANARY = "canary-8f41";

let connection: GraphConnection;
let bench: ToolBench | undefined;
beforeAll(async () => {
  connection = await startGraphConnection();
});
afterAll(() => connection.close());
afterEach(async () => {
  await bench?.close();
  connection.emulator.traffic.recover();
  connection.emulator.traffic.clear();
});

/** A tool that counts things; what it does is up to the test. */
function toolThat(
  handle: (input: { thing: string; amount: number }, context: ToolContext) => Promise<{ counted: number }>,
  more: Partial<Pick<Tool, "effect" | "permissions" | "optionalPermissions">> = {},
): Tool {
  return defineTool({
    name: "count_things",
    title: "Count things",
    description: "Counts things.",
    effect: "read",
    permissions: ["User.Read"],
    ...more,
    input: z.strictObject({ thing: z.string().max(20).default("all"), amount: z.int().min(1).default(1) }),
    output: z.object({ counted: z.number() }),
    handler: handle,
  });
}

async function start(tool: Tool, options?: ToolBenchOptions): Promise<ToolBench> {
  bench = await createToolBench(tool, connection, options);
  return bench;
}

const failure = (code: string, text: string, meta: Record<string, unknown> = {}) => ({
  content: [{ type: "text", text }],
  isError: true,
  _meta: { "azure-graph-mcp/error": { code, requestId: REQUEST_ID, ...meta } },
});

const audited = (facts: Record<string, unknown>) => ({
  event: "tool_call",
  decision: "allowed",
  tool: "count_things",
  requestId: REQUEST_ID,
  userId: "87d349ed-44d7-43e1-9a83-5f2406dee5bd",
  tenantId: "5b7e1e6c-4a52-4f0e-9d0a-6a3c1f6f2d11",
  clientId: "7d3a7f0e-9b64-4c1d-8f6e-0c5b1d2e3f40",
  durationMs: expect.any(Number),
  clientRequestId: expect.any(Number),
  ...facts,
});

const name = async (_input: unknown, { graph }: ToolContext) => {
  const { displayName } = await graph.get<{ displayName: string }>(path`/me`);
  return { counted: displayName.length };
};

describe("a call that succeeds", () => {
  test("has the same value as text and as structured content, and is audited", async () => {
    const { call, log } = await start(toolThat(name));

    expect(await call()).toEqual({
      content: [{ type: "text", text: '{"counted":11}' }],
      structuredContent: { counted: 11 },
    });
    expect(log.events).toEqual([
      audited({ outcome: "success", resultTokens: 4, graphRequestId: expect.stringMatching(/^[\da-f-]{36}$/) }),
    ]);
    expect(log.lines).toEqual([]);
  });

  test("reaches the tool with defaults filled in", async () => {
    const seen: unknown[] = [];
    const { call } = await start(
      toolThat(async (input) => {
        seen.push(input);
        return { counted: 1 };
      }),
    );
    await call({ thing: "chairs" });

    expect(seen).toEqual([{ thing: "chairs", amount: 1 }]);
  });

  test("uses the tool's permissions, with optional ones only where the operator switched them on", async () => {
    const permitted: boolean[] = [];
    const tool = toolThat(
      async (input, context) => {
        permitted.push(context.permits("User.Read.All"), context.permits("Mail.Send"), context.permits("User.Read"));
        return name(input, context);
      },
      { optionalPermissions: ["User.Read.All"] },
    );
    const before = connection.acquired.length;
    await (await start(tool)).call();
    await bench?.close();
    await (await start(tool, { extraPermissions: ["User.Read.All", "Mail.Send"] })).call();

    expect(connection.acquired.slice(before).map(({ permissions }) => permissions)).toEqual([
      ["User.Read"],
      ["User.Read", "User.Read.All"],
    ]);
    expect(permitted).toEqual([false, false, false, true, false, false]);
  });

  test("does not pass on what the tool's output does not declare", async () => {
    const { call } = await start(toolThat(async () => ({ counted: 1, secret: CANARY })));

    expect(await call()).toEqual({
      content: [{ type: "text", text: '{"counted":1}' }],
      structuredContent: { counted: 1 },
    });
  });
});

describe("a call that is denied", () => {
  test.each<[string, ToolBenchOptions, string]>([
    ["on a read-only server", {}, "count_things changes data, and this server is read-only (ALLOW_WRITES)."],
    [
      "to a caller without the role",
      { rules: { allowWrites: true, writeRole: "Mcp.Write" }, caller: callerWith("a", { ...ADELE, roles: [] }) },
      "count_things changes data and needs the app role Mcp.Write. An administrator can assign it to you.",
    ],
  ])("%s is not run, not even its arguments are looked at, and is audited", async (_situation, options, message) => {
    let runs = 0;
    const tool = toolThat(
      async () => {
        runs += 1;
        return { counted: 1 };
      },
      { effect: "write" },
    );
    const { call, log } = await start(tool, options);

    expect(await call({ amount: "not a number" })).toEqual(failure("forbidden", message));
    expect(runs).toBe(0);
    expect(log.events).toEqual([audited({ decision: "denied", outcome: "error", reason: "forbidden" })]);
  });

  test("is allowed to a caller with the role on a server that writes", async () => {
    const tool = toolThat(async () => ({ counted: 1 }), { effect: "write" });
    const { call } = await start(tool, { rules: { allowWrites: true, writeRole: "Mcp.Write" } });

    expect((await call()).structuredContent).toEqual({ counted: 1 });
  });
});

describe("arguments", () => {
  test.each<[string, Record<string, unknown>, string]>([
    ["of the wrong type", { amount: "two" }, "amount: Invalid input: expected number, received string"],
    ["out of range", { amount: 0 }, "amount: Too small: expected number to be >=1"],
    ["that are too long", { thing: "x".repeat(21) }, "thing: Too big: expected string to have <=20 characters"],
    ["that nobody asked for", { limit: 5 }, 'arguments: Unrecognized key: "limit"'],
    [
      "with several mistakes",
      { thing: 1, amount: 1.5 },
      "thing: Invalid input: expected string, received number; amount: Invalid input: expected int, received number",
    ],
  ])("%s are refused before the tool runs, saying which", async (_what, input, problem) => {
    let runs = 0;
    const { call, log } = await start(
      toolThat(async () => {
        runs += 1;
        return { counted: 1 };
      }),
    );

    expect(await call(input)).toEqual(
      failure("invalid_arguments", `The arguments of count_things are not valid. ${problem}`),
    );
    expect(runs).toBe(0);
    expect(log.events).toEqual([audited({ outcome: "error", reason: "invalid_arguments" })]);
    expect(log.lines).toEqual([]);
  });

  test("with more than five mistakes are answered with the first five", async () => {
    const tool = defineTool({
      ...toolThat(name),
      input: z.strictObject({ numbers: z.array(z.int()) }),
      output: z.object({}),
      handler: async () => ({}),
    });
    const { call } = await start(tool);

    expect((await call({ numbers: Array(20).fill("x") })).content[0]?.text).toBe(
      "The arguments of count_things are not valid. " +
        [0, 1, 2, 3, 4].map((n) => `numbers.${n}: Invalid input: expected number, received string`).join("; "),
    );
  });

  test("with ever so many mistakes get an answer of bounded length, and the log gets none of them", async () => {
    const { call, log } = await start(toolThat(async () => ({ counted: 1 })));
    const input = Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`${CANARY}-${n}`, n]));

    expect((await call(input)).content[0]?.text?.length).toBeLessThan(1_100);
    expect(JSON.stringify([log.lines, log.events])).not.toContain(CANARY);
  });
});

describe("a tool that fails", () => {
  test("as expected is reported with its message, code and facts, and not as a fault", async () => {
    const { call, log } = await start(
      toolThat(async () => {
        throw new ToolError("throttled", "Try again in 7 seconds.", { meta: { retryAfterSeconds: 7 } });
      }),
    );

    expect(await call()).toEqual(failure("throttled", "Try again in 7 seconds.", { retryAfterSeconds: 7 }));
    expect(log.events).toEqual([audited({ outcome: "error", reason: "throttled" })]);
    expect(log.lines).toEqual([]);
  });

  const FAULT = failure(
    "internal",
    `Something went wrong in this server. If it happens again, report this reference: ${REQUEST_ID}`,
  );

  test.each([
    ["an error", () => new TypeError(`Cannot read ${CANARY}`)],
    ["an error whose message looks like a place", () => new TypeError(`Oops\n    at ${CANARY} (/home/${CANARY}:1:1)`)],
    ["an error with a cause", () => new TypeError("Oops", { cause: new Error(CANARY) })],
  ])("by %s gives the caller a reference, and the log its class and place", async (_what, create) => {
    const { call, log } = await start(
      toolThat(async () => {
        throw create();
      }),
    );

    expect(await call({ thing: CANARY })).toEqual(FAULT);
    expect(log.lines).toEqual([
      {
        level: "error",
        message: "A tool failed unexpectedly",
        fields: {
          requestId: REQUEST_ID,
          tool: "count_things",
          error: expect.stringMatching(/^TypeError at .*gate\.test\.ts:\d+:\d+$/),
        },
      },
    ]);
    expect(log.events).toEqual([audited({ outcome: "error", reason: "internal" })]);
    expect(JSON.stringify([log.lines, log.events])).not.toContain(CANARY);
  });

  test.each([
    ["without a place", () => Object.assign(new TypeError(CANARY), { stack: undefined }), "TypeError"],
    [
      "whose stack is not its own",
      () => Object.assign(new TypeError("a"), { stack: `b\n    at ${CANARY}` }),
      "TypeError",
    ],
    ["that is a text", () => CANARY, "string"],
    ["that is nothing", () => undefined, "undefined"],
  ])("by an error %s is logged by its class alone", async (_what, create, logged) => {
    const { call, log } = await start(
      toolThat(async () => {
        throw create();
      }),
    );

    expect(await call()).toEqual(FAULT);
    expect(log.lines.map(({ fields }) => fields?.["error"])).toEqual([logged]);
  });

  test("by a result of another shape is a fault, and the result goes nowhere", async () => {
    const { call, log } = await start(toolThat(async () => ({ counted: CANARY }) as unknown as { counted: number }));

    expect(await call()).toEqual(FAULT);
    expect(log.lines).toMatchObject([{ level: "error", fields: { error: expect.stringMatching(/^\$?ZodError at /) } }]);
    expect(JSON.stringify([log.lines, log.events])).not.toContain(CANARY);
  });
});

describe("a result", () => {
  const lengthy = defineTool({
    name: "count_things",
    title: "Count things",
    description: "Counts things.",
    effect: "read",
    permissions: [],
    input: z.strictObject({ letters: z.int() }),
    output: z.object({ text: trusted() }),
    handler: async ({ letters }) => ({ text: "é".repeat(letters) }),
  });
  const FRAME = '{"text":""}'.length;

  test("of exactly 200,000 bytes is passed on", async () => {
    const { call } = await start(lengthy);

    expect((await call({ letters: (200_000 - FRAME - 1) / 2 })).isError).toBeUndefined();
  });

  test("of more is refused with advice", async () => {
    const { call, log } = await start(lengthy);

    expect(await call({ letters: (200_000 - FRAME - 1) / 2 + 1 })).toEqual(
      failure("invalid_arguments", "The result is too large. Ask for fewer items or less text."),
    );
    expect(log.events).toEqual([audited({ outcome: "error", reason: "invalid_arguments" })]);
  });
});

describe("a call that takes too long", () => {
  test("is ended at the time limit, with the request to Graph", async () => {
    connection.emulator.traffic.fail({ kind: "hang" });
    const { call, log } = await start(toolThat(name), { timeoutMs: 200 });

    const started = performance.now();
    expect(await call()).toEqual(
      failure("unavailable", "Microsoft Graph took too long. Try again, with a smaller limit if there is one."),
    );
    expect(performance.now() - started).toBeLessThan(3_000);
    expect(log.events).toEqual([audited({ outcome: "error", reason: "unavailable" })]);
    expect(log.lines).toEqual([]);
  });

  test("because Graph asks to wait is ended at the time limit", async () => {
    connection.emulator.traffic.fail({ kind: "status", status: 429, headers: { "retry-after": "9" } });
    const { call } = await start(toolThat(name), { timeoutMs: 200 });

    const started = performance.now();
    expect(await call()).toMatchObject({ isError: true, _meta: { "azure-graph-mcp/error": { code: "unavailable" } } });
    expect(performance.now() - started).toBeLessThan(3_000);
  });
});

describe("a call that its client cancels", () => {
  test("ends the request to Graph and is audited as cancelled", async () => {
    connection.emulator.traffic.fail({ kind: "hang" });
    const { call, log } = await start(toolThat(name));
    const controller = new AbortController();

    const pending = call({}, controller.signal);
    await expect.poll(() => connection.emulator.traffic.requests.length).toBe(1);
    controller.abort(new Error("gone"));
    await expect(pending).rejects.toThrow("gone");
    await expect.poll(() => log.events).toEqual([audited({ outcome: "error", reason: "cancelled" })]);
    expect(log.lines).toEqual([]);
  });
});
