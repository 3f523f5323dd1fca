import { describe, expect, test } from "vitest";
import { createCursorSealer } from "../../src/mcp/cursor.ts";
import { createProcessKeyRing, type SigningSecret } from "../../src/mcp/key-ring.ts";
import { ADELE } from "../support/callers.ts";

const HOUR = 60 * 60 * 1000;
const LINK = "https://graph.microsoft.com/v1.0/users?$skiptoken=RFNwdAIAAQAAACg6";
const SEARCH = { principal: ADELE, tool: "search_people", input: { query: "ann", limit: 10 } };

const secretOf = (id: string): SigningSecret => ({ id, secret: Buffer.alloc(32, id) });
const ringOf =
  (...ids: string[]) =>
  async () =>
    ids.map(secretOf);
const sealCursors = createCursorSealer(ringOf("one"));

const INVALID = {
  name: "ToolError",
  code: "invalid_cursor",
  message:
    "This cursor does not belong to this search, or is older than an hour. Repeat the same arguments, or start without a cursor.",
};

describe("cursor", () => {
  test("opens for the same user, tool and arguments", async () => {
    const cursor = await sealCursors(SEARCH).seal(LINK);

    expect(await sealCursors({ ...SEARCH, input: { ...SEARCH.input } }).open(cursor)).toBe(LINK);
  });

  test("opens beside itself among the arguments, in any order of them, and without undefined ones", async () => {
    const cursor = await sealCursors(SEARCH).seal(LINK);
    const input = { cursor, scope: undefined, limit: 10, query: "ann" };

    expect(await sealCursors({ ...SEARCH, input }).open(cursor)).toBe(LINK);
  });

  test("opens for another client application and other roles of the same user", async () => {
    const cursor = await sealCursors(SEARCH).seal(LINK);
    const principal = { ...ADELE, clientId: "another", scopes: [], roles: [] };

    expect(await sealCursors({ ...SEARCH, principal }).open(cursor)).toBe(LINK);
  });

  test("can stand in a URL, says nothing of where it leads, and is never the same twice", async () => {
    const [one, two] = [await sealCursors(SEARCH).seal(LINK), await sealCursors(SEARCH).seal(LINK)];

    expect(one).toMatch(/^[\w-]+$/);
    expect(one).not.toBe(two);
    expect(Buffer.from(one, "base64url").toString("latin1")).not.toMatch(/graph|users|skiptoken|ann|Adele/);
  });

  test("of a long next link still fits into the argument that takes it back", async () => {
    const cursor = await sealCursors(SEARCH).seal(`${LINK}${"A".repeat(2800)}`);

    expect(cursor.length).toBeLessThan(4096);
  });

  test.each([
    ["another user", { ...SEARCH, principal: { ...ADELE, userId: "48d31887-5fad-4d73-a9f5-3c356e68a038" } }],
    ["the same user id in another tenant", { ...SEARCH, principal: { ...ADELE, tenantId: "fabrikam" } }],
    ["another tool", { ...SEARCH, tool: "search_messages" }],
    ["another value", { ...SEARCH, input: { query: "bob", limit: 10 } }],
    ["a value of another type", { ...SEARCH, input: { query: "ann", limit: "10" } }],
    ["one argument more", { ...SEARCH, input: { query: "ann", limit: 10, scope: "directory" } }],
    ["one argument less", { ...SEARCH, input: { query: "ann" } }],
    ["values in each other's place", { ...SEARCH, input: { query: 10, limit: "ann" } }],
    [
      "arguments that read alike when joined",
      { ...SEARCH, tool: "search", input: { _people: "", query: "ann", limit: 10 } },
    ],
  ])("does not open for %s", async (_what, scope) => {
    const cursor = await sealCursors(SEARCH).seal(LINK);

    await expect(sealCursors(scope).open(cursor)).rejects.toMatchObject(INVALID);
  });

  test("opens for an hour and not longer", async () => {
    let now = Date.UTC(2026, 10, 22);
    const cursors = createCursorSealer(ringOf("one"), () => now)(SEARCH);
    const cursor = await cursors.seal(LINK);

    now += HOUR;
    expect(await cursors.open(cursor)).toBe(LINK);
    now += 1;
    await expect(cursors.open(cursor)).rejects.toMatchObject(INVALID);
  });

  test("does not open with any one of its bits flipped", async () => {
    const cursors = sealCursors(SEARCH);
    const bytes = Buffer.from(await cursors.seal("/v1.0/me"), "base64url");

    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      await expect(cursors.open(flipped.toString("base64url"))).rejects.toMatchObject(INVALID);
    }
  });

  test("does not open cut to any length, or with something behind it", async () => {
    const cursors = sealCursors(SEARCH);
    const bytes = Buffer.from(await cursors.seal("/v1.0/me"), "base64url");

    for (let length = 0; length < bytes.length; length++) {
      await expect(cursors.open(bytes.subarray(0, length).toString("base64url"))).rejects.toMatchObject(INVALID);
    }
    const longer = Buffer.concat([bytes, Buffer.alloc(1)]).toString("base64url");
    await expect(cursors.open(longer)).rejects.toMatchObject(INVALID);
  });

  test.each(["", "next", "????", "A".repeat(4096), LINK, "eyJhbGciOiJub25lIn0.e30."])(
    "that was made up (%s) does not open",
    async (cursor) => {
      await expect(sealCursors(SEARCH).open(cursor)).rejects.toMatchObject(INVALID);
    },
  );
});

