import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { describeWithChromium, launchChromium } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { type Machine, startMachine } from "./local-server.ts";

vi.setConfig({ testTimeout: 40_000 });

describeWithChromium("sign-in to the local server in a real browser", () => {
  let machine: Machine;
  let browser: Browser;
  beforeAll(async () => {
    [machine, browser] = await Promise.all([startMachine(), launchChromium()]);
  });
  afterAll(async () => {
    await browser.close();
    await machine.close();
  });

  test("a person picks an account, accepts, is told that it worked, and the call goes on as them", async () => {
    const client = await machine.connect();
    const call = client.call("get_my_profile");
    const page = await browser.newPage();
    await page.goto(await eventually(async () => (await machine.opened())[0] ?? "", "the browser was opened"));
    await page.getByRole("button", { name: "Alex Wilber" }).click();
    expect(await page.getByText("azure-graph-mcp (local) would like to:").isVisible()).toBe(true);
    await page.getByRole("button", { name: "Accept" }).click();
    await page.getByText("You are signed in. Go back to your client; this page can be closed.").waitFor();

    // The code came by POST: neither the address nor the history of the browser holds it.
    expect(new URL(page.url()).search).toBe("");
    expect((await call).structuredContent).toMatchObject({ upn: "AlexW@contoso.com" });
    await page.close();
  });

  test("a person who closes the page is waited for, and the same address still works later", async () => {
    await machine.reset();
    const client = await machine.connect(undefined, { args: ["--sign-in-wait", "2"] });
    const call = client.call("get_my_profile");
    const page = await browser.newPage();
    const url = await eventually(async () => (await machine.opened())[0] ?? "", "the browser was opened");
    await page.goto(url);
    await page.close();
    expect(await call).toMatchObject({ isError: true, content: [{ text: expect.stringContaining(`or open ${url}`) }] });

    const again = await browser.newPage();
    await again.goto(url);
    await again.getByRole("button", { name: "Adele Vance" }).click();
    const accept = again.getByRole("button", { name: "Accept" });
    if (await accept.isVisible()) await accept.click();
    await again.getByText("You are signed in.").waitFor();
    expect((await client.call("get_my_profile")).structuredContent).toMatchObject({ upn: "AdeleV@contoso.com" });
  });
});
