import express from "express";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Listener, listen } from "../../emulators/kernel/listener.ts";
import { createBroker } from "../../src/broker/index.ts";
import type { BrokerStore } from "../../src/broker/store.ts";
import { createProcessKeyRing } from "../../src/mcp/key-ring.ts";
import { createInProcessStore } from "../../src/platform/in-process-store.ts";
import { createRawClient, type RawClient, signInAtBroker } from "../support/broker.ts";
import { ADELE } from "../support/callers.ts";
import { createRecordedLog } from "../support/recorded-log.ts";

let listener: Listener;
let client: RawClient;
/** Kind of entry that cannot be written the next time. */
let failing: string | undefined;

beforeEach(async () => {
  failing = undefined;
  const app = express();
  listener = await listen("the broker", app);
  app.use(openBroker(`${listener.origin}/mcp`));
  client = await createRawClient(listener.origin);
});
afterEach(() => listener.close());

function openBroker(mcpUrl: string) {
  const { tenantId, userId } = ADELE;
  const tokens = { accessToken: "t", expiresAt: Date.now() + 3_600_000, permissions: "", cache: "{}", roles: [] };
  const uncounted = async () => undefined;
  const never = { ofAddress: uncounted, ofAll: uncounted };
  return createBroker({
    mcpUrl,
    scope: "user_impersonation",
    allowedRedirects: [],
    store: failingStore(),
    keyRing: createProcessKeyRing(),
    entra: {
      tenant: tenantId,
      authorizeUrl: ({ state }) => `${new URL(mcpUrl).origin}/oauth/entra/callback?state=${state}&code=c`,
      redeem: async () => ({ ...tokens, account: { tenantId, userId, username: "AdeleV@contoso.com" } }),
      refresh: async () => tokens,
    },
    fetchDocument: () => Promise.reject(new Error("unreachable")),
    strangers: { registrations: never, signIns: never, trips: never, documents: never },
    offeredTools: () => [],
    allPermissions: () => [],
    adminConsent: () => "",
    timeoutMs: 1_000,
    audit: () => undefined,
    log: createRecordedLog(),
  }).router;
}

function failingStore(): BrokerStore {
  const store = createInProcessStore();
  return {
    ...store,
    async set(key, value, ttlMs) {
      if (failing !== undefined && key.includes(`:${failing}:`)) {
        failing = undefined;
        throw new Error("The store is away.");
      }
      await store.set(key, value, ttlMs);
    },
  };
}

async function signIn(): Promise<string> {
  const callback = await signInAtBroker(client.authorizeUrl(), { as: "AdeleV" });
  return callback.searchParams.get("code") ?? "";
}

test("a refresh that the store fails half-way can be tried again, once", async () => {
  const { body } = await client.redeem(await signIn());
  const token = body["refresh_token"] ?? "";
  failing = "RefreshToken";
  expect(await client.refresh(token)).toMatchObject({ status: 503, body: { error: "temporarily_unavailable" } });

  const again = await client.refresh(token);
  expect(again).toMatchObject({ status: 200, body: { refresh_token: expect.any(String) } });
  expect(await client.refresh(token)).toMatchObject({ status: 400, body: { error: "invalid_grant" } });
});

test("a code that the store fails half-way can be redeemed again, once", async () => {
  const code = await signIn();
  failing = "RefreshToken";
  expect(await client.redeem(code)).toMatchObject({ status: 503, body: { error: "temporarily_unavailable" } });

  expect((await client.redeem(code)).status).toBe(200);
  expect(await client.redeem(code)).toMatchObject({ status: 400, body: { error: "invalid_grant" } });
});
