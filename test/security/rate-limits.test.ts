import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { auditLine } from "../support/audit-lines.ts";
import { eventually } from "../support/eventually.ts";
import { claimsOf, principalHeader, userToken } from "../support/forged-tokens.ts";
import { ERAS, type Era, messageIn, toolCall } from "../support/mcp-messages.ts";
import { type RawAnswer, sendRaw } from "../support/raw-http.ts";
import { describeWithRedis, type Redis, startRedis } from "../support/redis.ts";
import { freePort, startServerProcess } from "../support/server-process.ts";
import { type AuthMode, type Stack, startStack } from "../support/stack.ts";

// Limits count over ten seconds: a sixth of what is set for a minute.

type Result = {
  readonly isError?: boolean;
  readonly content: readonly { readonly text: string }[];
  readonly _meta?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
};

const resultOf = (answer: RawAnswer) => (messageIn(answer) as { result: Result }).result;
const codeOf = (answer: RawAnswer) => resultOf(answer)._meta?.["azure-graph-mcp/error"]?.["code"] ?? "none";

/** Sends one call of `get_my_profile` straight to a server. */
async function call(origin: string, token: string, era: Era = "2025-11-25"): Promise<RawAnswer> {
  const { headers, body } = toolCall("get_my_profile", {}, era);
  const identity = ["X-MS-CLIENT-PRINCIPAL", principalHeader(claimsOf(token))] as const;
  return sendRaw(origin, { headers: [["Authorization", `Bearer ${token}`], identity, ...headers], body });
}

async function callTimes(times: number, origin: string, token: string): Promise<RawAnswer[]> {
  const answers: RawAnswer[] = [];
  for (let n = 0; n < times; n++) answers.push(await call(origin, token));
  return answers;
}

let stack: Stack;
afterEach(() => stack?.graph.traffic.recover());

describe.each<AuthMode>(["bearer", "easy-auth"])("in AUTH_MODE=%s", (mode) => {
  beforeAll(async () => {
    stack = await startStack(mode);
  });
  afterAll(() => stack.close());

  test.each(ERAS)("a user above the limit of calls is told by a tool error when to try again (%s)", async (era) => {
    await stack.restart({ CALLS_PER_MINUTE: "12" });
    const token = await userToken(stack);
    await callTimes(2, stack.serverOrigin, token);
    const before = stack.graph.traffic.requests.length;
    const refused = await call(stack.serverOrigin, token, era);

    expect(refused.status).toBe(200);
    expect(resultOf(refused).isError).toBe(true);
    expect(resultOf(refused).content[0]?.text).toMatch(/^You made too many calls\. Try again in \d+ seconds?\.$/);
    expect(resultOf(refused)._meta?.["azure-graph-mcp/error"]).toMatchObject({
      code: "throttled",
      retryAfterSeconds: expect.any(Number),
    });
    expect(stack.graph.traffic.requests).toHaveLength(before);
    expect(await auditLine(stack, refused.headers["x-request-id"])).toMatchObject({
      audit: "tool_call",
      decision: "denied",
      outcome: "error",
      reason: "throttled",
    });
    expect(codeOf(await call(stack.serverOrigin, await userToken(stack, "AlexW")))).toBe("none");
  });

  test("another token of the same user counts for the same user", async () => {
    await stack.restart({ CALLS_PER_MINUTE: "6" });
    await call(stack.serverOrigin, await userToken(stack));

    expect(
      codeOf(await call(stack.serverOrigin, await userToken(stack, "AdeleV", { claims: { jti: "another" } }))),
    ).toBe("throttled");
  });

  test("the users of one application are limited together, and what one of them is refused does not count", async () => {
    await stack.restart({ CALLS_PER_MINUTE: "12", CALLS_PER_MINUTE_PER_CLIENT: "18" });
    const adele = await callTimes(10, stack.serverOrigin, await userToken(stack));
    const alex = await callTimes(2, stack.serverOrigin, await userToken(stack, "AlexW"));

    expect(adele.map(codeOf)).toEqual(["none", "none", ...Array.from({ length: 8 }, () => "throttled")]);
    expect(alex.map(codeOf)).toEqual(["none", "throttled"]);
    expect(resultOf(alex[1] as RawAnswer).content[0]?.text).toMatch(
      /^The people who use this application, all together,/,
    );
  });

  test("calls of one user at the same time are limited; one that ended makes room", async () => {
    await stack.restart({ CONCURRENT_CALLS: "3" });
    const token = await userToken(stack);
    await call(stack.serverOrigin, token);
    stack.graph.traffic.fail({ kind: "delay", ms: 500 });
    const answers = await Promise.all(Array.from({ length: 5 }, () => call(stack.serverOrigin, token)));
    stack.graph.traffic.recover();

    expect(answers.filter((answer) => codeOf(answer) === "none")).toHaveLength(3);
    expect(answers.filter((answer) => codeOf(answer) === "throttled")).toHaveLength(2);
    const refused = answers.find((answer) => codeOf(answer) === "throttled") as RawAnswer;
    expect(resultOf(refused).content[0]?.text).toBe(
      "3 of your calls are running already. Wait until one has ended. Try again in 1 second.",
    );
    expect(codeOf(await call(stack.serverOrigin, token))).toBe("none");
  });

  test("a flood gets 429 with Retry-After before its body is read, and one line in the audit", async () => {
    await stack.restart({ REQUESTS_PER_MINUTE: "30" });
    const token = await userToken(stack);
    await callTimes(5, stack.serverOrigin, token);
    const identity = ["X-MS-CLIENT-PRINCIPAL", principalHeader(claimsOf(token))] as const;
    // The body never comes: whoever read it would wait for it.
    const answer = await sendRaw(stack.serverOrigin, {
      headers: [["Authorization", `Bearer ${token}`], identity, ["Content-Length", "1000000"]],
      body: "",
    });
    const more = await callTimes(20, stack.serverOrigin, token);

    expect(answer.status).toBe(429);
    expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
    expect(Number(answer.headers["retry-after"])).toBeLessThanOrEqual(10);
    expect(JSON.parse(answer.body)).toMatchObject({ title: "Too many requests", status: 429 });
    expect(new Set(more.map(({ status }) => status))).toEqual(new Set([429]));
    expect((await call(stack.serverOrigin, await userToken(stack, "AlexW"))).status).toBe(200);
    const floods = () => stack.server.log.filter((line) => line["audit"] === "flood");
    await eventually(() => floods().length, "the audit of the flood");
    expect(floods()).toEqual([
      expect.objectContaining({ decision: "denied", reason: "too_many_requests", userId: claimsOf(token)["oid"] }),
    ]);
  });

  test("requests of one user that are open at the same time are limited, and room comes back", async () => {
    await stack.restart({ OPEN_REQUESTS: "2" });
    const token = await userToken(stack);
    await call(stack.serverOrigin, token);
    stack.graph.traffic.fail({ kind: "delay", ms: 500 });
    const answers = await Promise.all(Array.from({ length: 4 }, () => call(stack.serverOrigin, token)));
    stack.graph.traffic.recover();

    expect(answers.filter(({ status }) => status === 200)).toHaveLength(2);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(2);
    expect(answers.find(({ status }) => status === 429)?.headers["retry-after"]).toBe("1");
    expect((await call(stack.serverOrigin, token)).status).toBe(200);
  });

  test("a flood without a token that counts is refused as such and does not count for the user it names", async () => {
    await stack.restart({ REQUESTS_PER_MINUTE: "18" });
    const token = await userToken(stack);
    const forged = `${token.slice(0, -8)}AAAAAAAA`;
    const refused = await callTimes(10, stack.serverOrigin, forged);

    expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([401]));
    expect((await call(stack.serverOrigin, token)).status).toBe(200);
  });
});

