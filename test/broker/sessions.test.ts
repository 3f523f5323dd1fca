import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { people } from "../../emulators/contoso/users.ts";
import {
  createRawClient,
  NewcomerSession,
  type RawClient,
  reachConsent,
  signInAtBroker,
  type TokenAnswer,
} from "../support/broker.ts";
import { answerSignIn, Browser } from "../support/browser.ts";
import { eventually } from "../support/eventually.ts";
import { type CallResult, connect, type McpClient } from "../support/mcp-clients.ts";
import { type Stack, startStack } from "../support/stack.ts";

/** Forty sign-ins take a while on a machine that is busy with other tests. */
const SLOW_MS = 60_000;
const ERROR = "azure-graph-mcp/error";
const MFA_CLAIMS = '{"access_token":{"capolids":{"essential":true,"values":["b1c7a0de-52c4-4d35-9d6a-7f0e2c8a9b13"]}}}';
const TOKEN_PATH = /\/oauth2\/v2\.0\/token/;

let stack: Stack;
const clients: McpClient[] = [];
beforeAll(async () => {
  stack = await startStack("broker", { ALLOW_WRITES: "true" });
});
afterAll(() => stack.close());
afterEach(async () => {
  for (const { traffic } of [stack.graph, stack.entra, stack.keyVault]) {
    traffic.recover();
    traffic.clear();
  }
  stack.graph.switches["graph.requireClaims"] = undefined;
  await Promise.all(clients.splice(0).map((client) => client.close()));
});

const exchanges = () => stack.entra.traffic.count("POST", TOKEN_PATH);

/** Signs somebody in as a client of their own, and connects with the token. */
async function signInAs(user: string) {
  const raw = await createRawClient(stack.serverOrigin);
  const code = (await signInAtBroker(raw.authorizeUrl(), { as: user })).searchParams.get("code") ?? "";
  const tokens = await raw.redeem(code);
  return { raw, tokens, client: await connectWith(tokens) };
}

async function connectWith({ body }: TokenAnswer): Promise<McpClient> {
  const client = await connect("sdk v2 (2026-07-28)", stack.mcpUrl, { token: body["access_token"] ?? "" });
  clients.push(client);
  return client;
}

const refreshTokenOf = ({ body }: TokenAnswer) => body["refresh_token"] ?? "";

describe("the person behind a token of the broker", () => {
  test("has the tools of their roles, as in the other modes", async () => {
    const [adele, diego] = [await signInAs("AdeleV"), await signInAs("DiegoS")];
    const namesOf = async (client: McpClient) => (await client.listTools()).map(({ name }) => name);
    const [writer, reader] = [await namesOf(adele.client), await namesOf(diego.client)];
    expect(reader.length).toBeGreaterThan(5);
    expect(writer).toEqual(expect.arrayContaining(reader));
    expect(writer.length).toBeGreaterThan(reader.length);
  });

  test("loses a role with the next token, once Entra has said so", async () => {
    const { raw, tokens, client } = await signInAs("AlexW");
    const assigned = stack.tenant.roleAssignments;
    stack.tenant.roleAssignments = assigned.filter(({ userId }) => !isAlex(userId));
    // The first call renews the token, because a writer's has more permissions; the answer brings the roles.
    expect((await client.call("get_my_profile")).isError).toBeFalsy();
    const later = await connectWith(await raw.refresh(refreshTokenOf(tokens)));
    const readable = (await later.listTools()).map(({ name }) => name);
    stack.tenant.roleAssignments = assigned;
    expect(readable.length).toBeLessThan((await client.listTools()).length);
  });

  test("is audited with the client that acts for them", async () => {
    const { raw, client } = await signInAs("AdeleV");
    await client.call("get_my_profile");
    await vi.waitFor(() =>
      expect(stack.server.log).toContainEqual(
        expect.objectContaining({
          audit: "tool_call",
          decision: "allowed",
          clientId: raw.clientId,
          userId: people.normal.id,
        }),
      ),
    );
  });

  test("sees on the consent page which tools the client will have, and which of them change data", async () => {
    const raw = await createRawClient(stack.serverOrigin);
    const { html } = await reachConsent(raw.authorizeUrl(), { as: "AdeleV" });
    expect(html).toContain("AdeleV@contoso.com");
    expect(html).toContain("These change data, each time after asking you");
    const other = await createRawClient(stack.serverOrigin);
    expect((await reachConsent(other.authorizeUrl(), { as: "DiegoS" })).html).not.toContain("These change data");
  });
});

