import { expect, test } from "vitest";
import { createConnections } from "../../src/broker/connections.ts";
import { createVault } from "../../src/broker/vault.ts";
import { createProcessKeyRing } from "../../src/mcp/key-ring.ts";
import { createInProcessStore } from "../../src/platform/in-process-store.ts";

const ADELE = { tenantId: "contoso", userId: "adele" };
const ALEX = { tenantId: "contoso", userId: "alex" };
const CLIENT = { clientId: "c", redirectUri: "http://127.0.0.1:5000/callback", name: "Client", place: "unknown" };

const open = () => createConnections(createVault(createInProcessStore(), createProcessKeyRing()));

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
  const ended = [first, second].map(async (connection) => connections.remove(ADELE, connection?.id ?? ""));
  expect(await Promise.all(ended)).toEqual(expect.arrayContaining([["1", "2"], ["3"]]));
});

test("two grants that begin at once are both ended with their connection", async () => {
  const connections = open();
  await Promise.all(["1", "2", "3"].map((id) => connections.add(ADELE, CLIENT, { id, remember: false })));
  const [connection] = await connections.list(ADELE);
  expect([...(await connections.remove(ADELE, connection?.id ?? ""))].sort()).toEqual(["1", "2", "3"]);
  expect(await connections.list(ADELE)).toEqual([]);
});

test("of a client that signs in again and again the newest twenty grants stay, and the others are named", async () => {
  const connections = open();
  for (let count = 1; count <= 20; count += 1) {
    expect(await connections.add(ADELE, CLIENT, { id: String(count), remember: false })).toEqual([]);
  }
  expect(await connections.add(ADELE, CLIENT, { id: "21", remember: false })).toEqual(["1"]);
});

test("what one person let in is neither seen nor ended by another", async () => {
  const connections = open();
  await connections.add(ADELE, CLIENT, { id: "1", remember: true });
  const [mine] = await connections.list(ADELE);
  expect(await connections.list(ALEX)).toEqual([]);
  expect(await connections.isRemembered(ALEX, CLIENT)).toBe(false);
  expect(await connections.remove(ALEX, mine?.id ?? "")).toEqual([]);
  expect(await connections.isRemembered(ADELE, CLIENT)).toBe(true);
  expect(await connections.remove(ADELE, mine?.id ?? "")).toEqual(["1"]);
  expect(await connections.isRemembered(ADELE, CLIENT)).toBe(false);
});
