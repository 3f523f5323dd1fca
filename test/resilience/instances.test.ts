import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { startLocalCloud } from "../../emulators/local-cloud.ts";
import type { Bus } from "../../src/mcp/bus.ts";
import { createInProcessBus } from "../../src/platform/in-process-bus.ts";
import { type Deployment, type DeploymentOptions, startDeployment } from "../support/confirming-server.ts";
import { eventually } from "../support/eventually.ts";
import { userToken } from "../support/forged-tokens.ts";
import { startLoadBalancer } from "../support/load-balancer.ts";
import {
  type CallOptions,
  CLIENTS,
  type ClientKind,
  connect,
  type FormAnswer,
  type McpClient,
} from "../support/mcp-clients.ts";
import { describeWithRedis, startRedis } from "../support/redis.ts";
import { startServerProcess } from "../support/server-process.ts";
import { approval, callOf, type Exchange, initialize, post, postAndRead, startSession } from "../support/wire-2025.ts";
import { startWireTap, type WireTap } from "../support/wire-tap.ts";

const GREETING = { to: "MeganB@contoso.com", text: "Well done" };
const YES: FormAnswer = { action: "accept", content: { approve: true } };
const ALEX = { user: "AlexW@contoso.com" };
const MODERN: ClientKind = "sdk v2 (2026-07-28)";
/** No SDK tells its caller that a stream broke: what they see is that the answer never comes. */
const LOST = "Request timed out";
const LEGACY = CLIENTS.filter((kind) => kind !== MODERN);

const clients: McpClient[] = [];
let deployment: Deployment;
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await deployment.close();
});

async function start(options?: DeploymentOptions): Promise<void> {
  deployment = await startDeployment(options);
}

async function open(kind: ClientKind, options: { user?: string; elicit?: () => Promise<FormAnswer> } = {}) {
  const { user, elicit } = options;
  const client = await connect(kind, deployment.mcpUrl, {
    token: await deployment.token(user),
    ...(elicit && { elicit }),
  });
  clients.push(client);
  return client;
}

/** Makes calls without a pause until it is told to stop; what came of each. */
function keepCalling(client: McpClient) {
  const stopped = new AbortController();
  const finished = (async () => {
    const names: unknown[] = [];
    while (!stopped.signal.aborted) names.push((await client.call("look_up", ALEX)).structuredContent);
    return names;
  })();
  finished.catch(() => undefined);
  return {
    stop: () => {
      stopped.abort();
      return finished;
    },
  };
}

/** Expects that none of the calls of {@link keepCalling} noticed anything. */
async function expectUndisturbed(bystanders: readonly ReturnType<typeof keepCalling>[]): Promise<void> {
  for (const bystander of bystanders) {
    const names = await bystander.stop();
    expect(names.length).toBeGreaterThan(0);
    expect(names).toEqual(names.map(() => ({ name: "Alex Wilber" })));
  }
}

/** The person in front of a client, who thinks until the test lets them answer. */
function createPerson() {
  let ask: () => void = () => undefined;
  let answer: (answer: FormAnswer) => void = () => undefined;
  const asked = new Promise<void>((resolve) => {
    ask = resolve;
  });
  const answered = new Promise<FormAnswer>((resolve) => {
    answer = resolve;
  });
  return {
    asked,
    answer: (given: FormAnswer) => answer(given),
    elicit: () => {
      ask();
      return answered;
    },
  };
}

/** The instance that asked a person. */
function askingInstance(): number {
  const asking = deployment.audited.find((event) => event.event === "tool_call" && event.outcome === "input_required");
  return asking?.instance ?? -1;
}

/** Ends an instance as soon as it has nothing open but what is to fail; a load balancer's health check would notice. */
async function kill(index: number, affected = 1): Promise<void> {
  const { balancer, instances } = deployment;
  const dying = instances[index];
  if (!dying) throw new Error(`There is no instance ${index}.`);
  balancer.use(instances.flatMap(({ port }) => (port === dying.port ? [] : [port])));
  await eventually(() => balancer.open(dying.port) === affected, "the calls of others on this instance end");
  await dying.kill();
}

/** What a call that must not succeed ended with. */
const failureOf = (call: Promise<unknown>) =>
  call.then(
    (result) => Promise.reject(new Error(`The call succeeded: ${JSON.stringify(result)}`)),
    (error: Error) => error.message,
  );

/** The method of the next message, and how the stream ended if there is none. */
const nextOf = (exchange: Exchange) =>
  exchange.next().then(
    (message) => message ?? "the end",
    () => "a broken connection",
  );

