import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { auditLine } from "../support/audit-lines.ts";
import { principalHeader, userToken } from "../support/forged-tokens.ts";
import { messageIn, toolCall } from "../support/mcp-messages.ts";
import { type RawAnswer, type RawHeader, sendRaw } from "../support/raw-http.ts";
import { startServerProcess } from "../support/server-process.ts";
import { type Stack, startStack } from "../support/stack.ts";

const ADELE = "87d349ed-44d7-43e1-9a83-5f2406dee5bd";
const MIRIAM = "0d1e5c72-9b34-4f8a-b6c1-2e7f90a1b302";
const OTHER_TENANT = "0f0f0f0f-1111-4222-8333-444455556666";
const OID = "http://schemas.microsoft.com/identity/claims/objectidentifier";
const TID = "http://schemas.microsoft.com/identity/claims/tenantid";

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64");
const principalOf = (oid: string, tid: string = CONTOSO.tenantId) => principalHeader({ oid, tid });

const SPOOFED: readonly { readonly name: string; readonly value: string }[] = [
  { name: "another user's", value: principalOf(MIRIAM) },
  { name: "the same user id in another tenant", value: principalOf(ADELE, OTHER_TENANT) },
  { name: "both users at once", value: encode(claims([OID, ADELE], [OID, MIRIAM], [TID, CONTOSO.tenantId])) },
  {
    name: "both users at once, one under the short name",
    value: encode(claims([OID, ADELE], ["oid", MIRIAM], [TID, CONTOSO.tenantId])),
  },
  { name: "a user without a tenant", value: encode(claims([OID, ADELE])) },
  { name: "a tenant without a user", value: encode(claims([TID, CONTOSO.tenantId])) },
  { name: "the user's id under another claim type", value: encode(claims(["sub", ADELE], [TID, CONTOSO.tenantId])) },
  { name: "no claims", value: encode(claims()) },
  { name: "no list of claims", value: encode({ auth_typ: "aad" }) },
  {
    name: "another provider's",
    value: encode({ ...claims([OID, ADELE], [TID, CONTOSO.tenantId]), auth_typ: "google" }),
  },
  { name: "a claim whose value is a number", value: encode({ auth_typ: "aad", claims: [{ typ: OID, val: 1 }] }) },
  { name: "JSON without encoding", value: JSON.stringify(claims([OID, ADELE], [TID, CONTOSO.tenantId])) },
  { name: "no base64", value: "%%%not base64%%%" },
  { name: "base64 of no JSON", value: Buffer.from("oops").toString("base64") },
  { name: "base64 of null", value: encode(null) },
  { name: "a list", value: encode([]) },
  { name: "empty", value: "" },
];

function claims(...pairs: readonly (readonly [string, string])[]) {
  return { auth_typ: "aad", claims: pairs.map(([typ, val]) => ({ typ, val })) };
}

const challenge = (mcpUrl: string, description: string) =>
  `Bearer error="invalid_token", error_description="${description}", scope="${mcpUrl}/user_impersonation", ` +
  `resource_metadata="${mcpUrl.replace(/\/mcp$/, "/.well-known/oauth-protected-resource/mcp")}"`;

