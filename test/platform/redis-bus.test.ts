import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "redis";
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test, vi } from "vitest";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { createCertificates } from "../../emulators/kernel/certificates.ts";
import { type LocalCloud, startLocalCloud } from "../../emulators/local-cloud.ts";
import { createManagedIdentity } from "../../src/platform/azure-credentials.ts";
import { createRedisBus, type SharedBus } from "../../src/platform/redis-bus.ts";
import type { RedisOptions } from "../../src/platform/redis-client.ts";
import { eventually } from "../support/eventually.ts";
import { createRecordedLog, type RecordedLog } from "../support/recorded-log.ts";
import { describeWithRedis, type Redis, startRedis } from "../support/redis.ts";
import { freePort, type ServerProcess, startServerProcess } from "../support/server-process.ts";

const buses: SharedBus[] = [];
afterEach(async () => {
  await Promise.all(buses.splice(0).map((bus) => bus.close()));
});

/** Opens a bus of the test, with a log of its own. */
function open(url: string, options: Partial<RedisOptions> = {}) {
  const log = createRecordedLog();
  const { bus, connected } = createRedisBus({ url, credential: undefined, timeoutMs: 1_000, log, ...options });
  buses.push(bus);
  connected.catch(() => undefined);
  return { bus, connected, log };
}

async function openAndConnect(url: string, options?: Partial<RedisOptions>) {
  const opened = open(url, options);
  await opened.connected;
  return opened;
}

/** Listens to a channel and remembers what comes. */
async function listen(bus: SharedBus, channel: string) {
  const messages: string[] = [];
  const unsubscribe = await bus.subscribe(channel, (message) => void messages.push(message));
  return { messages, unsubscribe };
}

const works = (bus: SharedBus) =>
  bus.check().then(
    () => true,
    () => false,
  );

/** The test's own user in a Redis that lets nobody else in. */
const OBSERVER = { username: "observer", password: "the test's own" };
const createObserver = (url: string) => createClient({ url, ...(url.startsWith("rediss:") && OBSERVER) });

/** What Redis itself says, over a connection of the test's own. */
async function inRedis<T>(redis: Redis, ask: (client: ReturnType<typeof createObserver>) => Promise<T>): Promise<T> {
  const client = createObserver(redis.url);
  await client.connect();
  try {
    return await ask(client);
  } finally {
    client.destroy();
  }
}

const channelsIn = (redis: Redis) => inRedis(redis, (client) => client.pubSubChannels());
const connectionsTo = (redis: Redis) => inRedis(redis, async (client) => (await client.clientList()).length - 1);
const messagesOf = ({ lines }: RecordedLog) => lines.map(({ level, message }) => `${level}: ${message}`);

const LOST = "error: Redis cannot be reached; messages stay on this instance";
const FOUND = "info: Redis is reached again";

