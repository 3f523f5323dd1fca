import { afterAll, beforeAll, expect, test } from "vitest";
import { people } from "../../emulators/contoso/users.ts";
import { EVENTUAL, type GraphFixture, names, problem, startGraphFixture } from "./graph-fixture.ts";

let fixture: GraphFixture;
beforeAll(async () => {
  fixture = await startGraphFixture();
});
afterAll(() => fixture.close());

const READ_ALL = { claims: { scp: "User.Read.All" } };

test("G32: /me without $select answers the default property set", async () => {
  const { status, body } = await fixture.get("/me");
  expect(status).toBe(200);
  expect(body).toEqual({
    "@odata.context": `${fixture.graph.origin}/v1.0/$metadata#users/$entity`,
    businessPhones: ["+1 425 555 0107"],
    displayName: "Adele Vance",
    givenName: "Adele",
    id: "87d349ed-44d7-43e1-9a83-5f2406dee5bd",
    jobTitle: "Retail Manager",
    mail: "AdeleV@contoso.com",
    mobilePhone: null,
    officeLocation: "18/2111",
    preferredLanguage: "en-US",
    surname: "Vance",
    userPrincipalName: "AdeleV@contoso.com",
  });
});

test("$select chooses the properties, and the context names them", async () => {
  const { body } = await fixture.get("/me?$select=id,department");
  expect(body).toEqual({
    "@odata.context": `${fixture.graph.origin}/v1.0/$metadata#users(id,department)/$entity`,
    id: people.normal.id,
    department: "Retail",
  });
});

test("$select of a property that users do not have is 400", async () => {
  expect(problem(await fixture.get("/users?$select=id,shoeSize"))).toEqual([
    400,
    "BadRequest",
    "Parsing OData Select and Expand failed: Could not find a property named 'shoeSize' on type 'microsoft.graph.user'.",
  ]);
});

test("G32: a profile property is 501 on the collection and fine on one user", async () => {
  expect(problem(await fixture.get("/users?$select=id,aboutMe"))).toEqual([
    501,
    "NotImplemented",
    "Property 'aboutMe' cannot be selected on a collection.",
  ]);
  expect((await fixture.get("/me?$select=aboutMe")).body).toMatchObject({ aboutMe: null });
});

test("with User.ReadBasic.All only basic properties of other users are visible", async () => {
  const select = "?$select=id,displayName,mail,jobTitle,department,officeLocation,businessPhones";
  const megan = { id: people.needsMfa.id, displayName: "Megan Bowen", mail: "MeganB@contoso.com" };

  const basic = await fixture.get(`/users/${people.needsMfa.id}${select}`);
  expect(basic.body).toMatchObject({
    ...megan,
    jobTitle: null,
    department: null,
    officeLocation: null,
    businessPhones: [],
  });

  const full = await fixture.get(`/users/${people.needsMfa.id}${select}`, READ_ALL);
  expect(full.body).toMatchObject({
    ...megan,
    jobTitle: "Marketing Manager",
    department: "Marketing",
    officeLocation: "12/1110",
    businessPhones: ["+1 425 555 0102"],
  });
});

test("what is hidden cannot be found by a filter either", async () => {
  const filter = `/users?$filter=${encodeURIComponent("department eq 'Legal'")}&$select=displayName`;
  expect(names(await fixture.get(filter))).toEqual([]);
  expect(names(await fixture.get(filter, READ_ALL))).toEqual(["Joni Sherman", "Enrico Cattaneo"]);
});

test("a user is found by user principal name in any case, also with an apostrophe or #EXT#", async () => {
  const get = async (upn: string) => (await fixture.get(`/users/${encodeURIComponent(upn)}`)).body["displayName"];
  expect(await get("adelev@CONTOSO.com")).toBe("Adele Vance");
  expect(await get("siobhan.o'connor@contoso.com")).toBe("Siobhán O'Connor");
  expect(await get("sam_fabrikam.com#EXT#@contoso.com")).toBe("Sam Jenkins");
});

test("an object id is found in any case", async () => {
  const { body } = await fixture.get(`/users/${people.needsMfa.id.toUpperCase()}`);
  expect(body["displayName"]).toBe("Megan Bowen");
});

test("G5: /me of somebody who was deleted after signing in is 404", async () => {
  const oid = "00000000-0000-4000-8000-000000000000";
  expect(problem(await fixture.get("/me", { claims: { oid } }))).toEqual([
    404,
    "Request_ResourceNotFound",
    "Resource '00000000-0000-4000-8000-000000000000' does not exist or one of its queried reference-property objects are not present.",
  ]);
});

test("G5: an unknown user is 404 Request_ResourceNotFound", async () => {
  expect(problem(await fixture.get("/users/nobody@contoso.com"))).toEqual([
    404,
    "Request_ResourceNotFound",
    "Resource 'nobody@contoso.com' does not exist or one of its queried reference-property objects are not present.",
  ]);
});

