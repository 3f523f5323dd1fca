import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createRedisBus } from "../../src/platform/redis-bus.ts";
import { type Deployment, type DeploymentOptions, startDeployment } from "../support/confirming-server.ts";
import {
  CLIENTS,
  type ClientKind,
  connect,
  type FormAnswer,
  type McpClient,
  type Question,
} from "../support/mcp-clients.ts";
import { createRecordedLog } from "../support/recorded-log.ts";
import { describeWithRedis, type Redis, startRedis } from "../support/redis.ts";

const GREETING = { to: "MeganB@contoso.com", text: "Well done" };
const YES: FormAnswer = { action: "accept", content: { approve: true } };
const INSTANCES = 3;

/** Every client against three instances, each POST of which reaches the next one. */
function approvals(options: () => Promise<DeploymentOptions>): void {
  let deployment: Deployment;
  let questions: Question[];
  let client: McpClient | undefined;
  beforeAll(async () => {
    deployment = await startDeployment({ instances: INSTANCES, ...(await options()) });
  });
  afterAll(() => deployment.close());
  beforeEach(() => {
    questions = [];
  });
  afterEach(async () => {
    await client?.close();
    deployment.done.length = 0;
    deployment.audited.length = 0;
    deployment.cloud.graph.traffic.clear();
  });

  /** Connects a client whose user answers so; without an answer it has no forms. */
  async function open(kind: ClientKind, answer?: FormAnswer): Promise<McpClient> {
    client = await connect(kind, deployment.mcpUrl, {
      token: await deployment.token(),
      ...(answer && {
        elicit: (question) => {
          questions.push(question);
          return answer;
        },
      }),
    });
    return client;
  }

  /** Outcomes in the audits, in order; with the reason where there is one. */
  const outcomes = () =>
    deployment.audited.map((event) => event.reason ?? ("outcome" in event ? event.outcome : "none"));
  const graphCalls = () =>
    deployment.cloud.graph.traffic.requests.map(({ method, url }) => `${method} ${decodeURIComponent(url)}`);

  describe.each(CLIENTS)("%s", (kind) => {
    test("runs a call once, with the arguments that were approved, after it was approved", async () => {
      const result = await (await open(kind, YES)).call("send_greeting", GREETING);

      expect(result.structuredContent).toEqual({ sent_to: "Megan Bowen" });
      expect(questions.map(({ message }) => message)).toEqual(['Send "Well done" to MeganB@contoso.com?']);
      expect(questions[0]?.requestedSchema).toMatchObject({
        type: "object",
        properties: { approve: { type: "boolean", title: "Approve", description: "Yes, do exactly this" } },
        required: ["approve"],
      });
      expect(deployment.done).toEqual([{ tool: "send_greeting", to: "MeganB@contoso.com", text: "Well done" }]);
      expect(graphCalls()).toEqual(["GET /v1.0/users/MeganB@contoso.com?$select=displayName"]);
      expect(outcomes()).toEqual(["input_required", "success"]);
    });

    test.each<[string, FormAnswer]>([
      ["declines", { action: "decline" }],
      ["closes the form", { action: "cancel" }],
      ["sends the form without approving", { action: "accept", content: { approve: false } }],
    ])("does nothing when the person %s", async (_what, answer) => {
      const result = await (await open(kind, answer)).call("send_greeting", GREETING);

      expect(result.isError).toBe(true);
      expect(result.content).toEqual([
        {
          type: "text",
          text: "The person did not approve this, and nothing was done. Ask what they want instead.",
        },
      ]);
      expect(result._meta?.["azure-graph-mcp/error"]).toMatchObject({ code: "not_confirmed" });
      expect(questions).toHaveLength(1);
      expect(deployment.done).toEqual([]);
      expect(graphCalls()).toEqual([]);
      expect(outcomes()).toEqual(["input_required", "not_confirmed"]);
    });

    test("does nothing when the client cannot ask", async () => {
      const result = await (await open(kind)).call("send_greeting", GREETING);

      expect(result.isError).toBe(true);
      expect(result.content).toEqual([
        {
          type: "text",
          text: "send_greeting needs the person's approval, and this client cannot ask for it (elicitation). Nothing was done.",
        },
      ]);
      expect(result._meta?.["azure-graph-mcp/error"]).toMatchObject({ code: "confirmation_unavailable" });
      expect(deployment.done).toEqual([]);
      expect(graphCalls()).toEqual([]);
      expect(outcomes()).toEqual(["confirmation_unavailable"]);
    });

    test("asks for each call anew, also for the same one", async () => {
      const one = await open(kind, YES);
      await one.call("send_greeting", GREETING);
      await one.call("send_greeting", GREETING);
      await one.call("send_greeting", { ...GREETING, text: "And again" });

      expect(questions.map(({ message }) => message)).toEqual([
        'Send "Well done" to MeganB@contoso.com?',
        'Send "Well done" to MeganB@contoso.com?',
        'Send "And again" to MeganB@contoso.com?',
      ]);
      expect(deployment.done.map(({ text }) => text)).toEqual(["Well done", "Well done", "And again"]);
    });

    test("keeps the answers to questions that are open at the same time apart", async () => {
      const one = await connect(kind, deployment.mcpUrl, {
        token: await deployment.token(),
        elicit: ({ message }) => (message.includes("B2") ? { action: "decline" } : YES),
      });
      client = one;
      const texts = ["A1", "B2", "C3", "D4"];
      const results = await Promise.all(texts.map((text) => one.call("send_greeting", { ...GREETING, text })));

      expect(results.map(({ isError }) => isError ?? false)).toEqual([false, true, false, false]);
      expect(new Set(deployment.done.map(({ text }) => text))).toEqual(new Set(["A1", "C3", "D4"]));
    });
  });

  test("every instance took part: nothing above depended on which one was reached", () => {
    const hits = deployment.instances.map(({ port }) => deployment.balancer.hits.get(port) ?? 0);
    expect(Math.min(...hits)).toBeGreaterThan(20);
    expect(Math.max(...hits) - Math.min(...hits)).toBeLessThanOrEqual(1);
  });
}

describe("approvals on three instances with one bus in the process", () => {
  approvals(async () => ({}));
});

describeWithRedis("approvals on three instances with Redis between them", () => {
  let redis: Redis;
  afterAll(() => redis.stop());
  approvals(async () => {
    redis = await startRedis();
    return {
      createBus: async () => {
        const { bus, connected } = createRedisBus({
          url: redis.url,
          credential: undefined,
          timeoutMs: 5_000,
          log: createRecordedLog(),
        });
        await connected;
        return bus;
      },
    };
  });
});
