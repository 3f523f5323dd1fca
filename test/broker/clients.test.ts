import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRawClient, NewcomerSession, register, signInAtBroker } from "../support/broker.ts";
import { type ClientDocument, publishClientDocument } from "../support/client-document.ts";
import { CLIENTS, connect } from "../support/mcp-clients.ts";
import { type Stack, startStack } from "../support/stack.ts";

describe("a client that knows nothing but the URL", () => {
  let stack: Stack;
  let document: ClientDocument;
  beforeAll(async () => {
    document = await publishClientDocument();
    stack = await startStack("broker", { TRUSTED_CLIENT_HOSTS: document.host });
  });
  afterAll(async () => {
    await stack.close();
    document.close();
  });

  test.each(CLIENTS)("%s registers itself, signs in and calls a tool as the person", async (kind) => {
    const oauth = new NewcomerSession();
    const client = await connect(kind, stack.mcpUrl, {
      oauth,
      signIn: (url) => signInAtBroker(url, { as: "AdeleV" }),
    });
    expect((await client.call("get_my_profile")).structuredContent).toMatchObject({ upn: "AdeleV@contoso.com" });
    expect(oauth.registrations).toBe(1);
    await client.close();
  });

  test("that looks for metadata at the root only gets a token for the same server", async () => {
    const raw = await createRawClient(stack.serverOrigin);
    const metadata = await fetch(`${stack.serverOrigin}/.well-known/oauth-protected-resource`);
    const { resource, scopes_supported } = (await metadata.json()) as { resource: string; scopes_supported: string[] };
    const url = raw.authorizeUrl({ resource, scope: scopes_supported[0] });
    const code = (await signInAtBroker(url, { as: "AdeleV" })).searchParams.get("code") ?? "";
    const { body } = await raw.redeem(code, { resource });
    const client = await connect("sdk v2 (2026-07-28)", stack.mcpUrl, { token: body["access_token"] ?? "" });
    expect((await client.call("get_my_profile")).structuredContent).toMatchObject({ upn: "AdeleV@contoso.com" });
    await client.close();
  });

  test("registers with a name and addresses of usual length, not with a book", async () => {
    const answer = await register(stack.serverOrigin, { client_name: "x".repeat(50_000) });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ error: "invalid_client_metadata" });
    const redirectUris = Array.from({ length: 40 }, (_all, n) => `http://127.0.0.1:${50_000 + n}/oauth/callback`);
    expect((await register(stack.serverOrigin, { redirect_uris: redirectUris })).status).toBe(201);
  });

  test("finds the metadata of the authorization server, in which nothing is promised that is not kept", async () => {
    const response = await fetch(`${stack.serverOrigin}/.well-known/oauth-authorization-server`);
    expect(await response.json()).toMatchObject({
      issuer: stack.serverOrigin,
      response_types_supported: ["code"],
      response_modes_supported: ["query"],
      grant_types_supported: ["authorization_code", "refresh_token"],
      code_challenge_methods_supported: ["S256"],
      authorization_response_iss_parameter_supported: true,
      client_id_metadata_document_supported: true,
      scopes_supported: [`${stack.mcpUrl}/user_impersonation`, `${stack.serverOrigin}/user_impersonation`],
    });
  });

  test.each(CLIENTS)("%s names its metadata document and registers nothing", async (kind) => {
    const oauth = new NewcomerSession({ metadataUrl: document.url });
    const client = await connect(kind, stack.mcpUrl, {
      oauth,
      signIn: (url) => signInAtBroker(url, { as: "AlexW" }),
    });
    expect((await client.call("get_my_profile")).structuredContent).toMatchObject({ upn: "AlexW@contoso.com" });
    expect(oauth.clientInformation()).toMatchObject({ client_id: document.url });
    await client.close();
  });
});
