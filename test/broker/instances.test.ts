import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test, vi } from "vitest";
import { type LocalCloud, startLocalCloud } from "../../emulators/local-cloud.ts";
import { createRawClient, NewcomerSession, reachConsent, signInAtBroker, type TokenAnswer } from "../support/broker.ts";
import { Browser } from "../support/browser.ts";
import { eventually } from "../support/eventually.ts";
import { type LoadBalancer, startLoadBalancer } from "../support/load-balancer.ts";
import { CLIENTS, connect, type McpClient } from "../support/mcp-clients.ts";
import { describeWithRedis, type Redis, startRedis } from "../support/redis.ts";
import { freePort, type ServerProcess, startServerProcess } from "../support/server-process.ts";

const ADELE = { as: "AdeleV" };
/** Three processes start on a machine that is busy with other tests. */
const SLOW_MS = 60_000;
const TOKEN_PATH = /\/oauth2\/v2\.0\/token/;

describeWithRedis("the broker as three instances with Redis", () => {
  let balancer: LoadBalancer;
  let cloud: LocalCloud;
  let redis: Redis;
  let servers: ServerProcess[] = [];
  const clients: McpClient[] = [];

  async function startServers(count: number): Promise<void> {
    const environment = {
      ...cloud.environment(),
      HOST: "127.0.0.1",
      REDIS_URL: redis.url,
      ALLOW_WRITES: "true",
      DRAIN_TIMEOUT_SECONDS: "0",
    };
    servers = await Promise.all(
      Array.from({ length: count }, async () =>
        startServerProcess({ ...environment, PORT: String(await freePort()), LOG_LEVEL: "debug" }),
      ),
    );
    balancer.use(servers.map(({ port }) => port));
  }

  async function restart(count = 3): Promise<void> {
    await Promise.all(servers.map((server) => server.stop()));
    await startServers(count);
  }

  beforeAll(async () => {
    [balancer, redis] = await Promise.all([startLoadBalancer(), startRedis()]);
    cloud = await startLocalCloud({
      certificates: inject("certificates"),
      serverOrigin: balancer.origin,
      broker: true,
    });
    await startServers(3);
  }, SLOW_MS);
  beforeEach(() => cloud.entra.traffic.clear());
  afterEach(async () => {
    cloud.entra.traffic.recover();
    cloud.keyVault.traffic.recover();
    redis.thaw();
    await Promise.all(clients.splice(0).map((client) => client.close()));
  });
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.stop()));
    await Promise.all([balancer.close(), redis.stop(), cloud.close()]);
  });

  async function signIn() {
    const raw = await createRawClient(balancer.origin);
    const code = (await signInAtBroker(raw.authorizeUrl(), ADELE)).searchParams.get("code") ?? "";
    return { raw, tokens: await raw.redeem(code) };
  }

  async function connectWith({ body }: TokenAnswer): Promise<McpClient> {
    const client = await connect("sdk v2 (2026-07-28)", cloud.mcpUrl, { token: body["access_token"] ?? "" });
    clients.push(client);
    return client;
  }

  test.each(CLIENTS)(
    "%s signs in, calls, and goes on after a restart without its person",
    async (kind) => {
      const oauth = new NewcomerSession();
      const client = await connect(kind, cloud.mcpUrl, { oauth, signIn: (url) => signInAtBroker(url, ADELE) });
      clients.push(client);
      expect((await client.call("get_my_profile")).structuredContent).toMatchObject({ upn: "AdeleV@contoso.com" });
      oauth.authorizationUrl = undefined;
      await restart();
      expect((await client.call("get_my_profile")).structuredContent).toMatchObject({ upn: "AdeleV@contoso.com" });

      // The access token is gone: the client refreshes by itself.
      const kept = oauth.tokens();
      if (!kept) throw new Error("No tokens.");
      oauth.saveTokens({ ...kept, access_token: "expired" });
      expect((await client.call("get_my_profile")).isError).toBeFalsy();
      expect(oauth.tokens()?.refresh_token).not.toBe(kept.refresh_token);
      expect(oauth.authorizationUrl).toBeUndefined();
    },
    SLOW_MS,
  );

  test("renew Entra's tokens once among them", async () => {
    const { tokens } = await signIn();
    const connected = await Promise.all([connectWith(tokens), connectWith(tokens), connectWith(tokens)]);
    cloud.entra.traffic.clear();
    const results = await Promise.all([...connected, ...connected].map((client) => client.call("get_my_profile")));
    expect(results.filter(({ isError }) => isError)).toEqual([]);
    expect(cloud.entra.traffic.count("POST", TOKEN_PATH)).toBe(1);
  });

  test("give tokens for a code to one of several that redeem it at once, and end its grant", async () => {
    const raw = await createRawClient(balancer.origin);
    const code = (await signInAtBroker(raw.authorizeUrl(), ADELE)).searchParams.get("code") ?? "";
    const answers = await Promise.all(Array.from({ length: 6 }, () => raw.redeem(code)));
    const given = answers.filter(({ status }) => status === 200);
    expect(given.length).toBeLessThanOrEqual(1);
    for (const { body } of given) {
      expect(await raw.refresh(body["refresh_token"] ?? "")).toMatchObject({ status: 400 });
    }
  });

  test(
    "honour what was signed before the key was rotated, and sign with the new one",
    async () => {
      const { raw, tokens } = await signIn();
      cloud.keyVault.setSecret("state-signing-key", "another secret of at least thirty-two bytes, for everything");
      await restart();
      expect((await (await connectWith(tokens)).call("get_my_profile")).isError).toBeFalsy();
      const next = await raw.refresh(tokens.body["refresh_token"] ?? "");
      expect(next.status).toBe(200);
      expect(keyIdOf(next)).not.toBe(keyIdOf(tokens));
      const keys = (await (await fetch(`${balancer.origin}/oauth/keys`)).json()) as { keys: { kid: string }[] };
      expect(keys.keys.map(({ kid }) => kid)).toEqual(expect.arrayContaining([keyIdOf(next), keyIdOf(tokens)]));
    },
    SLOW_MS,
  );

  test("keep nothing in Redis that anybody could use", async () => {
    const { raw, tokens } = await signIn();
    await (await connectWith(tokens)).call("get_my_profile");
    const kept = await dumpRedis(redis.url);
    expect(kept.length).toBeGreaterThan(100);
    for (const secret of [
      tokens.body["refresh_token"],
      tokens.body["access_token"],
      raw.clientId,
      "AdeleV",
      "access_token",
    ]) {
      expect(kept).not.toContain(secret);
    }
    // A JWT of any kind; its first three letters alone also come up in what is encrypted.
    expect(kept).not.toMatch(/eyJ[\w-]{10,}\.eyJ/);
  });

  test("keep Entra's tokens for five minutes until the code is redeemed, and then for as long as the grant", async () => {
    const before = new Set(Object.keys(await tokenLifetimes(redis.url)));
    const raw = await createRawClient(balancer.origin);
    const code = (await signInAtBroker(raw.authorizeUrl(), ADELE)).searchParams.get("code") ?? "";
    const key = Object.keys(await tokenLifetimes(redis.url)).find((name) => !before.has(name)) ?? "";
    const lifetimeMs = async () => (await tokenLifetimes(redis.url))[key] ?? 0;
    expect(await lifetimeMs()).toBeGreaterThan(4 * 60 * 1000);
    expect(await lifetimeMs()).toBeLessThanOrEqual(5 * 60 * 1000);
    expect((await raw.redeem(code)).status).toBe(200);
    expect(await lifetimeMs()).toBeGreaterThan(29 * 24 * 60 * 60 * 1000);
  });

  test(
    "say so while Redis is away, and go on where they were when it is back",
    async () => {
      const { raw, tokens } = await signIn();
      const client = await connectWith(tokens);
      const browser = new Browser();
      const pending = await createRawClient(balancer.origin);
      const page = await reachConsent(pending.authorizeUrl(), { ...ADELE, browser });
      await client.call("get_my_profile");
      redis.freeze();
      await expect(client.call("get_my_profile", {}, undefined, { timeoutMs: 12_000 })).rejects.toThrow(
        /503|cannot be checked/,
      );
      expect(await raw.refresh("x")).toMatchObject({ status: 503, body: { error: "temporarily_unavailable" } });
      redis.thaw();
      await eventually(async () => (await fetch(`${balancer.origin}/readyz`)).ok, "Redis is back");
      await eventually(
        async () => !(await client.call("get_my_profile").catch(() => ({ isError: true }))).isError,
        "calls work",
      );
      const [form] = page.forms;
      if (!form) throw new Error("No consent page.");
      const decided = await browser.submit(form, { button: "approve" }, ({ hostname }) => hostname !== "localhost");
      expect(decided.url.searchParams.get("code")).not.toBeNull();
      expect((await raw.refresh(tokens.body["refresh_token"] ?? "")).status).toBe(200);
    },
    SLOW_MS,
  );

  test(
    "start while Key Vault is away, say so to a browser, and sign people in when it is back",
    async () => {
      cloud.keyVault.traffic.fail({ kind: "status", status: 503 });
      await restart(1);
      const response = await fetch(`${balancer.origin}/oauth/authorize?client_id=x`);
      expect(response.status).toBe(503);
      expect(await response.text()).toContain("Try again in a minute");
      cloud.keyVault.traffic.recover();
      // A failed attempt is repeated every ten seconds.
      await vi.waitFor(async () => expect((await fetch(`${balancer.origin}/readyz`)).status).toBe(200), {
        timeout: 20_000,
        interval: 200,
      });
      expect((await signIn()).tokens.status).toBe(200);
    },
    SLOW_MS,
  );
});

function keyIdOf({ body }: TokenAnswer): string {
  const [header = ""] = (body["access_token"] ?? "").split(".");
  return (JSON.parse(Buffer.from(header, "base64url").toString()) as { kid: string }).kid;
}

/** How long Entra's tokens of each grant are kept from now on, in milliseconds. */
async function tokenLifetimes(url: string): Promise<Record<string, number>> {
  const { createClient } = await import("redis");
  const client = createClient({ url });
  await client.connect();
  const keys = await client.keys("broker:entra:*");
  const found = await Promise.all(keys.map(async (key) => [key, await client.pTTL(key)] as const));
  client.destroy();
  return Object.fromEntries(found);
}

/** Every key and value of the broker, as one text. */
async function dumpRedis(url: string): Promise<string> {
  const { createClient } = await import("redis");
  const client = createClient({ url });
  await client.connect();
  const parts: string[] = [];
  for (const key of await client.keys("broker:*")) {
    const isSet = (await client.type(key)) === "set";
    parts.push(key, isSet ? (await client.sMembers(key)).join(" ") : ((await client.get(key)) ?? ""));
  }
  client.destroy();
  return parts.join("\n");
}