describe("the identity of App Service Authentication", () => {
  let stack: Stack;
  let token: string;
  beforeAll(async () => {
    stack = await startStack("easy-auth");
    token = await userToken(stack, "AdeleV");
  });
  afterAll(() => stack.close());
  beforeEach(() => stack.graph.traffic.clear());

  const send = (origin: string, headers: readonly RawHeader[]) => {
    const message = toolCall("get_my_profile");
    return sendRaw(origin, { headers: [...headers, ...message.headers], body: message.body });
  };
  const direct = (...headers: RawHeader[]) => send(stack.serverOrigin, headers);
  const throughAppService = (...headers: RawHeader[]) => send(new URL(stack.mcpUrl).origin, headers);
  const bearer = (): RawHeader => ["Authorization", `Bearer ${token}`];

  /** Everything about a refusal: what the client, the audit and Graph see of it. */
  async function outcome(answer: RawAnswer): Promise<unknown> {
    return {
      status: answer.status,
      challenge: answer.headers["www-authenticate"],
      body: JSON.parse(answer.body) as unknown,
      audit: await auditLine(stack, answer.headers["x-request-id"]),
      toGraph: stack.graph.traffic.requests.length,
    };
  }
  const refused = (description: string, audit: Readonly<Record<string, string>>) => ({
    status: 401,
    challenge: challenge(stack.mcpUrl, description),
    body: { error: "invalid_token", error_description: description },
    audit: { audit: "sign_in", decision: "denied", ...audit },
    toGraph: 0,
  });
  const mismatch = () =>
    refused("The request did not come through App Service Authentication.", {
      reason: "principal_mismatch",
      userId: "87d349ed-44d7-43e1-9a83-5f2406dee5bd",
      tenantId: "5b7e1e6c-4a52-4f0e-9d0a-6a3c1f6f2d11",
      clientId: "7d3a7f0e-9b64-4c1d-8f6e-0c5b1d2e3f40",
    });

  describe("straight to the server", () => {
    test("a request with a token and without the header is refused", async () => {
      expect(await outcome(await direct(bearer()))).toEqual(mismatch());
    });

    test.each(SPOOFED)("a header with $name does not open the door to a good token", async ({ value }) => {
      expect(await outcome(await direct(bearer(), ["X-MS-CLIENT-PRINCIPAL", value]))).toEqual(mismatch());
    });

    test("a spoofed header without a token is refused", async () => {
      const answer = await direct(["X-MS-CLIENT-PRINCIPAL", principalOf(ADELE)]);

      expect(await outcome(answer)).toEqual(refused("Missing Authorization header", { reason: "missing_token" }));
    });

    test("the platform's other identity headers prove nothing", async () => {
      expect(
        await outcome(
          await direct(
            bearer(),
            ["X-MS-CLIENT-PRINCIPAL-ID", ADELE],
            ["X-MS-CLIENT-PRINCIPAL-NAME", "AdeleV@contoso.com"],
            ["X-MS-CLIENT-PRINCIPAL-IDP", "aad"],
          ),
        ),
      ).toEqual(mismatch());
    });

    test.each([
      { name: "the right one first", order: [ADELE, MIRIAM] },
      { name: "the right one last", order: [MIRIAM, ADELE] },
      { name: "the right one twice", order: [ADELE, ADELE] },
    ])("two headers, $name, are refused", async ({ order }) => {
      // With and without padding: lenient decoders stop at the first `=`.
      for (const padding of ["", " ", "  "]) {
        const headers = order.map((oid): RawHeader => {
          const json = Buffer.from(principalOf(oid), "base64").toString("utf8");
          return ["X-MS-CLIENT-PRINCIPAL", Buffer.from(json + padding).toString("base64")];
        });
        expect(await outcome(await direct(bearer(), ...headers))).toEqual(mismatch());
      }
    });

    test("a header of 100 KB is refused before anybody reads it", async () => {
      const huge = encode(claims([OID, ADELE], [TID, CONTOSO.tenantId], ["filler", "a".repeat(75_000)]));
      expect(huge.length).toBeGreaterThan(100_000);
      const answer = await direct(bearer(), ["X-MS-CLIENT-PRINCIPAL", huge]);

      expect(answer.status).toBe(431);
      expect(answer.body).toBe("");
      expect(stack.graph.traffic.requests).toEqual([]);
    });

    test("a header of 40 KB, of a user with many groups, is read", async () => {
      const large = encode(claims([OID, ADELE], [TID, CONTOSO.tenantId], ["groups", "a".repeat(30_000)]));
      const answer = await direct(bearer(), ["X-MS-CLIENT-PRINCIPAL", large]);

      expect(answer.status).toBe(200);
    });

    test.each(["x-ms-client-principal", "X-Ms-Client-Principal", "X-MS-cLiEnT-pRiNcIpAl"])(
      "the spelling %s is the same header",
      async (name) => {
        expect((await direct(bearer(), [name, principalOf(ADELE)])).status).toBe(200);
        stack.graph.traffic.clear();
        expect(await outcome(await direct(bearer(), [name, principalOf(MIRIAM)]))).toEqual(mismatch());
      },
    );

    test("a token in the token store's header must agree too", async () => {
      const stored: RawHeader = ["X-MS-TOKEN-AAD-ACCESS-TOKEN", token];
      expect(await outcome(await direct(stored))).toEqual(mismatch());
      expect(await outcome(await direct(stored, ["X-MS-CLIENT-PRINCIPAL", principalOf(MIRIAM)]))).toEqual(mismatch());
    });

    test("the Authorization header goes before the token store's", async () => {
      const answer = await direct(
        bearer(),
        ["X-MS-TOKEN-AAD-ACCESS-TOKEN", await userToken(stack, "MiriamG")],
        ["X-MS-CLIENT-PRINCIPAL", principalOf(MIRIAM)],
      );
      expect(await outcome(answer)).toEqual(mismatch());
    });
  });

  describe("through App Service", () => {
    test.each([
      "X-MS-CLIENT-PRINCIPAL",
      "x-ms-client-principal",
      "X-MS-cLiEnT-pRiNcIpAl",
      "X_MS_CLIENT_PRINCIPAL",
      "X-MS-CLIENT-PRINCIPAL-ID",
    ])("the client's own %s changes nothing", async (name) => {
      const answer = await throughAppService(bearer(), [name, principalOf(MIRIAM)], [name, principalOf(MIRIAM)]);

      expect(answer.status).toBe(200);
      expect(messageIn(answer)).toMatchObject({
        result: { structuredContent: { id: "87d349ed-44d7-43e1-9a83-5f2406dee5bd", name: "Adele Vance" } },
      });
    });

    test("a spoofed header without a token ends at the platform", async () => {
      const answer = await throughAppService(
        ["X-MS-CLIENT-PRINCIPAL", principalOf(ADELE)],
        ["X-MS-TOKEN-AAD-ACCESS-TOKEN", token],
      );

      expect(answer.status).toBe(401);
      expect(answer.headers["x-request-id"]).toBeUndefined();
      expect(answer.headers["server"]).toBe("Kestrel");
      expect(stack.graph.traffic.requests).toEqual([]);
    });

    test("short claim names and the other name type are understood", async () => {
      const { switches } = stack.appService ?? {};
      if (!switches) throw new Error("The stack has no App Service.");
      switches["easyauth.claimNames"] = "short";
      switches["easyauth.nameType"] = "name";
      const answer = await throughAppService(bearer());
      switches["easyauth.claimNames"] = "long";
      switches["easyauth.nameType"] = "emailaddress";

      expect(answer.status).toBe(200);
    });
  });
});

