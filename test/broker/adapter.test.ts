import { describe, expect, test } from "vitest";
import { createAdapterFactory } from "../../src/broker/adapter.ts";
import { createClientDocuments } from "../../src/broker/client-documents.ts";
import { createVault } from "../../src/broker/vault.ts";
import { createProcessKeyRing } from "../../src/mcp/key-ring.ts";
import { createInProcessStore } from "../../src/platform/in-process-store.ts";
import { createRecordedLog } from "../support/recorded-log.ts";

function open(endSession: () => Promise<void> = async () => undefined) {
  const ended: string[] = [];
  const { adapter, endGrant } = createAdapterFactory(createVault(createInProcessStore(), createProcessKeyRing()), {
    endSession,
    onEnded: (grantId) => void ended.push(grantId),
  });
  return { adapter, endGrant, ended };
}

const inAnHour = () => Math.floor(Date.now() / 1000) + 3600;

test.each(["AuthorizationCode", "RefreshToken"])(
  "a %s that two requests found unused is used by one of them, and ends its grant",
  async (model) => {
    const { adapter, ended } = open();
    await adapter("Grant").upsert("grant", { accountId: "a", clientId: "c" }, 3600);
    await adapter(model).upsert("value", { grantId: "grant", exp: inAnHour() }, 3600);
    const outcomes = await Promise.allSettled([adapter(model).consume("value"), adapter(model).consume("value")]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    expect(ended).toEqual(["grant"]);
    expect(await adapter("Grant").find("grant")).toBeUndefined();
    expect(await adapter(model).find("value")).toBeUndefined();
  },
);

test.each(["", "Grant2"])("a model without its name (%j), as some bundlers make them, is refused", (model) => {
  expect(() => open().adapter(model)).toThrow("without the names of its classes");
});

test("what was used says so when it is found", async () => {
  const { adapter } = open();
  await adapter("RefreshToken").upsert("value", { grantId: "grant", exp: inAnHour() }, 3600);
  await adapter("RefreshToken").consume("value");
  expect(await adapter("RefreshToken").find("value")).toMatchObject({ consumed: true });
});

test("a grant that ends takes its codes and refresh tokens with it, and nobody else's", async () => {
  const { adapter, ended } = open();
  for (const grant of ["one", "two"]) {
    await adapter("Grant").upsert(grant, { accountId: "a", clientId: "c" }, 3600);
    await adapter("RefreshToken").upsert(`refresh of ${grant}`, { grantId: grant, exp: inAnHour() }, 3600);
    await adapter("AuthorizationCode").upsert(`code of ${grant}`, { grantId: grant, exp: inAnHour() }, 60);
  }
  await adapter("RefreshToken").revokeByGrantId("one");
  expect(ended).toEqual(["one"]);
  for (const [model, id] of [
    ["Grant", "one"],
    ["RefreshToken", "refresh of one"],
    ["AuthorizationCode", "code of one"],
  ] as const) {
    expect(await adapter(model).find(id)).toBeUndefined();
    expect(await adapter(model).find(id.replace("one", "two"))).toBeDefined();
  }
});

test("a grant whose end failed half-way is ended, and is said to be, at the next try", async () => {
  let times = 0;
  const { adapter, endGrant, ended } = open(async () => {
    times += 1;
    if (times === 1) throw new Error("The store does not answer.");
  });
  await adapter("Grant").upsert("grant", { accountId: "a", clientId: "c" }, 3600);
  await expect(endGrant("grant", { reason: "signed_out" })).rejects.toThrow("does not answer");
  expect(ended).toEqual([]);
  await endGrant("grant", { reason: "signed_out" });
  await endGrant("grant", { reason: "signed_out" });
  expect(ended).toEqual(["grant"]);
  expect(await adapter("Grant").find("grant")).toBeUndefined();
});

describe("what a person let in lasts as long as its grants:", () => {
  const hour = 60 * 60 * 1000;
  const grantAndHour = 30 * 24 * hour + hour;

  function watch() {
    const times = new Map<string, number>();
    const store = createInProcessStore();
    const set = store.set.bind(store);
    store.set = async (key, value, ttlMs) => {
      times.set(key.split(":")[1] ?? "", ttlMs);
      await set(key, value, ttlMs);
    };
    const vault = createVault(store, createProcessKeyRing());
    return {
      times,
      vault,
      ...createAdapterFactory(vault, { endSession: async () => undefined, onEnded: () => undefined }),
    };
  }

  test("a registration, which before lasts an hour", async () => {
    const { times, adapter } = watch();
    await adapter("Client").upsert("c", { client_id: "c" });
    expect(times.get("Client")).toBe(hour);
    await adapter("Grant").upsert("grant", { accountId: "a", clientId: "c" }, 3600);
    expect(times.get("Client")).toBe(grantAndHour);
  });

  test("a metadata document, which before lasts a sign-in, and which no stranger makes last", async () => {
    const { times, vault, adapter } = watch();
    const documents = createClientDocuments({
      vault,
      fetchDocument: () => Promise.reject(new Error("unreachable")),
      log: createRecordedLog(),
    });
    const document = { client_id: "https://client.example/c.json" };
    await documents.note(document, { signingIn: false });
    expect(times.has("client-document")).toBe(false);
    await documents.note(document, { signingIn: true });
    expect(times.get("client-document")).toBe(15 * 60 * 1000);
    await adapter("Grant").upsert("grant", { accountId: "a", clientId: document.client_id }, 3600);
    expect(times.get("client-document")).toBe(grantAndHour);
    await documents.note({ ...document }, { signingIn: true });
    expect(times.get("client-document")).toBe(grantAndHour);
    expect(await (await documents.fetch(document.client_id)).json()).toEqual(document);
  });

  test("a metadata document as it was fetched last: an instance that remembers an older one does not bring it back", async () => {
    const { vault } = watch();
    const answers = [Response.json({ client_id: "https://client.example/c.json", client_name: "new" })];
    const documents = createClientDocuments({
      vault,
      fetchDocument: async () => answers.pop() ?? Promise.reject(new Error("unreachable")),
      log: createRecordedLog(),
    });
    const older = { client_id: "https://client.example/c.json", client_name: "old" };
    await documents.note(older, { signingIn: true });
    await documents.fetch(older.client_id);
    await documents.note(older, { signingIn: true });
    expect(await (await documents.fetch(older.client_id)).json()).toEqual({ ...older, client_name: "new" });
  });
});
