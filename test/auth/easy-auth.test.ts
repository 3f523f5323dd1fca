import { describe, expect, test } from "vitest";
import { AuthError } from "../../src/auth/auth-error.ts";
import { readBearerToken, requireAgreement } from "../../src/auth/easy-auth.ts";
import { ADELE as PRINCIPAL } from "../support/callers.ts";

const ADELE = "87d349ed-44d7-43e1-9a83-5f2406dee5bd";
const MEGAN = "48d31887-5fad-4d73-a9f5-3c356e68a038";
const CONTOSO = "5b7e1e6c-4a52-4f0e-9d0a-6a3c1f6f2d11";
const FABRIKAM = "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d";

interface Claim {
  readonly typ: string;
  readonly val: unknown;
}

const claim = (typ: string) => (val: unknown) => ({ typ, val });
const oid = claim("oid");
const tid = claim("tid");
const objectIdentifier = claim("http://schemas.microsoft.com/identity/claims/objectidentifier");
const tenantId = claim("http://schemas.microsoft.com/identity/claims/tenantid");

const encode = (text: string) => Buffer.from(text).toString("base64");
const encodePrincipal = (auth_typ: string, claims: readonly Claim[]) =>
  encode(JSON.stringify({ auth_typ, name_typ: "name", role_typ: "roles", claims }));
const principalOf = (...claims: readonly Claim[]) => encodePrincipal("aad", claims);

/** What agreement with Adele's token comes to, for one `X-MS-CLIENT-PRINCIPAL`. */
function decide(header: string | string[] | undefined): "agrees" | AuthError {
  try {
    requireAgreement({ "x-ms-client-principal": header }, PRINCIPAL);
    return "agrees";
  } catch (error) {
    if (error instanceof AuthError) return error;
    throw error;
  }
}

describe("App Service's principal", () => {
  test.each([
    ["short", principalOf(oid(ADELE), tid(CONTOSO))],
    ["URI", principalOf(objectIdentifier(ADELE), tenantId(CONTOSO))],
    ["mixed", principalOf(oid(ADELE), tenantId(CONTOSO), claim("name")("Adele Vance"))],
    ["both kinds of", principalOf(oid(ADELE), objectIdentifier(ADELE), tid(CONTOSO), tenantId(CONTOSO))],
  ])("with the token's user and tenant under %s claim names agrees", (_names, header) => {
    expect(decide(header)).toBe("agrees");
  });

  const good = principalOf(oid(ADELE), tid(CONTOSO));
  const groups = Array.from({ length: 2000 }, (_, n) => claim("groups")(`group ${n}`));

  test.each<[string, string | string[] | undefined]>([
    ["that is missing", undefined],
    ["that is empty", ""],
    ["that came twice", [good, good]],
    ["that came twice and was joined", `${good}, ${principalOf(oid(MEGAN), tid(CONTOSO))}`],
    ["with something behind it", `${good}=#`],
    ["of another user", principalOf(oid(MEGAN), tid(CONTOSO))],
    ["of another tenant", principalOf(oid(ADELE), tid(FABRIKAM))],
    ["of another user under the other claim name", principalOf(oid(ADELE), objectIdentifier(MEGAN), tid(CONTOSO))],
    ["of two users", principalOf(oid(ADELE), oid(MEGAN), tid(CONTOSO))],
    ["of two tenants", principalOf(oid(ADELE), tid(CONTOSO), tenantId(FABRIKAM))],
    ["without a tenant", principalOf(oid(ADELE))],
    ["without a user", principalOf(claim("sub")(ADELE), tid(CONTOSO))],
    ["without claims", principalOf()],
    ["with the user in another case", principalOf(oid(ADELE.toUpperCase()), tid(CONTOSO))],
    ["with a list as the user", principalOf(oid([ADELE]), tid(CONTOSO))],
    ["of another identity provider", encodePrincipal("google", [oid(ADELE), tid(CONTOSO)])],
    ["that is no base64", "%%%"],
    ["that is no JSON", encode("oid=87d349ed-44d7-43e1-9a83-5f2406dee5bd")],
    ["that is cut off", good.slice(0, -12)],
    ["that is null", encode("null")],
    ["that is a list", encode("[]")],
    ["that is plain JSON", Buffer.from(good, "base64").toString()],
    ["of 100 KB of filler", "A".repeat(100_000)],
    ["of 100 KB of claims without a user", principalOf(...groups)],
    ["of deep JSON", encode(`${"[".repeat(50_000)}${"]".repeat(50_000)}`)],
  ])("%s is refused as a mismatch with the token", (_situation, header) => {
    expect(decide(header)).toMatchObject({
      name: "AuthError",
      failure: "principal_mismatch",
      message: "The request did not come through App Service Authentication.",
      subject: { userId: ADELE, tenantId: CONTOSO, clientId: "7d3a7f0e-9b64-4c1d-8f6e-0c5b1d2e3f40" },
    });
  });
});

describe("bearer token of a request", () => {
  const stored = { "x-ms-token-aad-access-token": "b" };

  test.each([
    ["is the Authorization header", { authorization: "Bearer a" }, "Bearer a"],
    ["is the Authorization header rather than the token store's", { authorization: "Bearer a", ...stored }, "Bearer a"],
    ["is not taken from the token store beside another scheme", { authorization: "Basic a", ...stored }, "Basic a"],
    ["is the token store's in a browser session", stored, "Bearer b"],
    ["is absent when the token store's came twice", { "x-ms-token-aad-access-token": ["b", "c"] }, undefined],
    ["is absent without headers", {}, undefined],
  ])("%s", (_expectation, headers, token) => {
    expect(readBearerToken(headers)).toBe(token);
  });
});