describe("when one of three instances dies", () => {
  beforeEach(() => start({ instances: 3 }));

  test.each(LEGACY)(
    "%s: a call that waits for its person there fails, nothing is done, and nobody else notices",
    async (kind) => {
      const person = createPerson();
      const affected = await open(kind, person);
      const bystanders = [keepCalling(await open(kind)), keepCalling(await open(MODERN, { user: "AlexW" }))];
      const failure = failureOf(affected.call("send_greeting", GREETING, undefined, { timeoutMs: 1_500 }));
      await person.asked;
      await kill(askingInstance());
      person.answer(YES);

      expect(await failure).toContain(LOST);
      await expectUndisturbed(bystanders);
      expect(deployment.done).toEqual([]);
      expect((await affected.call("send_greeting", GREETING)).structuredContent).toEqual({ sent_to: "Megan Bowen" });
      expect(deployment.done).toHaveLength(1);
    },
  );

  test("sdk v2 (2026-07-28): a call that waits for its person goes on elsewhere, since no instance waits with it", async () => {
    const person = createPerson();
    const affected = await open(MODERN, person);
    const bystanders = [keepCalling(await open(MODERN)), keepCalling(await open("sdk v1 (2025-11-25)"))];
    const call = affected.call("send_greeting", GREETING);
    await person.asked;
    await kill(askingInstance(), 0);
    person.answer(YES);

    expect((await call).structuredContent).toEqual({ sent_to: "Megan Bowen" });
    await expectUndisturbed(bystanders);
    expect(deployment.done).toHaveLength(1);
  });

  test("the connection of the affected call breaks at once and does not end as if it were complete", async () => {
    const token = await deployment.token();
    const session = await startSession(deployment.mcpUrl, token);
    const call = await post(deployment.mcpUrl, callOf("send_greeting", GREETING), { token, session });
    expect(await nextOf(call)).toMatchObject({ method: "elicitation/create" });
    const started = performance.now();
    await kill(askingInstance());

    expect(await nextOf(call)).toBe("a broken connection");
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  test("the person's answer to a question of the dead instance is taken and changes nothing", async () => {
    const token = await deployment.token();
    const session = await startSession(deployment.mcpUrl, token);
    const call = await post(deployment.mcpUrl, callOf("send_greeting", GREETING), { token, session });
    const question = await call.next();
    await kill(askingInstance());

    const { status } = await postAndRead(deployment.mcpUrl, approval(question?.id), { token, session });
    expect(status).toBe(202);
    await sleep(200);
    expect(deployment.done).toEqual([]);
  });

  test.each(CLIENTS)(
    "%s: a call whose progress is streamed from there fails, and nobody else notices",
    async (kind) => {
      const affected = await open(kind);
      const bystanders = [keepCalling(await open(kind, { user: "AlexW" })), keepCalling(await open(MODERN))];
      const { graph } = deployment.cloud;
      graph.traffic.fail({ kind: "status", status: 429, headers: { "Retry-After": "9" } }, { path: /MeganB/ });
      deployment.balancer.use(deployment.instances.slice(0, 1).map(({ port }) => port));
      let told: string | undefined;
      const options: CallOptions = {
        timeoutMs: 1_500,
        onProgress: (message) => {
          told = message;
        },
      };
      const failure = failureOf(affected.call("look_up", { user: "MeganB@contoso.com" }, undefined, options));
      await eventually(() => told, "progress");
      deployment.balancer.use(deployment.instances.map(({ port }) => port));
      await sleep(100);
      await kill(0);

      expect(await failure).toContain(LOST);
      await expectUndisturbed(bystanders);
      graph.traffic.recover();
      expect((await affected.call("look_up", ALEX)).structuredContent).toEqual({ name: "Alex Wilber" });
    },
  );
});

describeWithRedis("when one of three processes is killed", () => {
  test("a call whose progress is streamed from there breaks, and nobody else notices", async () => {
    const redis = await startRedis();
    const balancer = await startLoadBalancer();
    const cloud = await startLocalCloud({ certificates: inject("certificates"), serverOrigin: balancer.origin });
    const environment = { ...cloud.environment(), HOST: "127.0.0.1", PORT: "0", REDIS_URL: redis.url };
    const servers = await Promise.all([1, 2, 3].map(() => startServerProcess(environment)));
    const ports = servers.map(({ port }) => port);
    try {
      balancer.use(ports);
      const token = await userToken(cloud);
      const bystander = await connect("sdk v1 (2025-11-25)", cloud.mcpUrl, { token: await userToken(cloud, "AlexW") });
      const session = await startSession(cloud.mcpUrl, token);
      cloud.graph.traffic.fail({ kind: "status", status: 429, headers: { "Retry-After": "9" } }, { path: /MeganB/ });
      balancer.use(ports.slice(0, 1));
      const message = callOf("get_user", { user: "MeganB@contoso.com" }, 1, { _meta: { progressToken: "p" } });
      const affected = await post(cloud.mcpUrl, message, { token, session });
      expect(await nextOf(affected)).toEqual({
        jsonrpc: "2.0",
        method: "notifications/progress",
        params: { progressToken: "p", progress: 1, message: "Microsoft Graph asks to wait 9 s" },
      });
      servers[0]?.signal("SIGKILL");
      balancer.use(ports.slice(1));

      expect(await nextOf(affected)).toBe("a broken connection");
      for (let n = 0; n < 10; n++) {
        const { structuredContent } = await bystander.call("get_my_profile");
        expect(structuredContent).toMatchObject({ name: "Alex Wilber" });
      }
      const { last } = await postAndRead(cloud.mcpUrl, callOf("get_my_profile", {}), { token, session });
      expect(last).toMatchObject({ result: { structuredContent: { name: "Adele Vance" } } });
      await bystander.close();
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
      await balancer.close();
      await cloud.close();
      await redis.stop();
    }
  }, 30_000);
});

describe("a call that its client cancels", () => {
  let tap: WireTap;
  beforeEach(async () => {
    await start({ instances: 3 });
    tap = startWireTap();
    deployment.cloud.graph.traffic.fail({ kind: "hang" });
  });
  afterEach(() => tap.stop());

  const graphRequests = () => {
    const { port } = new URL(deployment.cloud.graph.origin);
    return tap.requests.filter((request) => request.port === Number(port));
  };

  test.each(CLIENTS)("%s: ends the request to Graph, whichever instance hears of it", async (kind) => {
    const client = await open(kind);
    const abort = new AbortController();
    const call = failureOf(client.call("look_up", ALEX, abort.signal));
    await eventually(() => graphRequests().length, "the request to Graph");
    expect(graphRequests()[0]?.abandoned()).toBe(false);
    abort.abort("enough");

    expect(await call).toContain("enough");
    await eventually(() => graphRequests()[0]?.abandoned(), "Graph is hung up on");
    await eventually(() => deployment.audited.length, "the audit");
    expect(deployment.audited).toEqual([
      expect.objectContaining({ event: "tool_call", tool: "look_up", outcome: "error", reason: "cancelled" }),
    ]);
    expect(graphRequests()).toHaveLength(1);
  });

  test.each(CLIENTS)("%s: ends the request to Graph when the client just disappears", async (kind) => {
    const client = await open(kind);
    const call = failureOf(client.call("look_up", ALEX));
    await eventually(() => graphRequests().length, "the request to Graph");
    await client.close();

    await call;
    await eventually(() => graphRequests()[0]?.abandoned(), "Graph is hung up on");
    await eventually(() => deployment.audited.length, "the audit");
    expect(deployment.audited).toEqual([expect.objectContaining({ tool: "look_up", reason: "cancelled" })]);
  });

  test("is named by the request's own id: no other call of the session ends, and none of another session", async () => {
    const [first, second] = deployment.instances.map(({ mcpUrl }) => mcpUrl);
    const token = await deployment.token();
    const [session, other] = [
      await startSession(deployment.mcpUrl, token),
      await startSession(deployment.mcpUrl, token),
    ];
    const streams = [
      post(first ?? "", callOf("look_up", ALEX, 7), { token, session }),
      post(first ?? "", callOf("look_up", ALEX, "7"), { token, session }),
      post(first ?? "", callOf("look_up", ALEX, 7), { token, session: other }),
    ].map(async (call, index) => [index, await nextOf(await call)]);
    for (const stream of streams) stream.catch(() => undefined);
    await eventually(() => graphRequests().length === 3, "three requests to Graph");
    const cancel = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 7 } };
    expect((await post(second ?? "", cancel, { token, session })).status).toBe(202);

    expect(await Promise.race(streams)).toEqual([0, "the end"]);
    await eventually(() => deployment.audited.length, "the audit");
    await sleep(200);
    expect(deployment.audited.map(({ reason }) => reason)).toEqual(["cancelled"]);
    expect(graphRequests().filter((request) => request.abandoned())).toHaveLength(1);
  });

  test("ends its stream, and withdraws the question that is still open", async () => {
    const [first, second] = deployment.instances.map(({ mcpUrl }) => mcpUrl);
    const token = await deployment.token();
    const session = await startSession(deployment.mcpUrl, token);
    const call = await post(first ?? "", callOf("send_greeting", GREETING, 7), { token, session });
    const question = await call.next();
    expect(question).toMatchObject({ method: "elicitation/create" });
    const cancel = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 7 } };
    await post(second ?? "", cancel, { token, session });

    expect(await nextOf(call)).toMatchObject({
      method: "notifications/cancelled",
      params: { requestId: question?.id },
    });
    expect(await nextOf(call)).toBe("the end");
    await postAndRead(second ?? "", approval(question?.id), { token, session });
    await sleep(100);
    expect(deployment.done).toEqual([]);
  });
});