describe("cursor when the secret was rotated", () => {
  test("opens while the version that sealed it is in the ring, and is sealed by the newest", async () => {
    const before = await createCursorSealer(ringOf("one"))(SEARCH).seal(LINK);
    const rotated = createCursorSealer(ringOf("two", "one"))(SEARCH);

    expect(await rotated.open(before)).toBe(LINK);
    const after = await rotated.seal(LINK);
    expect(await createCursorSealer(ringOf("three", "two"))(SEARCH).open(after)).toBe(LINK);
    await expect(createCursorSealer(ringOf("one"))(SEARCH).open(after)).rejects.toMatchObject(INVALID);
  });

  test("does not open once its version is retired", async () => {
    const cursor = await createCursorSealer(ringOf("one"))(SEARCH).seal(LINK);

    await expect(createCursorSealer(ringOf("two"))(SEARCH).open(cursor)).rejects.toMatchObject(INVALID);
  });

  test("does not open with another secret under the same version name", async () => {
    const cursor = await createCursorSealer(ringOf("one"))(SEARCH).seal(LINK);
    const swapped = createCursorSealer(async () => [{ id: "one", secret: Buffer.alloc(32, "other") }])(SEARCH);

    await expect(swapped.open(cursor)).rejects.toMatchObject(INVALID);
  });

  test("does not open in another process that has no shared secret", async () => {
    const cursor = await createCursorSealer(createProcessKeyRing())(SEARCH).seal(LINK);

    await expect(createCursorSealer(createProcessKeyRing())(SEARCH).open(cursor)).rejects.toMatchObject(INVALID);
  });
});

describe("cursor without a secret", () => {
  const UNAVAILABLE = {
    code: "unavailable",
    message: "Paging is not available right now. Try again in a minute.",
  };

  test("is neither sealed nor opened while the ring fails, and the reason is kept", async () => {
    const down = new Error("Key Vault did not answer within 8000 ms.");
    const cursors = createCursorSealer(() => Promise.reject(down))(SEARCH);
    const cursor = await sealCursors(SEARCH).seal(LINK);

    await expect(cursors.seal(LINK)).rejects.toMatchObject({ ...UNAVAILABLE, cause: down });
    await expect(cursors.open(cursor)).rejects.toMatchObject({ ...UNAVAILABLE, cause: down });
  });

  test("is not sealed with an empty ring", async () => {
    await expect(createCursorSealer(ringOf())(SEARCH).seal(LINK)).rejects.toMatchObject(UNAVAILABLE);
  });
});
