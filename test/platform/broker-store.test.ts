import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BrokerStore } from "../../src/broker/store.ts";
import { createInProcessStore } from "../../src/platform/in-process-store.ts";
import { createRedisStore } from "../../src/platform/redis-store.ts";
import { createRecordedLog } from "../support/recorded-log.ts";
import { describeWithRedis, type Redis, startRedis } from "../support/redis.ts";

let name = 0;
const freshKey = () => `broker:test:${++name}`;

describe("the store in the process", () => {
  keepsItsPromises(createInProcessStore);

  test("loses no sign-in to a flood of registrations", async () => {
    const store = createInProcessStore();
    await store.set("broker:entra:1", "kept", 60_000);
    for (let count = 0; count < 25_000; count += 1) await store.set(`broker:Client:${count}`, "x", 60_000);
    expect(await store.get("broker:entra:1")).toBe("kept");
    expect(await store.get("broker:Client:0")).toBeUndefined();
  });
});

describeWithRedis("the store in Redis", () => {
  let redis: Redis;
  let store: BrokerStore;
  beforeAll(async () => {
    redis = await startRedis();
    const opened = createRedisStore({
      url: redis.url,
      credential: undefined,
      timeoutMs: 1_000,
      log: createRecordedLog(),
    });
    store = opened.store;
    await opened.connected;
  });
  afterAll(async () => {
    await store.close();
    await redis.stop();
  });

  keepsItsPromises(() => store);

  test("rejects at once while Redis is away, and works again by itself", async () => {
    const lost = await startRedis();
    const opened = createRedisStore({ url: lost.url, credential: undefined, timeoutMs: 500, log: createRecordedLog() });
    await opened.connected;
    await lost.stop();
    await expect(opened.store.get("broker:test:x")).rejects.toThrow("Redis cannot be reached.");
    const back = await startRedis({ port: lost.port });
    for (let tries = 0; tries < 100; tries += 1) {
      if ((await opened.store.claim("broker:test:x", 1_000).catch(() => undefined)) === true) break;
      await sleep(50);
    }
    expect(await opened.store.get("broker:test:x")).toBe("1");
    await opened.store.close();
    await back.stop();
  });
});

function keepsItsPromises(open: () => BrokerStore): void {
  test("gives back what was set, for its time", async () => {
    const [store, key] = [open(), freshKey()];
    await store.set(key, "value", 200);
    expect(await store.get(key)).toBe("value");
    await sleep(300);
    expect(await store.get(key)).toBeUndefined();
  });

  test("gives something away once", async () => {
    const [store, key] = [open(), freshKey()];
    await store.set(key, "value", 5_000);
    const taken = await Promise.all([store.take(key), store.take(key), store.take(key)]);
    expect(taken.filter((value) => value !== undefined)).toEqual(["value"]);
  });

  test("lets one be the first", async () => {
    const [store, key] = [open(), freshKey()];
    const first = await Promise.all([store.claim(key, 5_000), store.claim(key, 5_000)]);
    expect(first.filter(Boolean).length).toBe(1);
  });

  test("replaces only what is there, and for the rest of its time", async () => {
    const [store, key] = [open(), freshKey()];
    expect(await store.replace(key, "value")).toBe(false);
    expect(await store.get(key)).toBeUndefined();
    await store.set(key, "old", 300);
    expect(await store.replace(key, "new")).toBe(true);
    expect(await store.get(key)).toBe("new");
    await sleep(400);
    expect(await store.get(key)).toBeUndefined();
  });

  test("extends the time of what is there, and brings nothing back", async () => {
    const [store, key] = [open(), freshKey()];
    expect(await store.extend(key, 5_000)).toBe(false);
    expect(await store.get(key)).toBeUndefined();
    await store.set(key, "value", 200);
    expect(await store.extend(key, 5_000)).toBe(true);
    await sleep(300);
    expect(await store.get(key)).toBe("value");
  });

  test("keeps members apart from each other, and deletes them together", async () => {
    const [store, key] = [open(), freshKey()];
    await store.addMember(key, "a", 5_000);
    await store.addMember(key, "b", 5_000);
    await store.addMember(key, "b", 5_000);
    await store.removeMember(key, "a");
    expect(await store.members(key)).toEqual(["b"]);
    await store.delete(key, freshKey());
    expect(await store.members(key)).toEqual([]);
  });
}
