import { createServer, type Server } from "node:https";
import type { AddressInfo, LookupFunction } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { createPublicFetch, ForbiddenAddressError } from "../../src/platform/public-fetch.ts";

let server: Server;
let port: number;
let requests: string[] = [];
let answer: { status: number; headers?: Record<string, string>; body: string };
const open: ReturnType<typeof createPublicFetch>[] = [];

beforeAll(async () => {
  const { cert, key } = inject("certificates");
  server = createServer({ cert, key }, (req, res) => {
    requests.push(req.url ?? "");
    res.writeHead(answer.status, answer.headers).end(answer.body);
  });
  await new Promise<void>((done) => {
    server.listen(0, "127.0.0.1", done);
  });
  ({ port } = server.address() as AddressInfo);
});
beforeEach(() => {
  requests = [];
  answer = { status: 200, body: '{"client_id":"x"}' };
});
afterAll(async () => {
  await Promise.all(open.map(({ close }) => close()));
  server.close();
});

/** A resolver that gives these addresses, one list for each time that it is asked. */
function answers(...lists: string[][]): { lookup: LookupFunction; asked: () => number } {
  let asked = 0;
  return {
    asked: () => asked,
    lookup: (_name, options, callback) => {
      const list = lists[Math.min(asked++, lists.length - 1)] ?? [];
      const found = list.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
      if (options.all === true) callback(null, found);
      else callback(null, found[0]?.address ?? "", found[0]?.family);
    },
  };
}

function fetchWith(lookup: LookupFunction, options: { trustedHosts?: string[] } = {}) {
  const created = createPublicFetch({ timeoutMs: 1_000, trustedHosts: options.trustedHosts ?? [], lookup });
  open.push(created);
  return created.fetchDocument;
}

async function reasonOf(work: Promise<unknown>): Promise<unknown> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  for (let current = error; current instanceof Error; current = current.cause) {
    if (current instanceof ForbiddenAddressError) return current;
  }
  return error;
}

describe("a name that leads to", () => {
  test.each([
    ["this computer", "127.0.0.1"],
    ["another loopback address", "127.8.8.8"],
    ["the metadata service of the cloud", "169.254.169.254"],
    ["the managed identity endpoint of App Service", "169.254.129.2"],
    ["a private network", "10.0.0.5"],
    ["another private network", "172.31.1.1"],
    ["a home network", "192.168.1.1"],
    ["a carrier's network", "100.64.0.1"],
    ["nothing", "0.0.0.0"],
    ["everybody", "255.255.255.255"],
    ["a multicast group", "224.0.0.1"],
    ["Azure's own virtual address", "168.63.129.16"],
    ["this computer, in IPv6", "::1"],
    ["this computer, mapped", "::ffff:127.0.0.1"],
    ["this computer, translated", "64:ff9b::7f00:1"],
    ["a link", "fe80::1"],
    ["a private network, in IPv6", "fd00::1"],
    ["a private network, through 6to4", "2002:0a00:0005::1"],
  ])("%s (%s) is not asked", async (_what, address) => {
    const { lookup } = answers([address]);
    expect(await reasonOf(fetchWith(lookup)(`https://client.example:${port}/`))).toBeInstanceOf(ForbiddenAddressError);
    expect(requests).toEqual([]);
  });

  test("a public and a private address is not asked", async () => {
    const { lookup } = answers(["93.184.216.34", "127.0.0.1"]);
    expect(await reasonOf(fetchWith(lookup)(`https://client.example:${port}/`))).toBeInstanceOf(ForbiddenAddressError);
  });

  test("another address the second time (rebinding) is resolved once, and that answer counts", async () => {
    const { lookup, asked } = answers(["93.184.216.34"], ["127.0.0.1"]);
    await expect(fetchWith(lookup)(`https://client.example:${port}/`)).rejects.toThrow("fetch failed");
    expect(asked()).toBe(1);
    expect(requests).toEqual([]);
  });
});

test.each([
  "https://127.0.0.1/client.json",
  "https://[::1]/client.json",
  "https://[::ffff:7f00:1]/client.json",
  "https://2130706433/client.json",
  "https://0x7f.1/client.json",
  "https://169.254.169.254/metadata/identity",
  "https://168.63.129.16/",
  "http://93.184.216.34/client.json",
  "file:///etc/passwd",
])("%s is not fetched", async (url) => {
  const { lookup, asked } = answers(["93.184.216.34"]);
  expect(await reasonOf(fetchWith(lookup)(url))).toBeInstanceOf(ForbiddenAddressError);
  expect(asked()).toBe(0);
});

describe("an organisation's own host", () => {
  const trusted = () => fetchWith(answers(["127.0.0.1"]).lookup, { trustedHosts: [`localhost:${port}`] });

  test("is read although its address is private, and no other port of it", async () => {
    const response = await trusted()(`https://localhost:${port}/client.json`);
    expect(await response.json()).toEqual({ client_id: "x" });
    expect(await reasonOf(trusted()("https://localhost:8443/client.json"))).toBeInstanceOf(ForbiddenAddressError);
  });

  test("that redirects is not followed", async () => {
    answer = { status: 302, headers: { location: "https://127.0.0.1/secret" }, body: "" };
    const response = await trusted()(`https://localhost:${port}/client.json`);
    expect(response.status).toBe(302);
    expect(requests).toEqual(["/client.json"]);
  });

  test("that sends too much is cut off", async () => {
    answer = { status: 200, body: "x".repeat(64 * 1024) };
    const response = await trusted()(`https://localhost:${port}/client.json`);
    await expect(response.text()).rejects.toThrow("terminated");
  });

  test("that does not answer is given up", async () => {
    const silent = createServer({ ...inject("certificates") }, () => undefined);
    await new Promise<void>((done) => {
      silent.listen(0, "127.0.0.1", done);
    });
    const { port: silentPort } = silent.address() as AddressInfo;
    const fetchDocument = fetchWith(answers(["127.0.0.1"]).lookup, { trustedHosts: [`localhost:${silentPort}`] });
    const started = Date.now();
    await expect(fetchDocument(`https://localhost:${silentPort}/`)).rejects.toThrow(
      "The operation was aborted due to timeout",
    );
    expect(Date.now() - started).toBeLessThan(3_000);
    silent.closeAllConnections();
    silent.close();
  });
});
