import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { NewcomerSession, signInAtBroker } from "../support/broker.ts";
import { CLIENTS, connect } from "../support/mcp-clients.ts";
import { type Stack, startStack } from "../support/stack.ts";

describe("a client that knows nothing but the URL", () => {
  let stack: Stack;
  let documents: Server;
  let documentUrl: string;
  beforeAll(async () => {
    const { cert, key } = inject("certificates");
    documents = createServer({ cert, key }, (_req, res) => {
      res.setHeader("content-type", "application/json");
      res.end(
        JSON.stringify({
          client_id: documentUrl,
          client_name: "Documented client",
          redirect_uris: ["http://127.0.0.1/callback"],
          token_endpoint_auth_method: "none",
        }),
      );
    });
    await new Promise<void>((done) => {
      documents.listen(0, "127.0.0.1", done);
    });
    const { port } = documents.address() as AddressInfo;
    documentUrl = `https://localhost:${port}/client.json`;
    stack = await startStack("broker", { TRUSTED_CLIENT_HOSTS: `localhost:${port}` });
  });
  afterAll(async () => {
    await stack.close();
    documents.close();
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

  test.each(CLIENTS)("%s names its metadata document and registers nothing", async (kind) => {
    const oauth = new NewcomerSession({ metadataUrl: documentUrl });
    const client = await connect(kind, stack.mcpUrl, {
      oauth,
      signIn: (url) => signInAtBroker(url, { as: "AlexW" }),
    });
    expect((await client.call("get_my_profile")).structuredContent).toMatchObject({ upn: "AlexW@contoso.com" });
    expect(oauth.clientInformation()).toMatchObject({ client_id: documentUrl });
    await client.close();
  });
});