describeWithRedis("a bus over Redis", () => {
  let redis: Redis;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  test("carries messages between instances in both directions, to the channel that was meant", async () => {
    const [{ bus: one }, { bus: other }] = [await openAndConnect(redis.url), await openAndConnect(redis.url)];
    const [atOne, atOther, elsewhere] = [await listen(one, "a"), await listen(other, "a"), await listen(other, "b")];

    await one.publish("a", "1");
    await other.publish("a", "zwei 🙂");
    await one.publish("nobody listens", "3");
    await eventually(() => atOne.messages.length + atOther.messages.length === 4, "four deliveries");

    expect(atOne.messages).toEqual(["1", "zwei 🙂"]);
    expect(atOther.messages).toEqual(["1", "zwei 🙂"]);
    expect(elsewhere.messages).toEqual([]);
  });

  test("delivers what is published right after a subscription, also when another one of the same channel is under way", async () => {
    const [{ bus: one }, { bus: other }] = [await openAndConnect(redis.url), await openAndConnect(redis.url)];
    const first = listen(one, "soon");
    const second = await listen(one, "soon");
    await other.publish("soon", "now");

    await eventually(() => second.messages.length, "the delivery");
    expect((await first).messages).toEqual(["now"]);
    expect(second.messages).toEqual(["now"]);
  });

  test("gives each of many listeners its messages once, and asks Redis once per channel", async () => {
    const [{ bus: one }, { bus: other }] = [await openAndConnect(redis.url), await openAndConnect(redis.url)];
    const shared = await Promise.all(Array.from({ length: 200 }, () => listen(one, "shared")));
    const own = await Promise.all(Array.from({ length: 300 }, (_, n) => listen(one, `own ${n}`)));
    await other.publish("shared", "to all");
    await Promise.all(own.map((_, n) => other.publish(`own ${n}`, String(n))));
    await eventually(() => own.every(({ messages }) => messages.length > 0), "300 deliveries");

    expect(shared.every(({ messages }) => messages.length === 1 && messages[0] === "to all")).toBe(true);
    expect(own.map(({ messages }) => messages)).toEqual(Array.from({ length: 300 }, (_, n) => [String(n)]));
    expect(await channelsIn(redis)).toHaveLength(301);
    for (const { unsubscribe } of [...shared, ...own]) unsubscribe();
    await eventually(async () => (await channelsIn(redis)).length === 0, "an empty Redis");
  });

  test("delivers nothing after an unsubscription, and goes on for the others", async () => {
    const { bus } = await openAndConnect(redis.url);
    const [gone, stays] = [await listen(bus, "a"), await listen(bus, "a")];
    gone.unsubscribe();
    gone.unsubscribe();
    await bus.publish("a", "1");
    await eventually(() => stays.messages.length, "the delivery");

    expect(gone.messages).toEqual([]);
    expect(stays.messages).toEqual(["1"]);
    expect(await channelsIn(redis)).toEqual(["a"]);
    stays.unsubscribe();
    await eventually(async () => (await channelsIn(redis)).length === 0, "an empty Redis");
  });

  test("hears of a channel that was left and joined again at once", async () => {
    const [{ bus: one }, { bus: other }] = [await openAndConnect(redis.url), await openAndConnect(redis.url)];
    for (let round = 0; round < 20; round++) {
      const before = await listen(one, "again");
      before.unsubscribe();
      const after = await listen(one, "again");
      await other.publish("again", String(round));
      await eventually(() => after.messages.length, `round ${round}`);
      expect(after.messages).toEqual([String(round)]);
      after.unsubscribe();
    }
  });

  test("stays connected while there is nothing to send", async () => {
    const { bus, log } = await openAndConnect(redis.url, { timeoutMs: 200 });
    const { messages } = await listen(bus, "a");
    await sleep(1_000);
    await bus.publish("a", "1");
    await eventually(() => messages.length, "the delivery");

    expect(messagesOf(log)).toEqual([]);
  });

  test("leaves no connection and no timer behind when it is closed", async () => {
    const before = process.getActiveResourcesInfo().length;
    const { bus } = await openAndConnect(redis.url);
    await listen(bus, "a");
    expect(await connectionsTo(redis)).toBe(2);
    await bus.close();

    await eventually(async () => (await connectionsTo(redis)) === 0, "no connection");
    await eventually(() => process.getActiveResourcesInfo().length <= before, "nothing that keeps the process");
    expect(await works(bus)).toBe(false);
  });
});

