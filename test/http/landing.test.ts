import { createHash } from "node:crypto";
import express from "express";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listen } from "../../emulators/kernel/listener.ts";
import { createLanding, type LandingOptions } from "../../src/http/landing/index.ts";
import { describeWithChromium, launchChromium } from "../support/chromium.ts";
import { userToken } from "../support/forged-tokens.ts";
import { type Stack, startStack } from "../support/stack.ts";

const BROWSER_ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";
const WRITES = { ALLOW_WRITES: "true", TOOLSETS: "profile,mail" };

/** The stack with the page open to people who are not signed in. */
async function startOpenStack(environment: Record<string, string> = {}): Promise<Stack> {
  const stack = await startStack("easy-auth", environment);
  const validation = stack.appService?.authSettings.globalValidation;
  if (validation) validation.excludedPaths = ["/", "/healthz", "/readyz"];
  return stack;
}

const read = async (url: string, headers: Record<string, string> = {}) => {
  const response = await fetch(url, { headers: { accept: BROWSER_ACCEPT, ...headers } });
  return { status: response.status, headers: response.headers, text: await response.text() };
};

describe("the page for people", () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack("bearer");
  });
  afterAll(() => stack.close());

  test("is served at / and, to a browser, at /mcp, without a sign-in", async () => {
    for (const path of ["/", "/mcp"]) {
      const { status, headers, text } = await read(`${stack.serverOrigin}${path}`);
      expect([status, headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
      expect(text).toContain(`<code>${stack.mcpUrl}</code>`);
      expect(text).toContain("search_messages");
    }
  });

  test.each([
    { client: "a stream", accept: "text/event-stream" },
    { client: "a message or a stream", accept: "application/json, text/event-stream" },
    { client: "anything", accept: "*/*" },
    { client: "nothing in particular", accept: "" },
  ])("is not what an MCP client gets that accepts $client: 401, and 405 with a token", async ({ accept }) => {
    const authorization = `Bearer ${await userToken(stack)}`;
    expect((await read(stack.mcpUrl, { accept })).status).toBe(401);
    expect((await read(stack.mcpUrl, { accept, authorization })).status).toBe(405);
  });

  test("runs its own script and style only, and fits into no frame", async () => {
    const { headers, text } = await read(`${stack.serverOrigin}/`);
    const [, style = ""] = /<style>([\s\S]*?)<\/style>/.exec(text) ?? [];
    const [, script = ""] = /<script>([\s\S]*?)<\/script>/.exec(text) ?? [];
    const hashOf = (source: string) => `'sha256-${createHash("sha256").update(source).digest("base64")}'`;

    expect(headers.get("content-security-policy")).toBe(
      `default-src 'none'; style-src ${hashOf(style)}; script-src ${hashOf(script)}; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    );
    expect(headers.get("x-frame-options")).toBe("DENY");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("vary")).toBe("Accept");
    expect(text).not.toMatch(/\son\w+=|\sstyle=|src="|javascript:/);
  });

  test("without App Service in front has no sign-in of its own, and does not believe a header about one", async () => {
    const claims = [
      { typ: "name", val: "Mallory" },
      { typ: "roles", val: "Mcp.Write" },
    ];
    const principal = Buffer.from(JSON.stringify({ auth_typ: "aad", claims })).toString("base64");
    const { text } = await read(`${stack.serverOrigin}/`, { "x-ms-client-principal": principal });

    expect(text).not.toContain("Mallory");
    expect(text).not.toContain("What you may use");
    expect(text).not.toContain("/.auth/login");
  });
});

describe("the page behind App Service Authentication", () => {
  let stack: Stack;
  let origin: string;
  beforeAll(async () => {
    stack = await startOpenStack(WRITES);
    origin = new URL(stack.mcpUrl).origin;
  });
  afterAll(() => stack.close());

  test("offers a sign-in, and says what needs a role", async () => {
    const { status, text } = await read(`${origin}/`);

    expect(status).toBe(200);
    expect(text).toContain('href="/.auth/login/aad?post_login_redirect_uri=%2Fmcp"');
    expect(text).toContain("Each of these changes data and needs the app role Mcp.Write.");
  });

  test("at /mcp stays behind the sign-in", async () => {
    expect((await read(`${origin}/mcp`)).status).toBe(401);
  });

  test.each(["Mallory", 'Robert"><script>alert(1)</script>'])("shows the name %j as text", async (name) => {
    const claims = [{ typ: "name", val: name }];
    const principal = Buffer.from(JSON.stringify({ auth_typ: "aad", claims })).toString("base64");
    // Past the platform, which would replace the header.
    const { text } = await read(`${stack.serverOrigin}/`, { "x-ms-client-principal": principal });

    expect(text).toContain("Signed in as <strong>");
    expect(text).not.toContain("<script>alert");
    expect(text.match(/<script>/g)).toHaveLength(1);
  });

  test.each(["e30=", "###", "e30=, e30="])("takes the malformed identity %j for none", async (header) => {
    const { status, text } = await read(`${stack.serverOrigin}/`, { "x-ms-client-principal": header });
    expect(status).toBe(200);
    expect(text).toContain(">Sign in<");
  });
});

describe("what the page tells clients", () => {
  const GUID = "7d3a7f0e-9b64-4c1d-8f6e-0c5b1d2e3f40";
  const VS_CODE = "aebc6443-996d-45c2-90f0-388ff96faa56";
  const options: LandingOptions = {
    mcpUrl: "https://contoso-mcp.azurewebsites.net/mcp",
    authMode: "easy-auth",
    issuer: "https://login.microsoftonline.com/5b7e1e6c-4a52-4f0e-9d0a-6a3c1f6f2d11/v2.0",
    allowedClients: [VS_CODE, GUID],
    toolsets: [{ name: "mail", tools: [{ name: "search_messages", title: "Search <mail>", effect: "read" }] }],
    rules: { allowWrites: false, writeRole: "Mcp.Write" },
    adminConsentUrl: "https://login.microsoftonline.com/t/adminconsent?client_id=a&state=b",
  };
  const render = async (changes: Partial<LandingOptions>) => {
    const app = express().use(createLanding({ ...options, ...changes }));
    const listener = await listen("the page", app);
    const { text } = await read(listener.origin);
    await listener.close();
    return text;
  };
  const installOf = (text: string): unknown => {
    const [, config = ""] = /href="vscode:mcp\/install\?([^"]+)"/.exec(text) ?? [];
    return JSON.parse(decodeURIComponent(config));
  };

  test("in Microsoft's cloud VS Code needs no client id; the others get the one of the server's own client", async () => {
    const text = await render({});
    expect(installOf(text)).toEqual({ name: "azure-graph", type: "http", url: options.mcpUrl });
    expect(text).toContain(`claude mcp add --transport http azure-graph ${options.mcpUrl} --client-id ${GUID}`);
    expect(text).not.toContain(VS_CODE);
  });

  test("elsewhere VS Code is told the client id too", async () => {
    const text = await render({ issuer: "https://login.contoso.example/t/v2.0" });
    expect(installOf(text)).toMatchObject({ oauth: { clientId: GUID } });
  });

  test("the broker needs no client id, and leads to the connections", async () => {
    const text = await render({ authMode: "broker", allowedClients: [GUID] });
    expect(text).not.toContain(GUID);
    expect(text).toContain('href="/oauth/connections"');
  });

  test("where only Microsoft's clients are allowed, it says whom to ask", async () => {
    const text = await render({ allowedClients: [VS_CODE] });
    expect(text).toContain("--client-id &lt;client id&gt;");
    expect(text).toContain("ask who runs this server for a client id");
  });

  test("titles and links are escaped", async () => {
    const text = await render({});
    expect(text).toContain("Search &lt;mail&gt;");
    expect(text).toContain('href="https://login.microsoftonline.com/t/adminconsent?client_id=a&amp;state=b"');
  });

  test("a read-only server says so of what it withholds", async () => {
    const tools = [{ name: "send_mail", title: "Send mail", effect: "write" as const }];
    const text = await render({ toolsets: [{ name: "mail", tools }] });
    expect(text).toContain("Each of these changes data, and this server is read-only (ALLOW_WRITES).");
  });
});

describeWithChromium("the page in Chromium", () => {
  let stack: Stack;
  let browser: Browser;
  let origin: string;
  beforeAll(async () => {
    [stack, browser] = await Promise.all([startOpenStack(WRITES), launchChromium()]);
    origin = new URL(stack.mcpUrl).origin;
  });
  afterAll(async () => {
    await browser.close();
    await stack.close();
  });

  /** Opens the page; what the console says, violations of the policy included, ends up in `complaints`. */
  async function open(options: { width?: number; colorScheme?: "light" | "dark"; javaScriptEnabled?: boolean } = {}) {
    const { width = 1280, ...rest } = options;
    const context = await browser.newContext({ viewport: { width, height: 900 }, ...rest });
    await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin });
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("requestfailed", (request) => complaints.push(request.url()));
    await page.goto(`${origin}/`);
    return { page, complaints, close: () => context.close() };
  }

  test("copies the address and says so", async () => {
    const { page, complaints, close } = await open();
    await page.getByRole("button", { name: "Copy address" }).click();

    await page.getByRole("status").getByText("Copied").waitFor({ state: "attached" });
    expect(await page.evaluate("navigator.clipboard.readText()")).toBe(stack.mcpUrl);
    expect(complaints).toEqual([]);
    await close();
  });

  test("has landmarks, one first heading, and sections with names", async () => {
    const { page, close } = await open();
    expect(await page.getByRole("main").count()).toBe(1);
    expect(await page.getByRole("banner").count()).toBe(1);
    expect(await page.getByRole("contentinfo").count()).toBe(1);
    expect(await page.getByRole("navigation", { name: "Account" }).count()).toBe(1);
    expect(await page.getByRole("heading", { level: 1 }).allTextContents()).toEqual([
      "Microsoft Graph for your assistant",
    ]);
    for (const name of ["Address for MCP clients", "Connect a client", "Tools", "Consent"]) {
      expect(await page.getByRole("region", { name }).count()).toBe(1);
    }
    await close();
  });

  test("goes through its controls from top to bottom with the keyboard, and each shows where it is", async () => {
    const { page, close } = await open();
    const stops: string[] = [];
    for (let presses = 0; presses < 11; presses += 1) {
      await page.keyboard.press("Tab");
      stops.push(String(await page.evaluate("document.activeElement.textContent")));
      const style = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle");
      expect(style).toBe("solid");
    }
    expect(stops).toEqual([
      "Skip to the content",
      "Sign in",
      "Copy address",
      "Install in VS Code",
      "Visual Studio Code",
      "GitHub Copilot CLI",
      "Claude Code",
      "Claude and ChatGPT",
      "Programs that start servers",
      "Sign in here",
      "agree for the whole organisation",
    ]);
    await page.getByText("Claude Code").focus();
    await page.keyboard.press("Enter");
    expect(await page.getByRole("button", { name: "Copy claude-code" }).isVisible()).toBe(true);
    await close();
  });

  test.each(["light", "dark"] as const)("has enough contrast everywhere in %s", async (colorScheme) => {
    const { page, close } = await open({ colorScheme });
    expect(await weakestContrast(page)).toBeGreaterThanOrEqual(4.5);
    await close();
  });

  test.each([320, 390, 1280])("fits a width of %i pixels", async (width) => {
    const { page, close } = await open({ width });
    await page.getByText("Programs that start servers").click();
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(width);
    const cut = "[...document.querySelectorAll('pre')].filter((pre) => pre.scrollWidth > pre.clientWidth).length";
    expect(await page.evaluate(cut)).toBe(0);
    await close();
  });

  test("works without JavaScript: everything is there but the copy buttons", async () => {
    const { page, close } = await open({ javaScriptEnabled: false });
    expect(await page.getByRole("button").count()).toBe(0);
    await page.getByText("GitHub Copilot CLI").click();
    expect(await page.getByText(`copilot mcp add --transport http azure-graph ${stack.mcpUrl}`).isVisible()).toBe(true);
    await close();
  });

  test.each([
    { person: "Adele Vance", heading: "What you may use", withheld: 0 },
    { person: "Diego Siciliani", heading: "What you may use", withheld: 1 },
  ])("shows $person what they may use, and why not the rest", async ({ person, heading, withheld }) => {
    const { page, complaints, close } = await open();
    await page.getByRole("link", { name: "Sign in", exact: true }).click();
    await page.getByRole("button", { name: person }).click();
    await page.waitForURL(`${origin}/mcp`);

    expect(await page.getByText(`Signed in as ${person}`).isVisible()).toBe(true);
    expect(await page.getByRole("heading", { name: heading }).count()).toBe(1);
    expect(await page.getByText("needs the app role Mcp.Write").count()).toBe(withheld);
    expect(await page.getByText("changes data", { exact: true }).count()).toBe(withheld === 0 ? 3 : 0);
    expect(complaints).toEqual([]);
    await page.getByRole("link", { name: "Sign out" }).click();
    await page.waitForURL(`${origin}/`);
    expect(await page.getByRole("link", { name: "Sign in", exact: true }).isVisible()).toBe(true);
    await close();
  });
});

/** The lowest ratio of a text's color to the ground behind it (WCAG 2.2, 1.4.3), everything unfolded. */
async function weakestContrast(page: Page): Promise<number> {
  return Number(
    await page.evaluate(`(() => {
      for (const details of document.querySelectorAll("details")) { details.removeAttribute("name"); details.open = true; }
      const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
      const rgb = (color) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
      const luminance = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
      const ground = (element) => {
        for (let e = element; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c[3] === 255) return c; }
        return [255, 255, 255, 255];
      };
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      let weakest = 21;
      while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
        const [a, b] = [luminance(rgb(getComputedStyle(element).color)), luminance(ground(element))];
        weakest = Math.min(weakest, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
      }
      return weakest;
    })()`),
  );
}