describe("Entra's tokens", () => {
  test("are asked for with the permissions of the toolsets, by the managed identity's assertion, and with PKCE", async () => {
    const raw = await createRawClient(stack.serverOrigin);
    await signInAtBroker(raw.authorizeUrl(), { as: "AdeleV" });
    const authorize = stack.entra.traffic.requests.find(({ url }) => url.includes("/oauth2/v2.0/authorize"));
    const { searchParams } = new URL(authorize?.url ?? "", "http://x");
    expect(searchParams.get("client_id")).toBe(CONTOSO.serverAppId);
    expect(searchParams.get("code_challenge_method")).toBe("S256");
    expect(searchParams.get("nonce")).toMatch(/^[\w-]{43}$/);
    const scopes = (searchParams.get("scope") ?? "").split(" ");
    expect(scopes).toContain(`${stack.graph.origin}/Mail.Read`);
    expect(scopes).not.toContain(`${stack.graph.origin}/User.Read.All`);
  });

  test("are renewed once for many calls at once", async () => {
    const { client } = await signInAs("AdeleV");
    stack.entra.traffic.clear();
    const results = await Promise.all(Array.from({ length: 8 }, () => client.call("get_my_profile")));
    expect(results.filter(({ isError }) => isError)).toEqual([]);
    expect(exchanges()).toBe(1);
    await client.call("get_my_profile");
    expect(exchanges()).toBe(1);
  });

  test.each(["invalid_grant", "interaction_required", "login_required"])(
    "that Entra does not renew any more (%s) end the sign-in, and the client starts another",
    async (error) => {
      const oauth = new NewcomerSession();
      const client = await connect("sdk v2 (2026-07-28)", stack.mcpUrl, {
        oauth,
        signIn: (url) => signInAtBroker(url, { as: "AdeleV" }),
      });
      clients.push(client);
      const body = { error, error_description: "AADSTS700082: expired", error_codes: [700082] };
      stack.entra.traffic.fail({ kind: "status", status: 400, body }, { path: TOKEN_PATH });
      const refused = await client.call("get_my_profile");
      expect(refused.isError).toBe(true);
      expect(refused._meta?.[ERROR]).toMatchObject({ code: "interaction_required" });
      expect(refused.content[0]?.text).toContain("Sign in again.");
      stack.entra.traffic.recover();
      oauth.authorizationUrl = undefined;
      await expect(client.call("get_my_profile")).rejects.toThrow("Unauthorized");
      expect(oauth.authorizationUrl).toBeDefined();
    },
  );

  test("survive Entra's absence: the call says so, and the next one works", async () => {
    const { client } = await signInAs("AdeleV");
    stack.entra.traffic.fail({ kind: "status", status: 503 }, { path: TOKEN_PATH });
    expect((await client.call("get_my_profile"))._meta?.[ERROR]).toMatchObject({ code: "unavailable" });
    stack.entra.traffic.recover();
    expect((await client.call("get_my_profile")).isError).toBeFalsy();
  });

  test("are renewed with a challenge of Graph's, and where that is not enough the person completes it in a browser", async () => {
    const { client } = await signInAs("AdeleV");
    await client.call("get_my_profile");
    stack.graph.switches["graph.requireClaims"] = MFA_CLAIMS;
    const refused = await client.call("get_my_profile");
    stack.graph.switches["graph.requireClaims"] = undefined;
    const meta = refused._meta?.[ERROR] as { code: string; claims: string; signInUrl: string };
    expect(meta).toMatchObject({ code: "interaction_required", claims: MFA_CLAIMS });
    expect(meta.signInUrl).toMatch(new RegExp(`^${stack.serverOrigin}/oauth/step-up/[\\w-]{43}$`));
    expect(refused.content[0]?.text).toContain(`Open ${meta.signInUrl} to complete it`);

    const stranger = new Browser();
    const wrong = await answerSignIn(stranger, await stranger.open(meta.signInUrl), { as: "AlexW" });
    expect(wrong.status).toBe(403);

    const browser = new Browser();
    const atEntra = await browser.open(meta.signInUrl);
    expect(atEntra.url.searchParams.get("claims")).toContain("capolids");
    expect((await answerSignIn(browser, atEntra, { as: "AdeleV", mfa: true })).html).toContain("Done");
    expect((await client.call("get_my_profile")).isError).toBeFalsy();
  });

  test("of a person who consented to nothing are had by their consent at Entra", async () => {
    const { client } = await signInAs("LeeG");
    expect((await client.call("get_my_profile")).structuredContent).toMatchObject({ upn: "LeeG@contoso.com" });
  });
});