describeWithRedis("when Redis is lost", () => {
  let redis: Redis;
  let one: ReturnType<typeof open>;
  let other: ReturnType<typeof open>;
  beforeEach(async () => {
    redis = await startRedis();
    [one, other] = [await openAndConnect(redis.url), await openAndConnect(redis.url)];
  });
  afterEach(() => redis.stop());

  /** Ends Redis, and starts it again on the same port. */
  const lose = async () => {
    await redis.stop();
    await eventually(async () => !(await works(one.bus)) && !(await works(other.bus)), "the loss is noticed");
  };
  const find = async () => {
    redis = await startRedis({ port: redis.port });
    await eventually(async () => (await works(one.bus)) && (await works(other.bus)), "Redis is found again");
  };

  test("messages stay on the instance, nothing fails, and the log says so once", async () => {
    const [here, there] = [await listen(one.bus, "a"), await listen(other.bus, "a")];
    await lose();
    await one.bus.publish("a", "1");
    const late = await listen(one.bus, "late");
    await one.bus.publish("late", "2");
    await sleep(300);

    expect(here.messages).toEqual(["1"]);
    expect(late.messages).toEqual(["2"]);
    expect(there.messages).toEqual([]);
    expect(messagesOf(one.log)).toEqual([LOST]);
  });

  test("it listens again by itself: to channels from before and to those that came up meanwhile", async () => {
    const before = await listen(other.bus, "before");
    await lose();
    const meanwhile = await listen(other.bus, "meanwhile");
    await find();
    await eventually(async () => (await channelsIn(redis)).length === 2, "both channels");
    await one.bus.publish("before", "1");
    await one.bus.publish("meanwhile", "2");
    await eventually(() => before.messages.length + meanwhile.messages.length === 2, "two deliveries");

    expect([before.messages, meanwhile.messages]).toEqual([["1"], ["2"]]);
    expect(messagesOf(other.log)).toEqual([LOST, FOUND]);
  });

  test("it does not go back to channels that were left meanwhile", async () => {
    const left = await Promise.all(Array.from({ length: 50 }, (_, n) => listen(one.bus, `left ${n}`)));
    const kept = await listen(one.bus, "kept");
    await lose();
    for (const { unsubscribe } of left) unsubscribe();
    await find();

    await eventually(async () => (await channelsIn(redis)).join() === "kept", "one channel");
    await other.bus.publish("kept", "1");
    await eventually(() => kept.messages.length, "the delivery");
    expect(kept.messages).toEqual(["1"]);
  });

  test("calls under way at that moment go on too", async () => {
    const under = Promise.all(
      Array.from({ length: 200 }, async (_, n) => {
        const { messages } = await listen(one.bus, `busy ${n}`);
        await one.bus.publish(`busy ${n}`, "1");
        return messages;
      }),
    );
    await redis.stop();

    expect(await under).toHaveLength(200);
  });

  test("a Redis that answers nothing is given up also while there is much to send", async () => {
    redis.freeze();
    const first = one.bus.publish("a", "0");
    // Each of them counts as life for the connection.
    const busy = setInterval(() => void one.bus.publish("a", "1"), 50);
    try {
      expect(await Promise.race([first, sleep(5_000, "held up")])).toBeUndefined();
      expect(messagesOf(one.log)).toEqual([LOST]);
    } finally {
      clearInterval(busy);
    }
  });

  test("a Redis that answers nothing holds nobody up for longer than the time limit, and is found again", async () => {
    const there = await listen(other.bus, "a");
    redis.freeze();
    const started = performance.now();
    const here = await listen(one.bus, "frozen");
    await one.bus.publish("frozen", "1");
    const took = performance.now() - started;

    expect(took).toBeLessThan(3_000);
    expect(here.messages).toEqual(["1"]);
    expect(await works(one.bus)).toBe(false);
    redis.thaw();
    await eventually(async () => (await works(one.bus)) && (await works(other.bus)), "Redis is found again");
    await eventually(async () => (await channelsIn(redis)).length === 2, "both channels");
    await one.bus.publish("a", "2");
    await eventually(() => there.messages.length, "the delivery");
    expect(there.messages).toEqual(["2"]);
  });

  test("an idle bus notices it when Redis answers nothing", async () => {
    redis.freeze();
    await eventually(() => messagesOf(one.log).length === 1, "the loss is noticed");

    expect(messagesOf(one.log)).toEqual([LOST]);
    expect(await works(one.bus)).toBe(false);
    redis.thaw();
    await eventually(() => works(one.bus), "Redis is found again");
    expect(messagesOf(one.log)).toEqual([LOST, FOUND]);
  });
});

describeWithRedis("when Redis is not there at start", () => {
  test("the attempt ends at the time limit, and the bus can be closed", async () => {
    const before = process.getActiveResourcesInfo().length;
    const { bus, connected } = open(`redis://localhost:${await freePort()}`, { timeoutMs: 300 });

    await expect(connected).rejects.toThrow("Redis did not answer within 300 ms.");
    await bus.close();
    await eventually(() => process.getActiveResourcesInfo().length <= before, "nothing that keeps the process");
  });

  test("the bus works alone, and with the others as soon as Redis comes", async () => {
    const port = await freePort();
    const { bus, connected, log } = open(`redis://localhost:${port}`, { timeoutMs: 300 });
    await expect(connected).rejects.toThrow("Redis did not answer within 300 ms.");
    const here = await listen(bus, "a");
    await bus.publish("a", "alone");
    expect(here.messages).toEqual(["alone"]);
    expect(await works(bus)).toBe(false);

    const redis = await startRedis({ port });
    try {
      await eventually(() => works(bus), "Redis is found");
      const { bus: other } = await openAndConnect(redis.url);
      await eventually(async () => (await channelsIn(redis)).includes("a"), "the channel");
      await other.publish("a", "together");
      await eventually(() => here.messages.length === 2, "the delivery");
      expect(here.messages).toEqual(["alone", "together"]);
      expect(messagesOf(log)).toEqual([LOST, FOUND]);
    } finally {
      await redis.stop();
    }
  });
});

