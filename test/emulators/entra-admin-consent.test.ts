import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { MICROSOFT_GRAPH_APP_ID } from "../../emulators/directory.ts";
import { type LocalCloud, startLocalCloud } from "../../emulators/local-cloud.ts";
import { Browser } from "../support/browser.ts";

let cloud: LocalCloud;
beforeAll(async () => {
  cloud = await startLocalCloud({ certificates: inject("certificates") });
});
afterAll(() => cloud.close());

const pageUrl = (client: string) => `${cloud.entra.httpOrigin}/${CONTOSO.tenantId}/adminconsent?client_id=${client}`;
const grantsForAll = () => cloud.tenant.grants.filter(({ userId }) => userId === "all");

test("the administrator's page lists what the registration asks for, and cancelling grants nothing", async () => {
  const browser = new Browser();
  const page = await browser.open(pageUrl(CONTOSO.serverAppId));

  expect(page.html).toContain("<strong>azure-graph-mcp</strong> would like to, for everyone in Contoso:");
  expect(page.html).toContain("Read your mailbox settings <small>(MailboxSettings.Read)</small>");
  const [form] = page.forms;
  if (!form) throw new Error("no form");
  expect((await browser.submit(form, { button: "cancel" })).html).toContain("Nothing was changed");
  expect(grantsForAll()).toEqual([]);
});

test("accepting grants every listed permission for every user", async () => {
  const browser = new Browser();
  const [form] = (await browser.open(pageUrl(CONTOSO.serverAppId))).forms;
  if (!form) throw new Error("no form");

  expect((await browser.submit(form, { button: "accept" })).html).toContain("Permissions granted");

  expect(grantsForAll().map(({ resourceAppId, scopes }) => [resourceAppId, scopes])).toContainEqual([
    MICROSOFT_GRAPH_APP_ID,
    ["People.Read"],
  ]);
});

test("an app that the tenant does not know is an error page", async () => {
  const page = await new Browser().open(pageUrl("00000000-1111-4222-8333-444444444444"));
  expect(page.html).toContain("AADSTS700016");
});
