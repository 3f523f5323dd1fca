import type { IncomingMessage } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { limitStrangers } from "../../src/broker/stranger-limits.ts";
import { createRawClient, NewcomerSession, signInAtBroker } from "../support/broker.ts";
import { publishClientDocument } from "../support/client-document.ts";
import { connect } from "../support/mcp-clients.ts";
import { type RawAnswer, sendRaw } from "../support/raw-http.ts";
import { type Stack, startStack } from "../support/stack.ts";

const ADELE = { as: "AdeleV" };

let stack: Stack;
beforeAll(async () => {
  stack = await startStack("broker");
});
afterAll(() => stack.close());

/** Registers a client as App Service passes it on: what the sender claims, then where it really came from. */
function registerFrom(address: string, claimed = "192.0.2.1"): Promise<RawAnswer> {
  return sendRaw(stack.serverOrigin, {
    target: "/oauth/register",
    headers: [
      ["Content-Type", "application/json"],
      ["X-Forwarded-For", `${claimed}, ${address}`],
    ],
    body: JSON.stringify({ client_name: "Flood", redirect_uris: ["http://127.0.0.1/callback"] }),
  });
}

async function statusesOf(times: number, send: (n: number) => Promise<RawAnswer>): Promise<number[]> {
  const statuses: number[] = [];
  for (let n = 0; n < times; n++) statuses.push((await send(n)).status);
  return statuses;
}