test("G5: an id with a separator in it, or over-long, is 400 and names no more than its beginning", async () => {
  expect(problem(await fixture.get("/users/..%2Fme"))).toEqual([
    400,
    "Request_BadRequest",
    "Invalid object identifier '../me'.",
  ]);
  expect(problem(await fixture.get(`/users/${"x".repeat(5000)}`))).toEqual([
    400,
    "Request_BadRequest",
    `Invalid object identifier '${"x".repeat(100)}'.`,
  ]);
});

test("the manager needs User.Read.All, is a directoryObject, and 404 for whom there is none", async () => {
  expect(problem(await fixture.get("/me/manager"))).toEqual([
    403,
    "Authorization_RequestDenied",
    "Insufficient privileges to complete the operation.",
  ]);
  expect((await fixture.get("/me/manager?$select=displayName", READ_ALL)).body).toEqual({
    "@odata.context": `${fixture.graph.origin}/v1.0/$metadata#directoryObjects(displayName)/$entity`,
    "@odata.type": "#microsoft.graph.user",
    displayName: "Lee Gu",
  });
  expect((await fixture.get(`/users/${people.noConsent.id}/manager`, READ_ALL)).body["displayName"]).toBe(
    "Patti Fernandez",
  );
  expect(problem(await fixture.get("/users/PattiF@contoso.com/manager", READ_ALL))).toEqual([
    404,
    "Request_ResourceNotFound",
    "Resource 'manager' does not exist or one of its queried reference-property objects are not present.",
  ]);
});

test("direct reports of oneself and of others need only User.Read", async () => {
  const claims = { scp: "User.Read" };
  const own = await fixture.get("/me/directReports", { claims });
  expect(names(own)).toEqual(["Adèle Dubois", "Lynne Robbins", "Christie Cline"]);
  expect(own.body.value?.[0]).toMatchObject({ "@odata.type": "#microsoft.graph.user", jobTitle: null });
  const others = await fixture.get(`/users/${people.needsMfa.id}/directReports?$top=1`, { claims });
  expect(names(others)).toEqual(["Alex Wilber"]);
  expect(others.body["@odata.nextLink"]).toContain(
    `/v1.0/users/${people.needsMfa.id}/directReports?$top=1&$skiptoken=`,
  );
});

test.each([
  ["/me", "Mail.Read"],
  ["/users", "User.Read"],
  [`/users/${people.needsMfa.id}`, "User.Read"],
  [`/users/${people.needsMfa.id}`, "People.Read"],
  ["/me/manager", "User.ReadBasic.All"],
  ["/me/directReports", "User.ReadBasic.All"],
])("G4: %s with only %s is 403 Authorization_RequestDenied", async (path, scp) => {
  expect(problem(await fixture.get(path, { claims: { scp } }))).toEqual([
    403,
    "Authorization_RequestDenied",
    "Insufficient privileges to complete the operation.",
  ]);
});

test.each([
  ["/me", "User.Read"],
  ["/users", "User.ReadBasic.All"],
  ["/users", "Directory.Read.All"],
  [`/users/${people.normal.id}`, "User.Read"],
  ["/me/directReports", "User.Read.All"],
])("%s is allowed with %s", async (path, scp) => {
  expect((await fixture.get(path, { claims: { scp } })).status).toBe(200);
});

test("an app-only token cannot ask for /me, but for /users with the application permission", async () => {
  const claims = { scp: undefined, roles: ["User.Read.All"] };
  expect(problem(await fixture.get("/me", { claims }))).toEqual([
    400,
    "BadRequest",
    "/me request is only valid with delegated authentication flow.",
  ]);
  const user = await fixture.get(`/users/${people.normal.id}?$select=jobTitle`, { claims });
  expect(user.body["jobTitle"]).toBe("Retail Manager");
});

test("G20: a directory answer tells its cost, which $select and a small $top lower", async () => {
  const cost = async (path: string) => (await fixture.get(path)).headers.get("x-ms-resource-unit");
  expect(await cost("/users")).toBe("2");
  expect(await cost("/users?$select=id")).toBe("1");
  expect(await cost("/users?$top=5")).toBe("1");
  expect(await cost("/users?$top=5&$select=id")).toBe("1");
});

test("G20: near its limit the directory reports the throttling state", async () => {
  expect((await fixture.get("/me")).headers.get("x-ms-throttle-limit-percentage")).toBeNull();
  fixture.graph.switches["graph.throttleLimitPercentage"] = 0.9;
  const { headers } = await fixture.get("/me", { headers: EVENTUAL });
  fixture.graph.switches["graph.throttleLimitPercentage"] = undefined;
  expect(headers.get("x-ms-throttle-limit-percentage")).toBe("0.9");
  expect(headers.get("x-ms-throttle-scope")).toBe(
    "Tenant_Application/ReadWrite/c4f2c6a1-8d5b-4e0e-a6f7-2f6f5f1f9b10/5b7e1e6c-4a52-4f0e-9d0a-6a3c1f6f2d11",
  );
  expect(headers.get("x-ms-throttle-information")).toBe("ResourceUnitLimitExceeded");
});
