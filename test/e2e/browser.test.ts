import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { describeWithChromium, launchChromium } from "../support/chromium.ts";
import { CLIENTS, connect } from "../support/mcp-clients.ts";
import { type Stack, startStack } from "../support/stack.ts";

describeWithChromium("sign-in in a real browser", () => {
  let stack: Stack;
  let browser: Browser;
  beforeAll(async () => {
    [stack, browser] = await Promise.all([startStack(), launchChromium()]);
  });
  afterAll(async () => {
    await browser.close();
    await stack.close();
  });

  test.each(CLIENTS)("%s: a person picks an account, accepts, and the client calls a tool as them", async (kind) => {
    const callback = await listenForCallback();
    const context = await browser.newContext();
    const page = await context.newPage();
    stack.tenant.grants = stack.tenant.grants.filter(({ clientAppId }) => clientAppId !== CONTOSO.sampleClientId);

    const client = await connect(kind, stack.mcpUrl, {
      redirectUrl: callback.url,
      signIn: async (authorizationUrl) => {
        await page.goto(authorizationUrl.href);
        await page.getByRole("button", { name: "Alex Wilber" }).click();
        expect(await page.getByRole("heading", { level: 1 }).textContent()).toContain("Permissions requested");
        await page.getByRole("button", { name: "Accept" }).click();
        return callback.received;
      },
    });

    expect((await client.call("get_my_profile")).structuredContent).toMatchObject({ upn: "AlexW@contoso.com" });
    await client.close();
    await context.close();
    await callback.close();
  });
});

/** The loopback listener of a native client: resolves with the address that the browser was sent to. */
async function listenForCallback() {
  let resolve: (url: URL) => void = () => undefined;
  const received = new Promise<URL>((done) => {
    resolve = done;
  });
  const server = createServer((req, res) => {
    const url = new URL(req.url ?? "", `http://${req.headers.host}`);
    res.end("You can close this page.");
    if (url.pathname === "/callback") resolve(url);
  });
  await new Promise<void>((done) => {
    server.listen(0, "127.0.0.1", done);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://localhost:${port}/callback`,
    received,
    close: () =>
      new Promise<void>((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}