// Limits count over ten seconds: a sixth of what is set for a minute.
describe("strangers who flood the broker", () => {
  test("with registrations are refused by address, whatever address they claim; others are not", async () => {
    await stack.restart({ REGISTRATIONS_PER_MINUTE: "12" });
    const statuses = await statusesOf(4, (n) => registerFrom("203.0.113.7:50123", `198.51.100.${n}`));
    expect(statuses).toEqual([201, 201, 429, 429]);
    expect((await registerFrom("203.0.113.8:50123")).status).toBe(201);
  });

  test("are told when to try again", async () => {
    await stack.restart({ REGISTRATIONS_PER_MINUTE: "6" });
    await registerFrom("203.0.113.7:1");
    const refused = await registerFrom("203.0.113.7:2");
    expect(refused.status).toBe(429);
    expect(Number(refused.headers["retry-after"])).toBeGreaterThanOrEqual(1);
    expect(JSON.parse(refused.body)).toEqual({
      error: "temporarily_unavailable",
      error_description: expect.stringMatching(/^Try again in \d+ seconds\.$/),
    });
  });

  test("count as one with all addresses of their IPv6 network", async () => {
    await stack.restart({ REGISTRATIONS_PER_MINUTE: "12" });
    const statuses = await statusesOf(3, (n) => registerFrom(`[2001:db8:1:2::${n}]:50123`));
    expect(statuses).toEqual([201, 201, 429]);
    expect((await registerFrom("[2001:db8:1:3::1]:50123")).status).toBe(201);
  });

  test("with many addresses are refused together", async () => {
    await stack.restart({ REGISTRATIONS_PER_MINUTE: "6" });
    const statuses = await statusesOf(11, (n) => registerFrom(`203.0.113.${n}:50123`));
    expect(statuses).toEqual([...Array<number>(10).fill(201), 429]);
  });

  test("with sign-ins are refused on a page, and no longer when the time is up", async () => {
    await stack.restart({ REGISTRATIONS_PER_MINUTE: "6" });
    const client = await createRawClient(stack.serverOrigin);
    const { pathname, search } = client.authorizeUrl();
    const begin = () => sendRaw(stack.serverOrigin, { method: "GET", target: `${pathname}${search}` });
    expect(await statusesOf(10, begin)).toEqual(Array(10).fill(303));
    const refused = await begin();
    expect(refused.status).toBe(429);
    expect(refused.headers["content-security-policy"]).toContain("default-src 'none'");
    expect(refused.body).toMatch(/Too many sign-ins were begun\. Try again in \d+ seconds\./);

    await new Promise((resolve) => {
      setTimeout(resolve, Number(refused.headers["retry-after"]) * 1000);
    });
    expect((await signInAtBroker(client.authorizeUrl(), ADELE)).searchParams.has("code")).toBe(true);
  }, 30_000);

  test.each(["/oauth/connections", "/oauth/connections/", "/oauth/step-up/x", "/oauth/sign-in/x"])(
    "with requests for %s are refused too: each that leads to Entra leaves something in the store",
    async (target) => {
      await stack.restart({ REGISTRATIONS_PER_MINUTE: "6" });
      const statuses = await statusesOf(11, () => sendRaw(stack.serverOrigin, { method: "GET", target }));
      expect(statuses.slice(0, 10)).not.toContain(429);
      expect(statuses[10]).toBe(429);
    },
  );

  test("with sign-ins from many addresses are refused together", async () => {
    await stack.restart({ REGISTRATIONS_PER_MINUTE: "6" });
    const { pathname, search } = (await createRawClient(stack.serverOrigin)).authorizeUrl();
    const statuses = await statusesOf(101, (n) =>
      sendRaw(stack.serverOrigin, {
        method: "GET",
        target: `${pathname}${search}`,
        headers: [["X-Forwarded-For", `203.0.113.${n}:50123`]],
      }),
    );
    expect(statuses).toEqual([...Array<number>(100).fill(303), 429]);
  });

  test.each(["/oauth/token", "/oauth/revoke"])(
    "with client ids at %s do not make this server fetch without end, and are told to wait",
    async (target) => {
      const document = await publishClientDocument();
      await stack.restart({ REGISTRATIONS_PER_MINUTE: "6", TRUSTED_CLIENT_HOSTS: document.host });
      const ask = (address: string, n: number) =>
        sendRaw(stack.serverOrigin, {
          target,
          headers: [
            ["Content-Type", "application/x-www-form-urlencoded"],
            ["X-Forwarded-For", address],
          ],
          body: new URLSearchParams({
            client_id: `https://${document.host}/${n}.json`,
            grant_type: "refresh_token",
            refresh_token: "x",
            token: "x",
          }).toString(),
        });
      const statuses = await statusesOf(10, (n) => ask("203.0.113.7:50123", n));
      expect(statuses).not.toContain(503);
      const refused = await ask("203.0.113.7:50123", 10);
      expect(refused.status).toBe(503);
      expect(refused.headers["retry-after"]).toBe("10");
      expect(JSON.parse(refused.body)).toMatchObject({ error: "temporarily_unavailable" });
      expect(document.requests).toBe(10);
      expect((await ask("203.0.113.8:50123", 10)).status).not.toBe(503);
      expect(document.requests).toBe(11);
      document.close();
    },
  );

  test.each(["state", "login_hint"])("with a long %s are refused, and nothing of it is kept", async (name) => {
    await stack.restart({});
    const client = await createRawClient(stack.serverOrigin);
    const begin = async (length: number) => {
      const { pathname, search } = client.authorizeUrl({ [name]: "x".repeat(length) });
      const { headers } = await sendRaw(stack.serverOrigin, { method: "GET", target: `${pathname}${search}` });
      return new URL(String(headers["location"]), stack.serverOrigin);
    };
    expect((await begin(2048)).pathname).toMatch(/^\/oauth\/sign-in\//);
    const refused = await begin(2049);
    expect(refused.origin + refused.pathname).toBe(client.redirectUri);
    expect(refused.searchParams.get("error")).toBe("invalid_request");
  });

  test("leave those alone who are signed in", async () => {
    await stack.restart({ REGISTRATIONS_PER_MINUTE: "6" });
    const client = await connect("sdk v2 (2026-07-28)", stack.mcpUrl, {
      oauth: new NewcomerSession(),
      signIn: (url) => signInAtBroker(url, ADELE),
    });
    await statusesOf(20, (n) => registerFrom(`203.0.113.${n}:50123`));
    expect((await client.call("get_my_profile")).structuredContent).toMatchObject({ upn: "AdeleV@contoso.com" });
    await client.close();
  });
});

test.each([
  ["203.0.113.7:50123", "10.0.0.1", "203.0.113.7"],
  ["192.0.2.1, ::ffff:203.0.113.7", "10.0.0.1", "203.0.113.7"],
  [undefined, "::ffff:203.0.113.7", "203.0.113.7"],
  ["no address", "2001:db8:1:2::9", "8193:3512:1:2"],
])("an address counts under one name: %s, from %s", async (forwarded, remoteAddress, name) => {
  const names: string[] = [];
  const noteName = async (given: string) => {
    names.push(given);
    return undefined;
  };
  const limit = { ofAddress: noteName, ofAll: async () => undefined };
  const { mayFetch } = limitStrangers({ registrations: limit, signIns: limit, trips: limit, documents: limit });
  const headers = forwarded === undefined ? {} : { "x-forwarded-for": forwarded };
  expect(await mayFetch({ headers, socket: { remoteAddress } } as unknown as IncomingMessage)).toBe(true);
  expect(names).toEqual([name]);
});
