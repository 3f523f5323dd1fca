import { beforeEach, describe, expect, test } from "vitest";
import type { Entra } from "../../src/broker/entra.ts";
import { createGraphTokens } from "../../src/broker/graph-tokens.ts";
import { createSessions, type EntraTokens, type GrantKey } from "../../src/broker/sessions.ts";
import { createVault } from "../../src/broker/vault.ts";
import { createProcessKeyRing } from "../../src/mcp/key-ring.ts";
import { createInProcessStore } from "../../src/platform/in-process-store.ts";
import { createRecordedLog } from "../support/recorded-log.ts";

const MINUTE = 60_000;
const ADELE: GrantKey = {
  grantId: "grant-of-adele",
  tenantId: "5b7e1e6c-4a52-4f0e-9d0a-6a3c1f6f2d11",
  userId: "87d349ed-44d7-43e1-9a83-5f2406dee5bd",
  clientId: "a client",
};
const PRINCIPAL = { ...ADELE, scopes: ["user_impersonation"], roles: [] };
const PERMISSIONS = ["Mail.Read", "User.Read"];

const tokensOf = (accessToken: string, expiresInMs: number): EntraTokens => ({
  accessToken,
  expiresAt: Date.now() + expiresInMs,
  permissions: PERMISSIONS.join(" "),
  cache: "{}",
  roles: [],
});

let refreshes: number;
/** Happens while Entra refuses the next refresh. */
let beforeRefusal: (() => Promise<unknown>) | undefined;
const refuse = (): never => {
  throw new Error("Nobody signs in here.");
};
const entra: Entra = {
  tenant: ADELE.tenantId,
  authorizeUrl: refuse,
  redeem: refuse,
  async refresh() {
    refreshes += 1;
    if (beforeRefusal) {
      await beforeRefusal();
      throw new Error("Entra ID gave no token.", { cause: { errorCode: "invalid_grant" } });
    }
    return tokensOf(`token ${refreshes}`, 60 * MINUTE);
  },
};
beforeEach(() => {
  refreshes = 0;
  beforeRefusal = undefined;
});

function open() {
  const vault = createVault(createInProcessStore(), createProcessKeyRing());
  const sessions = createSessions(vault);
  const acquire = createGraphTokens({
    entra,
    sessions,
    vault,
    allPermissions: () => PERMISSIONS,
    createStepUp: refuse,
    endGrant: (grantId) => sessions.end(grantId),
    adminConsent: refuse,
    timeoutMs: 1_000,
    log: createRecordedLog(),
  });
  const { userId: oid, tenantId: tid, clientId: client_id, grantId: gid } = ADELE;
  const claims = { oid, tid, client_id, gid, exp: Date.now() / 1000 + 600, roles: [] };
  const accessToken = `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.`;
  const caller = { principal: PRINCIPAL, accessToken, expiresAt: claims.exp };
  return { sessions, tokenForCall: () => acquire(caller, ["User.Read"], { signal: new AbortController().signal }) };
}

describe("a Graph token", () => {
  test("is renewed once, five minutes before it expires", async () => {
    const { sessions, tokenForCall } = open();
    await sessions.create(ADELE, tokensOf("token of the sign-in", 4 * MINUTE));
    expect(await tokenForCall()).toBe("token 1");
    expect(await tokenForCall()).toBe("token 1");
    expect(refreshes).toBe(1);
  });

  test("of a sign-in that its person renewed meanwhile is used, although the older one is refused", async () => {
    const { sessions, tokenForCall } = open();
    await sessions.create(ADELE, tokensOf("token of the sign-in", MINUTE));
    beforeRefusal = () => sessions.update(ADELE, tokensOf("token of the step", 60 * MINUTE));
    expect(await tokenForCall()).toBe("token of the step");
    expect((await sessions.read(ADELE))?.accessToken).toBe("token of the step");
  });

  test("of a sign-in that is refused ends it", async () => {
    const { sessions, tokenForCall } = open();
    await sessions.create(ADELE, tokensOf("token of the sign-in", MINUTE));
    beforeRefusal = async () => undefined;
    await expect(tokenForCall()).rejects.toMatchObject({ code: "interaction_required" });
    expect(await sessions.read(ADELE)).toBeUndefined();
  });

  test("is used until then", async () => {
    const { sessions, tokenForCall } = open();
    await sessions.create(ADELE, tokensOf("token of the sign-in", 6 * MINUTE));
    expect(await tokenForCall()).toBe("token of the sign-in");
    expect(refreshes).toBe(0);
  });
});

test.each<Partial<GrantKey>>([
  { grantId: "another grant" },
  { tenantId: "11111111-1111-4111-8111-111111111111" },
  { userId: "6e3b8f19-27cd-4a60-8f5e-b41d9c70e204" },
  { clientId: "another client" },
])("a sign-in is not read with %j in place of its own", async (change) => {
  const { sessions } = open();
  const tokens = tokensOf("token of the sign-in", MINUTE);
  await sessions.create(ADELE, tokens);
  expect(await sessions.read({ ...ADELE, ...change })).toBeUndefined();
  expect(await sessions.read(ADELE)).toEqual(tokens);
});
