import { afterAll, afterEach, beforeAll, expect, inject, test } from "vitest";
import { type LocalCloud, startLocalCloud } from "../../emulators/local-cloud.ts";
import { createRawClient, reachConsent, register, signInAtBroker } from "../support/broker.ts";
import { answerSignIn, Browser, type Form, type Page } from "../support/browser.ts";
import { eventually } from "../support/eventually.ts";
import { connect } from "../support/mcp-clients.ts";
import { describeWithRedis, type Redis, startRedis } from "../support/redis.ts";
import { freePort, type ServerProcess, startServerProcess } from "../support/server-process.ts";

const ADELE = { as: "AdeleV" };
const SLOW_MS = 60_000;
const MFA_CLAIMS = '{"access_token":{"capolids":{"essential":true,"values":["b1c7a0de-52c4-4d35-9d6a-7f0e2c8a9b13"]}}}';

const isOutside = ({ hostname }: URL) => hostname !== "localhost";

describeWithRedis("what the broker needs", () => {
  let cloud: LocalCloud;
  let redis: Redis;
  let server: ServerProcess;
  let origin = "";
  let port = 0;

  const start = () =>
    startServerProcess({
      ...cloud.environment(),
      HOST: "127.0.0.1",
      PORT: String(port),
      REDIS_URL: redis.url,
      DRAIN_TIMEOUT_SECONDS: "0",
    });
  const isReady = async () => (await fetch(`${origin}/readyz`)).ok;

  beforeAll(async () => {
    port = await freePort();
    origin = `http://localhost:${port}`;
    redis = await startRedis();
    cloud = await startLocalCloud({ certificates: inject("certificates"), serverOrigin: origin, broker: true });
    server = await start();
  }, SLOW_MS);
  afterEach(() => {
    cloud.keyVault.traffic.recover();
    redis.thaw();
  });
  afterAll(async () => {
    await server.stop();
    await Promise.all([redis.stop(), cloud.close()]);
  });

  /** One browser on its way through each page. */
  async function reachEveryPage() {
    const stepUp = await challenge();
    const client = await createRawClient(origin);
    const begun = new Browser();
    const signInPage = await begun.open((await createRawClient(origin)).authorizeUrl(), isSignIn);
    const returning = new Browser();
    const atEntra = await returning.open((await createRawClient(origin)).authorizeUrl());
    const callback = await answerSignIn(returning, atEntra, ADELE, isCallback);
    const deciding = new Browser();
    const consent = await reachConsent((await createRawClient(origin)).authorizeUrl(), { ...ADELE, browser: deciding });
    const visiting = new Browser();
    const own = await answerSignIn(visiting, await visiting.open(`${origin}/oauth/connections`), ADELE);
    const form = formOf(consent);
    return {
      pages: {
        authorize: () => new Browser().open(client.authorizeUrl()),
        "sign-in": () => begun.open(signInPage.url),
        callback: () => returning.open(callback.url),
        consent: () => deciding.open(consent.url),
        approve: () => deciding.submit(form, { button: "approve" }, isOutside),
        connections: () => visiting.open(own.url),
        end: () => visiting.submit(formOf(own), { button: formOf(own).buttons[0]?.value ?? "" }),
        "step-up": () => new Browser().open(stepUp),
      } satisfies Record<string, () => Promise<Page>>,
      approve: () => deciding.submit(form, { button: "approve" }, isOutside),
    };
  }

  /** The address at which a person meets a claims challenge. */
  async function challenge(): Promise<string> {
    const raw = await createRawClient(origin);
    const code = (await signInAtBroker(raw.authorizeUrl(), ADELE)).searchParams.get("code") ?? "";
    const token = (await raw.redeem(code)).body["access_token"] ?? "";
    const client = await connect("sdk v2 (2026-07-28)", cloud.mcpUrl, { token });
    cloud.graph.switches["graph.requireClaims"] = MFA_CLAIMS;
    const refused = await client.call("get_my_profile");
    cloud.graph.switches["graph.requireClaims"] = undefined;
    await client.close();
    const error = refused._meta?.["azure-graph-mcp/error"] as { signInUrl: string } | undefined;
    return error?.signInUrl ?? "";
  }

  const NOT_NOW = { status: 503, title: "Not now", retryAfter: "10" };
  const TRY_AGAIN = { status: 503, error: "temporarily_unavailable", retryAfter: "10" };

  async function openAll(pages: Readonly<Record<string, () => Promise<Page>>>) {
    const opened = Object.entries(pages).map(async ([name, open]) => {
      const { status, html, headers } = await open();
      return [name, { status, title: titleOf(html), retryAfter: headers.get("retry-after") }];
    });
    return Object.fromEntries(await Promise.all(opened)) as Record<string, unknown>;
  }

  test(
    "is Redis: without it every page says so, and a sign-in goes on when it is back",
    async () => {
      const { pages, approve } = await reachEveryPage();
      redis.freeze();
      const answers = await openAll(pages);
      expect(answers).toEqual(Object.fromEntries(Object.keys(pages).map((name) => [name, NOT_NOW])));
      redis.thaw();
      await eventually(isReady, "Redis is back");
      await eventually(async () => (await approve()).url.searchParams.has("code"), "the approval counts");
    },
    SLOW_MS,
  );

  test(
    "is Key Vault: a server that starts without it answers browsers with a page and clients with JSON",
    async () => {
      const { pages, approve } = await reachEveryPage();
      const client = await createRawClient(origin);
      await server.stop();
      cloud.keyVault.traffic.fail({ kind: "status", status: 503 });
      server = await start();
      const answers = await openAll(pages);
      expect(answers).toEqual(Object.fromEntries(Object.keys(pages).map((name) => [name, NOT_NOW])));

      const endpoints = {
        metadata: () => fetch(`${origin}/.well-known/oauth-authorization-server`),
        keys: () => fetch(`${origin}/oauth/keys`),
        registration: () => register(origin),
        token: () => fetch(`${origin}/oauth/token`, { method: "POST", body: new URLSearchParams({ code: "x" }) }),
        revocation: () => client.revoke("x"),
      };
      const told = Object.entries(endpoints).map(async ([name, ask]) => {
        const response = await ask();
        const { error } = (await response.json()) as { error: string };
        return [name, { status: response.status, error, retryAfter: response.headers.get("retry-after") }];
      });
      const expected = Object.keys(endpoints).map((name) => [name, TRY_AGAIN]);
      expect(Object.fromEntries(await Promise.all(told))).toEqual(Object.fromEntries(expected));

      cloud.keyVault.traffic.recover();
      // A failed attempt is repeated every ten seconds.
      await expect.poll(isReady, { timeout: 20_000, interval: 200 }).toBe(true);
      expect((await approve()).url.searchParams.has("code")).toBe(true);
    },
    SLOW_MS,
  );
});

const isSignIn = ({ pathname }: URL) => pathname.startsWith("/oauth/sign-in/");
const isCallback = ({ pathname }: URL) => pathname === "/oauth/entra/callback";
const titleOf = (html: string) => /<title>(.*)<\/title>/.exec(html)?.[1];

function formOf({ status, html, forms: [form] }: Page): Form {
  if (!form) throw new Error(`No form: ${status} ${html}`);
  return form;
}
