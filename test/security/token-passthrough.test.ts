import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { claimsOf, userToken } from "../support/forged-tokens.ts";
import { CLIENTS, connect } from "../support/mcp-clients.ts";
import { type Stack, startStack } from "../support/stack.ts";
import { startWireTap, type TappedRequest, type WireTap } from "../support/wire-tap.ts";

let stack: Stack;
let tap: WireTap;
beforeAll(async () => {
  tap = startWireTap();
  stack = await startStack("easy-auth", { TOOLSETS: "profile,people" });
});
afterAll(async () => {
  tap.stop();
  await stack.close();
});
beforeEach(() => tap.clear());

const portOf = (url: string) => Number(new URL(url).port);

/** What the server sent, and not the client: everything but the requests to App Service. */
const sentByServer = () => tap.requests.filter(({ port }) => port !== portOf(stack.mcpUrl));
const sentTo = (url: string) => tap.requests.filter(({ port }) => port === portOf(url));

/** Payload and signature: what makes a token this one. */
const fingerprints = (token: string) => token.split(".").slice(1);

async function callEverything(token: string): Promise<void> {
  for (const kind of CLIENTS) {
    const client = await connect(kind, stack.mcpUrl, { token });
    await client.listTools();
    await client.call("get_my_profile", { include_mailbox: true });
    await client.call("search_people", { query: "alex", scope: "directory", limit: 1 });
    await client.call("search_people", { query: "nobody at all" });
    await client.call("get_user", { user: "MiriamG@contoso.com", include_reports: true });
    await client.call("get_user", { user: "nobody@contoso.com" });
    await client.close();
  }
}

test("the client's token reaches Entra as user assertion and nothing else", async () => {
  const token = await userToken(stack, "AdeleV");
  await callEverything(token);

  const carriers = sentByServer().filter((request) =>
    fingerprints(token).some((part) => request.text().includes(part)),
  );
  expect(carriers).toHaveLength(1);
  const [exchange] = carriers as [TappedRequest];
  expect(exchange.port).toBe(portOf(stack.entra.httpsOrigin));
  expect(exchange.method).toBe("POST");
  expect(new URL(exchange.url, stack.entra.httpsOrigin).pathname).toBe(
    "/5b7e1e6c-4a52-4f0e-9d0a-6a3c1f6f2d11/oauth2/v2.0/token",
  );
  const form = new URLSearchParams(exchange.body());
  expect([...form].filter(([, value]) => value.includes(token)).map(([name]) => name)).toEqual(["assertion"]);
  expect(JSON.stringify(exchange.headers)).not.toContain(fingerprints(token)[0]);
  expect(exchange.url).not.toContain(fingerprints(token)[0]);
  expect(Object.fromEntries(form)).toMatchObject({
    grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
    requested_token_use: "on_behalf_of",
    client_id: "c4f2c6a1-8d5b-4e0e-a6f7-2f6f5f1f9b10",
    client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    assertion: token,
  });
});

test("the server proves itself with the managed identity's token, and no secret travels", async () => {
  const token = await userToken(stack, "MiriamG");
  await callEverything(token);

  const [exchange] = sentTo(stack.entra.httpsOrigin).filter(({ method }) => method === "POST") as [TappedRequest];
  const assertion = new URLSearchParams(exchange.body()).get("client_assertion") ?? "";
  expect(claimsOf(assertion)).toMatchObject({
    aud: "api://AzureADTokenExchange",
    sub: "9a8b7c6d-5e4f-4a3b-8c2d-1e0f9a8b7c6d",
  });
  for (const request of sentByServer()) {
    expect(request.text()).not.toContain("client_secret");
    expect(request.headers.authorization ?? "").not.toMatch(/^Basic/i);
  }
});

test("every request to Graph carries a token for Graph, issued to this server, for the same user", async () => {
  for (const [alias, oid] of [
    ["AdeleV", "87d349ed-44d7-43e1-9a83-5f2406dee5bd"],
    ["MiriamG", "0d1e5c72-9b34-4f8a-b6c1-2e7f90a1b302"],
  ] as const) {
    tap.clear();
    await callEverything(await userToken(stack, alias));

    const requests = sentTo(stack.graph.origin);
    expect(requests.length).toBeGreaterThanOrEqual(15);
    for (const { headers } of requests) {
      const claims = claimsOf(String(headers.authorization).replace("Bearer ", ""));
      expect(claims).toMatchObject({ aud: stack.graph.origin, oid, appid: "c4f2c6a1-8d5b-4e0e-a6f7-2f6f5f1f9b10" });
      expect(String(claims["scp"]).split(" ").toSorted()).toEqual([
        "MailboxSettings.Read",
        "People.Read",
        "User.Read",
        "User.ReadBasic.All",
      ]);
    }
  }
});

test("Key Vault and the managed identity endpoint see the server's own identity only", async () => {
  await stack.restart();
  const token = await userToken(stack, "AdeleV");
  await callEverything(token);

  const vault = sentTo(stack.keyVault.origin).flatMap(({ headers }) => headers.authorization ?? []);
  expect(vault.length).toBeGreaterThan(0);
  for (const authorization of vault) {
    expect(claimsOf(authorization)).toMatchObject({
      aud: "https://vault.azure.net",
      oid: CONTOSO.managedIdentityPrincipalId,
    });
  }
  const identity = sentTo(stack.managedIdentity.url);
  expect(identity.length).toBeGreaterThan(0);
  for (const { headers, text } of identity) {
    expect(headers.authorization).toBeUndefined();
    expect(text()).not.toContain(fingerprints(token)[0]);
  }
});

test("no Graph token, managed identity token or assertion comes back to the client", async () => {
  const token = await userToken(stack, "AdeleV");
  const client = await connect("sdk v2 (2026-07-28)", stack.mcpUrl, { token });
  const results = [
    await client.call("get_my_profile", { include_mailbox: true }),
    await client.call("search_people", { query: "alex", scope: "directory", limit: 1 }),
    await client.call("get_user", { user: "nobody@contoso.com" }),
  ];
  await client.close();

  const requests = sentByServer();
  const secrets = [
    ...requests.map(({ headers }) => String(headers.authorization).replace("Bearer ", "")),
    ...requests.flatMap(({ body }) => Array.from(new URLSearchParams(body()).values())),
  ];
  const answers = JSON.stringify(results);
  const tokens = secrets.filter((secret) => secret.startsWith("eyJ"));
  expect(tokens.length).toBeGreaterThan(0);
  for (const secret of tokens) expect(answers).not.toContain(secret.split(".")[2]);
});
