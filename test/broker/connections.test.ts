import { expect, test } from "vitest";
import { type Connections, createConnections } from "../../src/broker/connections.ts";
import { createVault } from "../../src/broker/vault.ts";
import { createProcessKeyRing } from "../../src/mcp/key-ring.ts";
import { createInProcessStore } from "../../src/platform/in-process-store.ts";

const ADELE = { tenantId: "contoso", userId: "adele" };
const ALEX = { tenantId: "contoso", userId: "alex" };
const CLIENT = { clientId: "c", redirectUri: "http://127.0.0.1:5000/callback", name: "Client", place: "unknown" };

const open = () => createConnections(createVault(createInProcessStore(), createProcessKeyRing()));

/** Removes a connection and names the grants that end with it. */
async function grantsEndedBy(connections: Connections, person: typeof ADELE, id = ""): Promise<readonly string[]> {
  const ended: string[] = [];
  await connections.remove(person, id, async (grantId) => void ended.push(grantId));
  return ended;
}

test("a client on another loopback port is the same, on another path or host another one", async () => {
  const connections = open();
  await connections.add(ADELE, CLIENT, { id: "1", remember: false });
  await connections.add(
    ADELE,
    { ...CLIENT, redirectUri: "http://127.0.0.1:6000/callback" },
    { id: "2", remember: false },
  );
  await connections.add(ADELE, { ...CLIENT, redirectUri: "http://127.0.0.1:6000/other" }, { id: "3", remember: false });
  const [first, second] = await connections.list(ADELE);
  const ended = [first, second].map(async (connection) => grantsEndedBy(connections, ADELE, connection?.id));
  expect(await Promise.all(ended)).toEqual(expect.arrayContaining([["1", "2"], ["3"]]));
});

test("two grants that begin at once are both ended with their connection", async () => {
  const connections = open();
  await Promise.all(["1", "2", "3"].map((id) => connections.add(ADELE, CLIENT, { id, remember: false })));
  const [connection] = await connections.list(ADELE);
  expect([...(await grantsEndedBy(connections, ADELE, connection?.id))].sort()).toEqual(["1", "2", "3"]);
  expect(await connections.list(ADELE)).toEqual([]);
});

test("a connection whose grants cannot be ended now stays on the page, and ends at the next try", async () => {
  const connections = open();
  for (const id of ["1", "2"]) await connections.add(ADELE, CLIENT, { id, remember: true });
  const [connection] = await connections.list(ADELE);
  const fail = async (grantId: string) => {
    if (grantId === "2") throw new Error("The store does not answer.");
  };
  await expect(connections.remove(ADELE, connection?.id ?? "", fail)).rejects.toThrow("does not answer");
  expect(await connections.isRemembered(ADELE, CLIENT)).toBe(false);
  const [left] = await connections.list(ADELE);
  expect(await grantsEndedBy(connections, ADELE, left?.id)).toEqual(["2"]);
  expect(await connections.list(ADELE)).toEqual([]);
});

test("a grant that begins while its connection is ended either ends with it or stays on the page", async () => {
  const connections = open();
  await connections.add(ADELE, CLIENT, { id: "1", remember: false });
  const [connection] = await connections.list(ADELE);
  const ended: string[] = [];
  await connections.remove(ADELE, connection?.id ?? "", async (grantId) => {
    ended.push(grantId);
    if (grantId === "1") await connections.add(ADELE, CLIENT, { id: "2", remember: false });
  });
  expect(ended).toEqual(["1", "2"]);
});

test("of a client that signs in again and again the newest twenty grants stay, and the others are named", async () => {
  const connections = open();
  for (let count = 1; count <= 20; count += 1) {
    await connections.add(ADELE, CLIENT, { id: String(count), remember: false });
    expect(await connections.noteRedeemed(ADELE, CLIENT, String(count))).toEqual([]);
  }
  expect(await connections.add(ADELE, CLIENT, { id: "21", remember: false })).toEqual([]);
  expect(await connections.noteRedeemed(ADELE, CLIENT, "21")).toEqual(["1"]);
});

test("grants that nobody redeems push out each other, and none that runs; all of them end with their connection", async () => {
  const connections = open();
  await connections.add(ADELE, CLIENT, { id: "running", remember: false });
  await connections.noteRedeemed(ADELE, CLIENT, "running");
  for (let count = 1; count <= 20; count += 1) {
    expect(await connections.add(ADELE, CLIENT, { id: String(count), remember: false })).toEqual([]);
  }
  expect(await connections.add(ADELE, CLIENT, { id: "21", remember: false })).toEqual(["1"]);
  const [connection] = await connections.list(ADELE);
  const ended = await grantsEndedBy(connections, ADELE, connection?.id);
  expect(ended).toHaveLength(21);
  expect(ended).toContain("running");
});

test("what one person let in is neither seen nor ended by another", async () => {
  const connections = open();
  await connections.add(ADELE, CLIENT, { id: "1", remember: true });
  const [mine] = await connections.list(ADELE);
  expect(await connections.list(ALEX)).toEqual([]);
  expect(await connections.isRemembered(ALEX, CLIENT)).toBe(false);
  expect(await grantsEndedBy(connections, ALEX, mine?.id)).toEqual([]);
  expect(await connections.isRemembered(ADELE, CLIENT)).toBe(true);
  expect(await grantsEndedBy(connections, ADELE, mine?.id)).toEqual(["1"]);
  expect(await connections.isRemembered(ADELE, CLIENT)).toBe(false);
});