describe("a permission that nobody allowed yet", () => {
  const LEE = "5bde3e51-d13b-4db1-9948-fe4b109d11a7";
  const revokeMail = () => {
    stack.tenant.grants = stack.tenant.grants.map((grant) =>
      grant.userId === LEE ? { ...grant, scopes: grant.scopes.filter((scope) => !scope.startsWith("Mail.")) } : grant,
    );
  };

  test("is asked for where the person allows it, and their sign-in goes on", async () => {
    const { client } = await signInAs("LeeG");
    revokeMail();
    const refused = await client.call("search_messages", { query: "budget" });
    const consentUrl = consentUrlOf(refused);
    expect(refused._meta?.[ERROR]).toMatchObject({ code: "consent_required", aadsts: "AADSTS65001" });
    expect(consentUrl).toMatch(new RegExp(`^${stack.serverOrigin}/oauth/step-up/[\\w-]{43}$`));
    expect(refused.content[0]?.text).toContain(
      `Allow it yourself: ${consentUrl} . An administrator can allow it for everyone: ${stack.entra.httpOrigin}/${CONTOSO.tenantId}/adminconsent`,
    );

    const browser = new Browser();
    const shown = await answerSignIn(browser, await browser.open(consentUrl), { as: "LeeG" });
    expect(shown.html).toContain("Go back to your client and try again.");
    expect((await client.call("search_messages", { query: "budget" })).isError).toBeFalsy();
  });

  test("and that the person declines is asked for again at the next call", async () => {
    const { client } = await signInAs("LeeG");
    revokeMail();
    const urlOf = async () => consentUrlOf(await client.call("search_messages", { query: "budget" }));
    const first = await urlOf();
    const browser = new Browser();
    const shown = await answerSignIn(browser, await browser.open(first), { as: "LeeG", consent: false });
    expect(shown.html).not.toContain("Done");
    expect(await urlOf()).not.toBe(first);
    expect((await client.call("get_my_profile")).isError).toBeFalsy();
  });
});

describe("a sign-in ends", () => {
  async function expectEnded(raw: RawClient, tokens: TokenAnswer, client: McpClient): Promise<void> {
    await expect(client.call("get_my_profile")).rejects.toThrow("This sign-in has ended.");
    expect(await raw.refresh(refreshTokenOf(tokens))).toMatchObject({ status: 400, body: { error: "invalid_grant" } });
  }

  test("when the client revokes its refresh token", async () => {
    const { raw, tokens, client } = await signInAs("AdeleV");
    expect((await raw.revoke(refreshTokenOf(tokens))).status).toBe(200);
    await expectEnded(raw, tokens, client);
  });

  test("while its tokens are being renewed, and what comes of that is thrown away", async () => {
    const { raw, tokens, client } = await signInAs("AdeleV");
    stack.entra.traffic.clear();
    stack.graph.traffic.clear();
    stack.entra.traffic.fail({ kind: "delay", ms: 2_000 }, { path: TOKEN_PATH });
    const calling = client.call("get_my_profile");
    await eventually(() => exchanges() === 1, "the renewal has begun");
    await raw.revoke(refreshTokenOf(tokens));
    const { isError, content } = await calling;
    expect(isError).toBe(true);
    expect(content[0]?.text).toContain("This sign-in has ended. Sign in again in your client.");
    expect(stack.graph.traffic.requests).toEqual([]);
    await expectEnded(raw, tokens, client);
  });

  test("when the client revokes its access token", async () => {
    const { raw, tokens, client } = await signInAs("AdeleV");
    const answer = await raw.revoke(tokens.body["access_token"] ?? "");
    expect({ status: answer.status, body: await answer.text() }).toEqual({ status: 200, body: "" });
    await expectEnded(raw, tokens, client);
  });

  test("but not for an access token that another client revokes, or that is not valid: the answer is the same", async () => {
    const { raw, tokens, client } = await signInAs("AdeleV");
    const other = await createRawClient(stack.serverOrigin);
    const token = tokens.body["access_token"] ?? "";
    const changed = `${token.slice(0, -5)}${token.at(-5) === "A" ? "B" : "A"}${token.slice(-4)}`;
    const answers = [await other.revoke(token), await raw.revoke(changed)];
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect((await client.call("get_my_profile")).isError).toBeFalsy();
  });

  test("when the person ends it on their page, which is theirs alone", async () => {
    const { raw, tokens, client } = await signInAs("AdeleV");
    const page = async (user: string) => {
      const browser = new Browser();
      const url = `${stack.serverOrigin}/oauth/connections`;
      return { browser, shown: await answerSignIn(browser, await browser.open(url), { as: user }) };
    };
    const stranger = await page("AlexW");
    expect(stranger.shown.html).toContain("AlexW@contoso.com");
    const own = await page("AdeleV");
    expect(own.shown.html).toContain("Tests");
    const mine = own.shown.forms.at(-1);
    if (!mine) throw new Error("Nothing to end.");
    const withoutToken = await own.browser.submit(
      { ...mine, fields: { csrf: "a".repeat(43) } },
      { button: mine.buttons[0]?.value ?? "" },
    );
    expect(withoutToken.status).toBe(400);
    for (const form of own.shown.forms) {
      await own.browser.submit(form, { button: form.buttons[0]?.value ?? "" });
    }
    await expectEnded(raw, tokens, client);
  });

  test(
    "when the same client has redeemed twenty newer ones, and not because that many were approved and never redeemed",
    async () => {
      const { raw, tokens } = await signInAs("AdeleV");
      const approve = async () => (await signInAtBroker(raw.authorizeUrl(), { as: "AdeleV" })).searchParams.get("code");
      for (let n = 0; n < 21; n++) await approve();
      const next = await raw.refresh(refreshTokenOf(tokens));
      expect(next.status).toBe(200);
      for (let n = 0; n < 20; n++) expect((await raw.redeem((await approve()) ?? "")).status).toBe(200);
      expect(await raw.refresh(refreshTokenOf(next))).toMatchObject({ status: 400, body: { error: "invalid_grant" } });
      await vi.waitFor(() =>
        expect(stack.server.log).toContainEqual(
          expect.objectContaining({
            audit: "grant",
            decision: "ended",
            reason: "too_many",
            clientId: raw.clientId,
            requestId: expect.stringMatching(/^[\w-]{36}$/) as string,
          }),
        ),
      );
    },
    SLOW_MS,
  );

  test("but a refresh goes on while Entra's tokens do", async () => {
    const { raw, tokens } = await signInAs("AdeleV");
    const next = await raw.refresh(refreshTokenOf(tokens));
    expect(next.status).toBe(200);
    expect((await (await connectWith(next)).call("get_my_profile")).isError).toBeFalsy();
  });
});