describeWithRedis("a Redis that lets the managed identity in and nobody else, over TLS", () => {
  let cloud: LocalCloud;
  let redis: Redis;
  beforeAll(async () => {
    const certificates = inject("certificates");
    cloud = await startLocalCloud({ certificates, serverOrigin: "http://localhost:3000" });
    for (const [name, value] of Object.entries(cloud.managedIdentity.environment())) vi.stubEnv(name, value);
    redis = await startRedis({
      certificates,
      users: [
        "user default off",
        `user ${CONTOSO.managedIdentityPrincipalId} on nopass ~* &* +@all`,
        `user ${OBSERVER.username} on ">${OBSERVER.password}" ~* &* +@all`,
      ],
    });
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await redis.stop();
    await cloud.close();
  });

  const identity = () =>
    createManagedIdentity({
      authorityHost: cloud.entra.httpsOrigin,
      instanceDiscovery: false,
      managedIdentityClientId: CONTOSO.managedIdentityClientId,
    });
  /** Who is connected, except the test itself. */
  const guests = () =>
    inRedis(redis, async (client) =>
      (await client.clientList()).map(({ user }) => user).filter((user) => user !== OBSERVER.username),
    );
  const tokenRequests = () => cloud.managedIdentity.traffic.requests.map(({ url }) => url);

  test("the bus signs in with a token of the managed identity for Redis", async () => {
    cloud.managedIdentity.traffic.clear();
    const { bus } = await openAndConnect(redis.url, { credential: identity() });
    const { messages } = await listen(bus, "a");
    await bus.publish("a", "1");
    await eventually(() => messages.length, "the delivery");

    expect(await guests()).toEqual([CONTOSO.managedIdentityPrincipalId, CONTOSO.managedIdentityPrincipalId]);
    expect(new Set(tokenRequests())).toEqual(
      new Set([
        `/msi/token?api-version=2019-08-01&resource=${encodeURIComponent("https://redis.azure.com")}&client_id=${CONTOSO.managedIdentityClientId}`,
      ]),
    );
  });

  test("it signs in anew before the token expires, and a refusal in between does not end that", async () => {
    const { bus, log } = await openAndConnect(redis.url, { credential: shortLived() });
    const { messages } = await listen(bus, "a");
    await eventually(() => issued.length >= 4, "a third token");
    await bus.publish("a", "1");
    await eventually(() => messages.length, "the delivery");

    expect(issued.slice(0, 4)).toEqual(["token", "refused", "token", "token"]);
    expect(messagesOf(log)).toEqual([]);
  });

  /** How the requests of {@link shortLived} ended. */
  const issued: string[] = [];

  /** Gives tokens for two seconds, and none at the second attempt. */
  function shortLived(): NonNullable<RedisOptions["credential"]> {
    issued.length = 0;
    const inner = identity();
    return {
      getToken: async () => {
        issued.push(issued.length === 1 ? "refused" : "token");
        if (issued.length === 2) throw new Error("the endpoint is busy");
        const token = await inner.getToken("https://redis.azure.com/.default");
        return { token: token?.token ?? "", expiresOnTimestamp: Date.now() + 1_000 };
      },
    };
  }

  test("another identity is not let in, and the log says why", async () => {
    const stranger: NonNullable<RedisOptions["credential"]> = {
      getToken: async () => {
        const principalId = "00000000-1111-2222-3333-444444444444";
        const { token } = await cloud.entra.issueManagedIdentityToken(
          { clientId: CONTOSO.otherClientId, principalId },
          "https://redis.azure.com",
        );
        return { token, expiresOnTimestamp: Date.now() + 3_600_000 };
      },
    };
    const { connected, log } = open(redis.url, { credential: stranger, timeoutMs: 500 });

    await expect(connected).rejects.toThrow("Redis did not answer within 500 ms.");
    expect(log.lines).toEqual([
      {
        level: "error",
        message: "Redis cannot be reached; messages stay on this instance",
        fields: { error: "WRONGPASS" },
      },
    ]);
    expect(await guests()).toEqual([]);
  });

  test("a Redis whose certificate nobody vouches for gets no token", async () => {
    const impostor = await startRedis({ certificates: await createCertificates() });
    let asked = 0;
    const credential: NonNullable<RedisOptions["credential"]> = {
      getToken: async () => {
        asked += 1;
        return { token: "e30.e30.", expiresOnTimestamp: Date.now() + 3_600_000 };
      },
    };
    try {
      const { connected, log } = open(impostor.url, { credential, timeoutMs: 500 });
      await expect(connected).rejects.toThrow("Redis did not answer within 500 ms.");
      expect(log.lines[0]?.fields).toEqual({ error: "CERT_SIGNATURE_FAILURE" });
      expect(asked).toBe(0);
    } finally {
      await impostor.stop();
    }
  });

  test("the server itself connects so, and says that it is ready", async () => {
    const server = await startServerProcess(serverEnvironment(cloud, redis.url));
    try {
      const ready = await fetch(`http://localhost:${server.port}/readyz`);
      expect([ready.status, await ready.json()]).toMatchObject([
        200,
        { status: "ok", checks: { keys: "ok", redis: "ok" } },
      ]);
      // To say, to listen, and to count.
      expect(await guests()).toEqual(Array.from({ length: 3 }, () => CONTOSO.managedIdentityPrincipalId));
    } finally {
      await server.stop();
    }
    expect(await server.exit).toBe(0);
  });
});