describeWithRedis("limits of two instances with Redis", () => {
  let redis: Redis;
  const others: Awaited<ReturnType<typeof startServerProcess>>[] = [];
  const settings = () => ({ CALLS_PER_MINUTE: "24", REDIS_URL: redis.url, LOG_LEVEL: "debug" });
  beforeAll(async () => {
    stack = await startStack("bearer");
  });
  afterEach(async () => {
    for (const server of others.splice(0)) await server.stop();
    await redis.stop();
  });
  afterAll(() => stack.close());

  /** Two instances of the same site; the second shares nothing with the first but Redis. */
  async function startTwo(more: Record<string, string> = {}): Promise<[string, string]> {
    redis = await startRedis();
    await stack.restart({ ...settings(), ...more });
    const port = String(await freePort());
    others.push(
      await startServerProcess({ ...stack.environment(), HOST: "127.0.0.1", PORT: port, ...settings(), ...more }),
    );
    return [stack.serverOrigin, `http://localhost:${port}`];
  }

  test("count together", async () => {
    const [one, two] = await startTwo();
    const token = await userToken(stack);
    const answers = [...(await callTimes(3, one, token)), ...(await callTimes(2, two, token))];

    expect(answers.map(codeOf)).toEqual(["none", "none", "none", "none", "throttled"]);
  });

  test("count alone while Redis is away, where they are to fail open", async () => {
    const [one, two] = await startTwo();
    const token = await userToken(stack);
    await redis.stop();
    const answers = [...(await callTimes(5, one, token)), ...(await callTimes(5, two, token))];

    const alone = ["none", "none", "none", "none", "throttled"];
    expect(answers.map(codeOf)).toEqual([...alone, ...alone]);
  });

  test("refuse while Redis is away, where they are to fail closed, and say so", async () => {
    const [one] = await startTwo({ RATE_LIMITS_ON_FAILURE: "closed" });
    const token = await userToken(stack);
    await redis.stop();
    const answer = await call(one, token);

    expect(codeOf(answer)).toBe("unavailable");
    expect(resultOf(answer).content[0]?.text).toBe(
      "Calls cannot be counted right now, and none is let through uncounted. Try again in 10 seconds.",
    );
  });

  test.each(["open", "closed"])("wait for a Redis that hangs no longer than a second (%s)", async (mode) => {
    const [one] = await startTwo({ RATE_LIMITS_ON_FAILURE: mode });
    const token = await userToken(stack);
    await call(one, token);
    redis.freeze();
    const started = performance.now();
    const answer = await call(one, token);
    redis.thaw();

    expect(codeOf(answer)).toBe(mode === "open" ? "none" : "unavailable");
    expect(performance.now() - started).toBeLessThan(4_000);
  });
});
