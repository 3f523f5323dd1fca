import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { createRawClient, signInAtBroker } from "../support/broker.ts";
import { Browser } from "../support/browser.ts";
import { type ClientDocument, type DocumentAnswer, publishClientDocument } from "../support/client-document.ts";
import { connect } from "../support/mcp-clients.ts";
import { describeWithRedis, type Redis, startRedis } from "../support/redis.ts";
import { type Stack, startStack } from "../support/stack.ts";

const ADELE = { as: "AdeleV" };
/** Processes start again on a machine that is busy with other tests. */
const SLOW_MS = 60_000;
const REDIRECT_URI = "http://127.0.0.1/callback";

let document: ClientDocument;
beforeAll(async () => {
  document = await publishClientDocument();
});
afterAll(() => document.close());
afterEach(() => {
  document.answer = {};
});

describe("a client with a metadata document is refused on a page, and nobody is sent on,", () => {
  let stack: Stack;
  let stranger: ClientDocument;
  let documents = 0;
  beforeAll(async () => {
    stranger = await publishClientDocument();
    stack = await startStack("broker", { TRUSTED_CLIENT_HOSTS: document.host });
  });
  afterAll(async () => {
    await stack.close();
    stranger.close();
  });

  async function open(answer: DocumentAnswer, redirectUri = REDIRECT_URI, host = document.host) {
    document.answer = answer;
    // One that the server does not know yet.
    const clientId = `https://${host}/${documents++}.json`;
    const client = await createRawClient(stack.serverOrigin, { clientId, redirectUri });
    const { url, status, html } = await new Browser().open(client.authorizeUrl());
    return { origin: url.origin, status, html };
  }

  const refusal = () => ({
    origin: stack.serverOrigin,
    status: 400,
    html: expect.stringContaining("This sign-in cannot go on") as string,
  });

  test("when it is at a private address, which is not asked", async () => {
    expect(await open({}, REDIRECT_URI, stranger.host)).toEqual(refusal());
    expect(stranger.requests).toBe(0);
  });

  test("when it redirects, which is not followed", async () => {
    expect(await open({ status: 302, headers: { location: stranger.url } })).toEqual(refusal());
    expect(stranger.requests).toBe(0);
  });

  test.each([
    "javascript:alert(1)//",
    "data:text/html,hello",
    "https://elsewhere.example/callback",
    "http://elsewhere.example/callback",
    "http://localhost@elsewhere.example/callback",
  ])("when one of its redirect URIs is %s, whichever it asks for", async (redirectUri) => {
    const fields = { redirect_uris: [REDIRECT_URI, redirectUri] };
    expect(await open({ fields }, redirectUri)).toEqual(refusal());
    expect(await open({ fields }, REDIRECT_URI)).toEqual(refusal());
  });

  test.each([
    ["is of another client", { client_id: "https://elsewhere.example/client.json" }],
    ["holds a secret", { client_secret: "x", token_endpoint_auth_method: "client_secret_post" }],
    ["is too long", { contacts: ["x".repeat(9_000)] }],
  ])("when it %s", async (_what, fields) => {
    expect(await open({ fields })).toEqual(refusal());
  });

  test("but not when it is as it should be", async () => {
    expect((await open({})).origin).toBe(stack.entra.httpOrigin);
  });
});

describeWithRedis("while a metadata document cannot be had (Redis over TLS)", () => {
  let stack: Stack;
  let redis: Redis;
  const settings = ({ host }: ClientDocument) => ({
    TRUSTED_CLIENT_HOSTS: host,
    REDIS_URL: redis.url,
    DRAIN_TIMEOUT_SECONDS: "0",
  });
  beforeAll(async () => {
    redis = await startRedis({
      certificates: inject("certificates"),
      users: ["user default off", `user ${CONTOSO.managedIdentityPrincipalId} on nopass ~* &* +@all`],
    });
    stack = await startStack("broker", settings(document));
  });
  afterAll(async () => {
    await stack.close();
    await redis.stop();
  });

  async function signIn() {
    const client = await createRawClient(stack.serverOrigin, { clientId: document.url, redirectUri: REDIRECT_URI });
    const code = (await signInAtBroker(client.authorizeUrl(), ADELE)).searchParams.get("code") ?? "";
    return { client, refreshToken: (await client.redeem(code)).body["refresh_token"] ?? "" };
  }

  test.each<[string, DocumentAnswer]>([
    ["fails", { status: 503 }],
    ["cannot be reached", { resets: true }],
    ["redirects", { status: 302, headers: { location: "https://elsewhere.example/sorry" } }],
  ])(
    "because its host %s, who is signed in stays so, also after a restart",
    async (_what, answer) => {
      const { client, refreshToken } = await signIn();
      document.answer = answer;
      await stack.restart();
      const before = document.requests;
      const next = await client.refresh(refreshToken);
      expect(document.requests).toBe(before + 1);
      expect(next.status).toBe(200);
      const connected = await connect("sdk v2 (2026-07-28)", stack.mcpUrl, { token: next.body["access_token"] ?? "" });
      expect((await connected.call("get_my_profile")).isError).toBeFalsy();
      await connected.close();
    },
    SLOW_MS,
  );

  test(
    "because its publisher says 410, the client is refused, also when its host fails later",
    async () => {
      const { client, refreshToken } = await signIn();
      for (const status of [410, 503]) {
        document.answer = { status };
        await stack.restart();
        expect(await client.refresh(refreshToken)).toMatchObject({ status: 400, body: { error: "invalid_client" } });
      }
    },
    SLOW_MS,
  );

  test(
    "because it is no good any more, an older one does not take its place, also when its host fails later",
    async () => {
      const { client, refreshToken } = await signIn();
      document.answer = { fields: { redirect_uris: ["https://elsewhere.example/callback"] } };
      await stack.restart();
      expect((await client.refresh(refreshToken)).status).toBe(400);
      document.answer = { status: 503 };
      await stack.restart();
      expect((await client.refresh(refreshToken)).status).toBe(400);
    },
    SLOW_MS,
  );

  test(
    "who is signed in is not refused because others from the same address name documents without end",
    async () => {
      const { client, refreshToken } = await signIn();
      await stack.restart({ ...settings(document), REGISTRATIONS_PER_MINUTE: "6" });
      const refreshAs = async (name: string) => {
        const clientId = `https://${document.host}/${name}.json`;
        const stranger = await createRawClient(stack.serverOrigin, { clientId, redirectUri: REDIRECT_URI });
        return (await stranger.refresh("x")).body["error"];
      };
      const errors: unknown[] = [];
      for (let n = 0; n < 11; n++) errors.push(await refreshAs(`flood-${n}`));
      expect(errors).toEqual([...Array<string>(10).fill("invalid_grant"), "temporarily_unavailable"]);
      expect((await client.refresh(refreshToken)).status).toBe(200);
    },
    SLOW_MS,
  );

  test(
    "a client that nobody is signed in with is not known",
    async () => {
      const stranger = await publishClientDocument();
      await stack.restart(settings(stranger));
      const client = await createRawClient(stack.serverOrigin, { clientId: stranger.url, redirectUri: REDIRECT_URI });
      expect((await client.refresh("x")).body).toMatchObject({ error: "invalid_grant" });
      stranger.answer = { status: 503 };
      await stack.restart(settings(stranger));
      expect((await client.refresh("x")).body).toMatchObject({ error: "invalid_client" });
      stranger.close();
    },
    SLOW_MS,
  );
});