describe("progress", () => {
  beforeEach(() => start({ instances: 3 }));

  test.each(CLIENTS)("%s: is told while Graph asks to wait, if the client wants to know", async (kind) => {
    const { traffic } = deployment.cloud.graph;
    const client = await open(kind);
    const throttle = (seconds: string) =>
      traffic.fail({ kind: "status", status: 429, headers: { "Retry-After": seconds } }, { times: 1 });
    throttle("1");
    const told: (string | undefined)[] = [];
    const onProgress = (message: string | undefined) => void told.push(message);
    const result = await client.call("look_up", ALEX, undefined, { onProgress });

    expect(result.structuredContent).toEqual({ name: "Alex Wilber" });
    expect(told).toEqual(["Microsoft Graph asks to wait 1 s"]);
    throttle("0");
    expect((await client.call("look_up", ALEX)).structuredContent).toEqual({ name: "Alex Wilber" });
    expect(told).toHaveLength(1);
  });
});

describe("a thousand calls of the 2025 era", () => {
  test("leave no subscription, no timer and no open answer behind", async () => {
    const counted = countSubscriptions(createInProcessBus());
    await start({ instances: 2, createBus: () => counted.bus });
    const { mcpUrl, balancer, instances } = deployment;
    const token = await deployment.token();
    const session = await startSession(mcpUrl, token);
    await postAndRead(mcpUrl, callOf("look_up", ALEX), { token, session });
    const before = await quietResources();

    let id = 100;
    const kinds: readonly (() => Promise<void>)[] = [
      async () => {
        await postAndRead(mcpUrl, { jsonrpc: "2.0", id: id++, method: "tools/list" }, { token, session });
      },
      async () => {
        await postAndRead(mcpUrl, callOf("look_up", ALEX, id++), { token, session });
      },
      async () => {
        await postAndRead(mcpUrl, callOf("look_up", ALEX, id++), { token });
      },
      async () => {
        await postAndRead(mcpUrl, initialize({ elicitation: {} }), { token });
      },
      async () => {
        const call = await post(mcpUrl, callOf("send_greeting", GREETING, id++), { token, session });
        const question = await call.next();
        await postAndRead(mcpUrl, approval(question?.id), { token, session });
        expect(await call.next()).toMatchObject({ result: { structuredContent: { sent_to: "Megan Bowen" } } });
        expect(await call.next()).toBeUndefined();
      },
      async () => {
        const call = await post(mcpUrl, callOf("send_greeting", GREETING, id++), { token, session });
        await call.next();
        call.hangUp();
      },
      async () => {
        const requestId = id++;
        const call = await post(mcpUrl, callOf("send_greeting", GREETING, requestId), { token, session });
        await call.next();
        const cancel = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId } };
        await postAndRead(mcpUrl, cancel, { token, session });
        expect(await call.next()).toMatchObject({ method: "notifications/cancelled" });
        expect(await call.next()).toBeUndefined();
      },
      async () => {
        const abort = new AbortController();
        const call = post(mcpUrl, callOf("look_up", ALEX, id++), { token, session, signal: abort.signal });
        await sleep(id % 20);
        abort.abort();
        await call.then((begun) => begun.next()).catch(() => undefined);
      },
    ];
    for (let n = 0; n < 1_000; n += 40) {
      await Promise.all(Array.from({ length: 5 }, () => kinds.map((make) => make())).flat());
    }

    expect(counted.highest()).toBeGreaterThan(20);
    await eventually(() => counted.open() === 0, "no subscription is left");
    await eventually(() => instances.every(({ port }) => balancer.open(port) === 0), "no answer is left open");
    expect(await quietResources()).toEqual(before);
  }, 30_000);
});

/** A bus that counts who listens. */
function countSubscriptions(bus: Bus) {
  let open = 0;
  let highest = 0;
  const counting: Bus = {
    ...bus,
    async subscribe(channel, listener) {
      const unsubscribe = await bus.subscribe(channel, listener);
      let gone = false;
      open += 1;
      highest = Math.max(highest, open);
      return () => {
        if (!gone) open -= 1;
        gone = true;
        unsubscribe();
      };
    },
  };
  return { bus: counting, open: () => open, highest: () => highest };
}

/** Timers that keep the process alive, after what just happened has come to rest. */
async function quietResources(): Promise<number> {
  await sleep(300);
  return process.getActiveResourcesInfo().filter((resource) => resource === "Timeout").length;
}