describe("start in AUTH_MODE=easy-auth without proof of App Service Authentication", () => {
  let stack: Stack;
  let environment: Record<string, string>;
  beforeAll(async () => {
    stack = await startStack("easy-auth");
    const { WEBSITE_AUTH_ENABLED: _enabled, WEBSITE_AUTH_V2_CONFIG_JSON: _file, ...rest } = stack.environment();
    environment = { ...rest, HOST: "127.0.0.1", PORT: "0" };
  });
  afterAll(() => stack.close());

  test.each([
    { name: "nothing is set", settings: {} },
    { name: "WEBSITE_AUTH_ENABLED is False", settings: { WEBSITE_AUTH_ENABLED: "False" } },
    { name: "WEBSITE_AUTH_ENABLED is false", settings: { WEBSITE_AUTH_ENABLED: "false" } },
    { name: "WEBSITE_AUTH_ENABLED is empty", settings: { WEBSITE_AUTH_ENABLED: "" } },
    { name: "WEBSITE_AUTH_ENABLED is 1", settings: { WEBSITE_AUTH_ENABLED: "1" } },
    {
      name: "WEBSITE_AUTH_ENABLED is False although the file says otherwise",
      settings: { WEBSITE_AUTH_ENABLED: "False", WEBSITE_AUTH_V2_CONFIG_JSON: '{"platform":{"enabled":true}}' },
    },
    {
      name: "the configuration file switches it off",
      settings: { WEBSITE_AUTH_V2_CONFIG_JSON: '{"platform":{"enabled":false}}' },
    },
    {
      name: "the configuration file says it in another type",
      settings: { WEBSITE_AUTH_V2_CONFIG_JSON: '{"platform":{"enabled":"true"}}' },
    },
    { name: "the configuration file is null", settings: { WEBSITE_AUTH_V2_CONFIG_JSON: "null" } },
    { name: "the configuration file is no JSON", settings: { WEBSITE_AUTH_V2_CONFIG_JSON: "{oops" } },
  ])("$name: the server says what is wrong and exits with 1", async ({ settings }) => {
    const server = await startServerProcess({ ...environment, ...settings });

    expect(await server.exit).toBe(1);
    expect(server.port).toBe(0);
    expect(server.output()).toBe(
      "The configuration is not complete:\n" +
        "  - WEBSITE_AUTH_ENABLED is not True: App Service Authentication is not on, and AUTH_MODE=easy-auth relies on it. " +
        "Turn it on, or set AUTH_MODE=bearer to let this server check tokens alone.\n",
    );
  });

  test.each([
    { name: "WEBSITE_AUTH_ENABLED is True", settings: { WEBSITE_AUTH_ENABLED: "True" } },
    {
      name: "the configuration file switches it on",
      settings: { WEBSITE_AUTH_V2_CONFIG_JSON: '{"platform":{"enabled":true}}' },
    },
  ])("$name: the server starts", async ({ settings }) => {
    const server = await startServerProcess({ ...environment, ...settings });
    await server.stop();

    expect(server.port).toBeGreaterThan(0);
  });
});
