import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import type { Tenant } from "../../emulators/directory.ts";
import { createRawClient, reachConsent, signInAtBroker } from "../support/broker.ts";
import { connect } from "../support/mcp-clients.ts";
import { type Stack, startStack } from "../support/stack.ts";

const FABRIKAM = "0f3b9a52-7c1e-4d68-9a2b-5e8c7d6f4a13";
const ADELE = { as: "AdeleV" };

describe("the broker for two tenants", () => {
  let stack: Stack;
  beforeAll(async () => {
    // A writer's first call needs more permissions than the sign-in brought: it renews the token.
    stack = await startStack("broker", { ALLOWED_TENANTS: `${CONTOSO.tenantId},${FABRIKAM}`, ALLOW_WRITES: "true" });
    // The emulator has no page that asks for the tenant: whoever comes without one is of Fabrikam.
    const fabrikam: Tenant = { ...stack.tenant, id: FABRIKAM, verifiedDomains: ["organizations"] };
    (stack.entra.tenants as Tenant[]).push(fabrikam);
  });
  afterAll(() => stack.close());

  async function signIn() {
    const raw = await createRawClient(stack.serverOrigin);
    const code = (await signInAtBroker(raw.authorizeUrl(), ADELE)).searchParams.get("code") ?? "";
    return raw.redeem(code);
  }

  test("lets people choose theirs at Entra, and knows whose they are", async () => {
    const { body } = await signIn();
    const authorize = stack.entra.traffic.requests.find(({ url }) => url.includes("/oauth2/v2.0/authorize"));
    expect(authorize?.url).toMatch(/^\/organizations\//);
    const client = await connect("sdk v2 (2026-07-28)", stack.mcpUrl, { token: body["access_token"] ?? "" });
    expect((await client.listTools()).length).toBeGreaterThan(5);
    await client.close();
    await vi.waitFor(() =>
      expect(stack.server.log).toContainEqual(
        expect.objectContaining({ audit: "sign_in", decision: "allowed", tenantId: FABRIKAM }),
      ),
    );
  });

  test("renews tokens at the person's own", async () => {
    const { body } = await signIn();
    stack.entra.traffic.clear();
    const client = await connect("sdk v2 (2026-07-28)", stack.mcpUrl, { token: body["access_token"] ?? "" });
    // The emulator of Graph knows Contoso only: what counts is where the token was asked for.
    await client.call("get_my_profile");
    await client.close();
    expect(stack.entra.traffic.count("POST", new RegExp(`^/${FABRIKAM}/oauth2/v2\\.0/token`))).toBe(1);
  });

  test("refuses people of a third, with a way to another account, and notes it", async () => {
    await stack.restart({ ALLOWED_TENANTS: `${CONTOSO.tenantId},11111111-1111-4111-8111-111111111111` });
    const raw = await createRawClient(stack.serverOrigin);
    const page = await reachConsent(raw.authorizeUrl(), ADELE);
    expect(page.url.origin).toBe(stack.serverOrigin);
    expect(page.status).toBe(403);
    expect(page.forms).toEqual([]);
    expect(page.html).toContain("Its organisation may not use this server.");
    expect(page.html).toMatch(/<a href="\/oauth\/sign-in\/[\w-]+">Sign in again<\/a>/);
    await vi.waitFor(() =>
      expect(stack.server.log).toContainEqual(
        expect.objectContaining({
          audit: "sign_in",
          decision: "denied",
          reason: "tenant_not_allowed",
          tenantId: FABRIKAM,
        }),
      ),
    );
  });
});
