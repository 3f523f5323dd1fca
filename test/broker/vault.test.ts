import { describe, expect, test } from "vitest";
import type { BrokerStore } from "../../src/broker/store.ts";
import { createVault } from "../../src/broker/vault.ts";
import type { KeyRing, SigningSecret } from "../../src/mcp/key-ring.ts";
import { createInProcessStore } from "../../src/platform/in-process-store.ts";

const secret = (id: string): SigningSecret => ({ id, secret: Buffer.alloc(32, id) });
const OLD = secret("old");
const NEW = secret("new");
const ringOf =
  (...secrets: SigningSecret[]): KeyRing =>
  async () =>
    secrets;
const ADELE = { kind: "entra", id: "grant-1", boundTo: "adele and a client" };

/** A store whose keys and values a thief has. */
function stolenStore(): { store: BrokerStore; content: Map<string, string> } {
  const content = new Map<string, string>();
  const store: BrokerStore = {
    ...createInProcessStore(),
    get: async (key) => content.get(key),
    async set(key, value) {
      content.set(key, value);
    },
  };
  return { store, content };
}

describe("a sealed value", () => {
  test("opens for whom it was sealed, and for nobody else", async () => {
    const vault = createVault(stolenStore().store, ringOf(NEW));
    await vault.put(ADELE, { token: "secret" }, 1_000);
    expect(await vault.get(ADELE)).toEqual({ token: "secret" });
    expect(await vault.get({ ...ADELE, boundTo: "alex and a client" })).toBeUndefined();
  });

  test("shows neither its id nor its content", async () => {
    const { store, content } = stolenStore();
    await createVault(store, ringOf(NEW)).put(ADELE, { token: "secret" }, 1_000);
    const [[key, value] = ["", ""]] = content;
    expect(key).not.toContain("grant-1");
    expect(value).not.toContain("secret");
    expect(Buffer.from(value.split(" ")[2] ?? "", "base64url").toString()).not.toContain("secret");
  });

  test("does not open in another one's place", async () => {
    const { store, content } = stolenStore();
    const vault = createVault(store, ringOf(NEW));
    const other = { ...ADELE, id: "grant-2" };
    await vault.put(ADELE, { token: "of grant 1" }, 1_000);
    await vault.put(other, { token: "of grant 2" }, 1_000);
    const [[firstKey, firstValue] = ["", ""], [secondKey, secondValue] = ["", ""]] = content;
    content.set(firstKey, secondValue);
    content.set(secondKey, firstValue);
    expect(await vault.get(ADELE)).toBeUndefined();
    expect(await vault.get(other)).toBeUndefined();
  });

  test("does not open after a change of one character", async () => {
    const { store, content } = stolenStore();
    const vault = createVault(store, ringOf(NEW));
    await vault.put(ADELE, { token: "secret" }, 1_000);
    const [[key, value] = ["", ""]] = content;
    for (const index of [value.length - 2, value.indexOf(" ") + 5]) {
      const changed = value[index] === "A" ? "B" : "A";
      content.set(key, `${value.slice(0, index)}${changed}${value.slice(index + 1)}`);
      expect(await vault.get(ADELE)).toBeUndefined();
    }
  });

  test("opens after a rotation, until its key is gone", async () => {
    const { store } = stolenStore();
    await createVault(store, ringOf(OLD)).put(ADELE, { token: "secret" }, 1_000);
    expect(await createVault(store, ringOf(NEW, OLD)).get(ADELE)).toEqual({ token: "secret" });
    expect(await createVault(store, ringOf(NEW)).get(ADELE)).toBeUndefined();
  });

  test("is the same twice to nobody who looks: every one has a data key of its own", async () => {
    const { store, content } = stolenStore();
    const vault = createVault(store, ringOf(NEW));
    await vault.put(ADELE, { token: "secret" }, 1_000);
    const [first] = [...content.values()];
    await vault.put(ADELE, { token: "secret" }, 1_000);
    expect([...content.values()][0]).not.toBe(first);
  });
});