describe("a key that is rotated while the server runs", () => {
  const keyIdOf = ({ body }: TokenAnswer) => headerOf(body["access_token"] ?? "")["kid"];

  test("signs the next token, and what the old one signed goes on: tokens, and a sign-in that is under way", async () => {
    const { raw, tokens, client } = await signInAs("AdeleV");
    const pending = await createRawClient(stack.serverOrigin);
    const browser = new Browser();
    const page = await reachConsent(pending.authorizeUrl(), { as: "AdeleV", browser });

    stack.keyVault.setSecret("state-signing-key", "another secret of at least thirty-two bytes, for everything");
    // A key id that nobody knows makes the server look for new keys at once.
    const unknown = Buffer.from(JSON.stringify({ ...headerOf(tokens.body["access_token"] ?? ""), kid: "new" }));
    const [, payload, signature] = (tokens.body["access_token"] ?? "").split(".");
    const authorization = `Bearer ${unknown.toString("base64url")}.${payload}.${signature}`;
    expect((await fetch(stack.mcpUrl, { method: "POST", headers: { authorization } })).status).toBe(401);

    const next = await raw.refresh(refreshTokenOf(tokens));
    expect(next.status).toBe(200);
    expect(keyIdOf(next)).not.toBe(keyIdOf(tokens));
    const published = (await (await fetch(`${stack.serverOrigin}/oauth/keys`)).json()) as { keys: { kid: string }[] };
    expect(published.keys.map(({ kid }) => kid)).toEqual([keyIdOf(next), keyIdOf(tokens)]);
    expect((await client.call("get_my_profile")).isError).toBeFalsy();
    const [form] = page.forms;
    if (!form) throw new Error("No consent page.");
    const decided = await browser.submit(form, { button: "approve" }, ({ hostname }) => hostname !== "localhost");
    const last = await pending.redeem(decided.url.searchParams.get("code") ?? "");
    expect(keyIdOf(last)).toBe(keyIdOf(next));
  });
});

function headerOf(token: string): Record<string, string> {
  const [header = ""] = token.split(".");
  return JSON.parse(Buffer.from(header, "base64url").toString()) as Record<string, string>;
}

function consentUrlOf({ _meta }: CallResult): string {
  return String((_meta?.[ERROR] as { consentUrl?: string } | undefined)?.consentUrl);
}

function isAlex(userId: string): boolean {
  return stack.tenant.users.some(({ id, userPrincipalName }) => id === userId && userPrincipalName.startsWith("AlexW"));
}
