import { createHmac, hkdfSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { createProcessKeyRing, type KeyRing, type SigningSecret } from "../../src/mcp/key-ring.ts";
import { createSessions } from "../../src/mcp/sessions.ts";
import { ADELE } from "../support/callers.ts";

const DECLARED = { protocolVersion: "2025-11-25", capabilities: { elicitation: { form: {} } } };
const HOUR_MS = 60 * 60 * 1000;

const secret = (id: string, byte: number): SigningSecret => ({ id, secret: new Uint8Array(32).fill(byte) });
const ringOf =
  (...secrets: SigningSecret[]): KeyRing =>
  async () =>
    secrets;
const OLD = secret("old", 1);
const NEW = secret("new", 2);

/** What a session id says, unverified. */
const read = (id: string) => JSON.parse(Buffer.from(id.split(".")[0] ?? "", "base64url").toString("utf8")) as object;

/** Signs a statement as the server would with this secret. */
function forge(statement: object, { secret: key }: SigningSecret): string {
  const encoded = Buffer.from(JSON.stringify(statement)).toString("base64url");
  const derived = Buffer.from(hkdfSync("sha256", key, "", "azure-graph-mcp session v1", 32));
  return `${encoded}.${createHmac("sha256", derived).update(encoded).digest("base64url")}`;
}

describe("a session id", () => {
  test("brings back what was negotiated, for its user, on any instance with the same keys", async () => {
    const id = await createSessions(ringOf(OLD)).issue(ADELE, DECLARED);

    expect(await createSessions(ringOf(OLD)).open(id, ADELE)).toEqual({
      protocolVersion: "2025-11-25",
      capabilities: { elicitation: { form: {} } },
    });
  });

  test("opens for the same user with another client application, scopes and roles", async () => {
    const sessions = createSessions(ringOf(OLD));
    const id = await sessions.issue(ADELE, DECLARED);

    const elsewhere = { ...ADELE, clientId: "aebc6443-996d-45c2-90f0-388ff96faa56", scopes: [], roles: [] };
    expect(await sessions.open(id, elsewhere)).toEqual(DECLARED);
  });

  test.each([
    ["another user", { ...ADELE, userId: "40079818-3808-4585-903b-02605f061225" }],
    ["a user of another tenant with the same id", { ...ADELE, tenantId: "aaaabbbb-0000-1111-2222-cccc3333dddd" }],
    ["a user whose id only begins alike", { ...ADELE, userId: ADELE.userId.slice(0, -1) }],
    ["nobody", { ...ADELE, userId: "", tenantId: "" }],
  ])("does not open for %s", async (_who, principal) => {
    const sessions = createSessions(ringOf(OLD));
    const id = await sessions.issue(ADELE, DECLARED);

    expect(await sessions.open(id, principal)).toBeUndefined();
  });

  test("is different each time, and names its user before a random part", async () => {
    const sessions = createSessions(ringOf(OLD));
    const ids = await Promise.all(Array.from({ length: 100 }, () => sessions.issue(ADELE, DECLARED)));

    expect(new Set(ids).size).toBe(100);
    for (const id of ids) {
      expect(read(id)).toMatchObject({
        s: expect.stringMatching(
          /^5b7e1e6c-4a52-4f0e-9d0a-6a3c1f6f2d11:87d349ed-44d7-43e1-9a83-5f2406dee5bd:[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/,
        ) as string,
      });
    }
  });

  test("does not open with any one character changed", async () => {
    const sessions = createSessions(ringOf(OLD));
    const id = await sessions.issue(ADELE, DECLARED);

    for (let at = 0; at < id.length; at++) {
      for (const other of ["A", "B", "_", "."].filter((character) => character !== id[at])) {
        const changed = id.slice(0, at) + other + id.slice(at + 1);
        expect(await sessions.open(changed, ADELE), `${other} at ${at}`).toBeUndefined();
      }
    }
  });

  test("does not open when it is cut anywhere, or longer than it was", async () => {
    const sessions = createSessions(ringOf(OLD));
    const id = await sessions.issue(ADELE, DECLARED);

    for (let length = 0; length < id.length; length++) {
      expect(await sessions.open(id.slice(0, length), ADELE), `${length} characters`).toBeUndefined();
    }
    for (const more of [".", ".A", "=", " ", "A", `.${id}`]) {
      expect(await sessions.open(`${id}${more}`, ADELE), `with ${more}`).toBeUndefined();
      expect(await sessions.open(`${more}${id}`, ADELE), `after ${more}`).toBeUndefined();
    }
  });

  test.each([
    ["nothing", ""],
    ["a dot", "."],
    ["text", "not a session id"],
    ["JSON that is no object", `${Buffer.from("1").toString("base64url")}.A`],
    ["null", `${Buffer.from("null").toString("base64url")}.A`],
    ["a deep array", `${Buffer.from("[".repeat(50_000)).toString("base64url")}.A`],
  ])("is not %s", async (_what, id) => {
    expect(await createSessions(ringOf(OLD)).open(id, ADELE)).toBeUndefined();
  });

  test("lives for 24 hours", async () => {
    let now = Date.parse("2026-11-22T10:00:00Z");
    const sessions = createSessions(ringOf(OLD), () => now);
    const id = await sessions.issue(ADELE, DECLARED);

    now += 24 * HOUR_MS - 1;
    expect(await sessions.open(id, ADELE)).toEqual(DECLARED);
    now += 1;
    expect(await sessions.open(id, ADELE)).toBeUndefined();
  });

  test.each([
    ["under a key id that the ring does not have", OLD, NEW],
    ["with another key under a key id of the ring", { ...NEW, id: "old" }, OLD],
  ])("does not open when it was signed %s", async (_how, foreign, ours) => {
    const id = await createSessions(ringOf(foreign)).issue(ADELE, DECLARED);

    expect(await createSessions(ringOf(ours)).open(id, ADELE)).toBeUndefined();
  });

  test("does not open with the signature of another one", async () => {
    const sessions = createSessions(ringOf(OLD));
    const [one, other] = [await sessions.issue(ADELE, DECLARED), await sessions.issue(ADELE, DECLARED)];

    expect(await sessions.open(`${one.split(".")[0]}.${other.split(".")[1]}`, ADELE)).toBeUndefined();
  });

  test("says what the server says, or does not open in spite of a good signature", async () => {
    const sessions = createSessions(ringOf(OLD));
    const statement = read(await sessions.issue(ADELE, DECLARED));

    expect(await sessions.open(forge(statement, OLD), ADELE)).toEqual(DECLARED);
    for (const wrong of [
      { x: "never" },
      { x: null },
      { s: 1 },
      { v: "x".repeat(33) },
      { c: "all" },
      { k: undefined },
    ]) {
      expect(await sessions.open(forge({ ...statement, ...wrong }, OLD), ADELE)).toBeUndefined();
    }
  });
});

describe("after the key was rotated", () => {
  test("a session of the key before still opens, and new ones are of the new key", async () => {
    const id = await createSessions(ringOf(OLD)).issue(ADELE, DECLARED);
    const rotated = createSessions(ringOf(NEW, OLD));

    expect(await rotated.open(id, ADELE)).toEqual(DECLARED);
    expect(read(await rotated.issue(ADELE, DECLARED))).toMatchObject({ k: "new" });
  });

  test("a session of a retired key does not open", async () => {
    const id = await createSessions(ringOf(OLD)).issue(ADELE, DECLARED);

    expect(await createSessions(ringOf(NEW)).open(id, ADELE)).toBeUndefined();
  });

  test("a retired key cannot prolong a session under the name of the new one", async () => {
    const id = forge({ ...read(await createSessions(ringOf(NEW)).issue(ADELE, DECLARED)), k: "new" }, OLD);

    expect(await createSessions(ringOf(NEW)).open(id, ADELE)).toBeUndefined();
  });
});

describe("what a client declares", () => {
  const BIG = "x".repeat(1_000_000);

  test.each<[string, unknown, object]>([
    ["nothing", {}, {}],
    ["no object", "everything", {}],
    ["null", null, {}],
    ["a list", [], {}],
    ["an elicitation that is no object", { elicitation: true }, {}],
    ["the elicitation of 2025-06-18", { elicitation: {} }, { elicitation: {} }],
    [
      "everything that a server may ask for",
      { elicitation: { form: {}, url: {} }, sampling: { tools: {} }, roots: { listChanged: true } },
      { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} },
    ],
    [
      "a megabyte in every place",
      {
        elicitation: { form: { [BIG]: BIG }, url: { a: BIG }, [BIG]: {} },
        sampling: { context: BIG },
        roots: { listChanged: BIG },
        experimental: { [BIG]: { a: BIG } },
        extensions: { "io.modelcontextprotocol/ui": { a: BIG } },
        ["__proto__"]: { elicitation: { form: {} } },
      },
      { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} },
    ],
  ])("is kept as far as it matters: %s", async (_what, capabilities, kept) => {
    const sessions = createSessions(ringOf({ ...OLD, id: "f".repeat(32) }));
    const id = await sessions.issue(ADELE, { protocolVersion: "2025-11-25", capabilities });

    expect(await sessions.open(id, ADELE)).toEqual({ protocolVersion: "2025-11-25", capabilities: kept });
    expect(id.length).toBeLessThan(600);
    expect(id).toMatch(/^[\w.-]+$/);
  });

  test("is refused with a protocol version that is no version", async () => {
    await expect(
      createSessions(ringOf(OLD)).issue(ADELE, { protocolVersion: "2".repeat(33), capabilities: {} }),
    ).rejects.toThrow("Too big");
  });

  test("makes a header of visible ASCII, whatever the version is called", async () => {
    const sessions = createSessions(ringOf(OLD));
    const id = await sessions.issue(ADELE, { protocolVersion: "é\r\n🙂\u0000", capabilities: {} });

    expect(id).toMatch(/^[\w.-]+$/);
    expect((await sessions.open(id, ADELE))?.protocolVersion).toBe("é\r\n🙂\u0000");
  });
});

describe("without keys", () => {
  const down: KeyRing = () => Promise.reject(new Error("the vault is down"));

  test("no session is issued, and none is taken for an unknown one", async () => {
    const id = await createSessions(createProcessKeyRing()).issue(ADELE, DECLARED);

    await expect(createSessions(down).issue(ADELE, DECLARED)).rejects.toThrow("the vault is down");
    await expect(createSessions(down).open(id, ADELE)).rejects.toThrow("the vault is down");
    await expect(createSessions(ringOf()).issue(ADELE, DECLARED)).rejects.toThrow("The key ring is empty.");
  });

  test("what is no session id at all needs none to be refused", async () => {
    expect(await createSessions(down).open("rubbish", ADELE)).toBeUndefined();
  });
});