/** The server waits for Redis for eight seconds. */
const SLOW = { timeout: 30_000 };

const serverEnvironment = (cloud: LocalCloud, redisUrl: string) => ({
  ...cloud.environment(),
  HOST: "127.0.0.1",
  PORT: "0",
  REDIS_URL: redisUrl,
});

describeWithRedis("the server", () => {
  let cloud: LocalCloud;
  const servers: ServerProcess[] = [];
  beforeAll(async () => {
    cloud = await startLocalCloud({ certificates: inject("certificates"), serverOrigin: "http://localhost:3000" });
  });
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.stop()));
    await cloud.close();
  });

  async function start(environment: Record<string, string>): Promise<ServerProcess> {
    const server = await startServerProcess({ ...serverEnvironment(cloud, ""), ...environment });
    servers.push(server);
    return server;
  }

  const readiness = async ({ port }: ServerProcess) => {
    const response = await fetch(`http://localhost:${port}/readyz`);
    return [response.status, ((await response.json()) as { status: string }).status];
  };

  test.concurrent("ends when Redis is not there, with a sentence that says what to do", SLOW, async () => {
    const { exit, log } = await start({ REDIS_URL: `redis://localhost:${await freePort()}` });

    expect(await exit).toBe(1);
    expect(log.at(-1)).toMatchObject({
      level: "error",
      msg: "The server could not start",
      reason:
        "Redis cannot be reached, or does not let this server in. Check REDIS_URL and the managed identity's access, or set REDIS_REQUIRED=false to serve alone until it can.",
    });
  });

  test.concurrent("starts without Redis if that is allowed, says so, and takes it up when it comes", SLOW, async () => {
    const port = await freePort();
    const server = await start({ REDIS_URL: `redis://localhost:${port}`, REDIS_REQUIRED: "false" });
    const lines = server.log.map(({ level, msg }) => `${String(level)}: ${String(msg)}`);
    expect(new Set(lines)).toEqual(
      new Set([
        LOST,
        "error: Redis cannot be reached; calls are not counted together",
        "warn: Redis cannot be reached; this instance serves alone until it can",
        "info: Listening",
      ]),
    );
    expect(lines).toHaveLength(4);
    expect(await readiness(server)).toEqual([200, "degraded"]);

    let redis = await startRedis({ port });
    try {
      await eventually(async () => (await readiness(server)).join() === "200,ok", "ready");
      await redis.stop();
      await eventually(async () => (await readiness(server)).join() === "200,degraded", "degraded");
      redis = await startRedis({ port });
      await eventually(async () => (await readiness(server)).join() === "200,ok", "ready again");
    } finally {
      await redis.stop();
    }
  });

  test.concurrent("is not ready while a Redis that it needs is lost", SLOW, async () => {
    let redis = await startRedis();
    const server = await start({ REDIS_URL: redis.url });
    try {
      expect(await readiness(server)).toEqual([200, "ok"]);
      await redis.stop();
      await eventually(async () => (await readiness(server)).join() === "503,failing", "failing");
      redis = await startRedis({ port: redis.port });
      await eventually(async () => (await readiness(server)).join() === "200,ok", "ready again");
    } finally {
      await redis.stop();
    }
  });

  test.concurrent("does not take a password in REDIS_URL, and does not repeat it", SLOW, async () => {
    const server = await start({ REDIS_URL: "rediss://default:pa55word@contoso-mcp.westeurope.redis.azure.net:10000" });

    expect(await server.exit).toBe(1);
    expect(server.output()).toContain(
      "REDIS_URL must be a rediss:// URL without user and password (redis:// on localhost only).",
    );
    expect(server.output()).not.toContain("pa55word");
  });
});
