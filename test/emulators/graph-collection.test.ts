import { afterAll, beforeAll, expect, test } from "vitest";
import { EVENTUAL, type GraphFixture, names, problem, startGraphFixture } from "./graph-fixture.ts";

let fixture: GraphFixture;
beforeAll(async () => {
  fixture = await startGraphFixture();
});
afterAll(() => fixture.close());

const users = (options: Readonly<Record<string, string>>, headers: Readonly<Record<string, string>> = {}) =>
  fixture.get(`/users?${new URLSearchParams({ $select: "displayName", ...options }).toString()}`, {
    headers,
    claims: { scp: "User.Read.All" },
  });

const nextLink = ({ body }: { readonly body: Readonly<Record<string, unknown>> }) => String(body["@odata.nextLink"]);

test("G23: following the absolute nextLink visits every user once, until there is none", async () => {
  const seen: unknown[] = [];
  let page = await users({ $top: "10" });
  expect(nextLink(page)).toMatch(
    new RegExp(`^${fixture.graph.origin}/v1\\.0/users\\?\\$select=displayName&\\$top=10&\\$skiptoken=[\\w-]+$`),
  );
  const sizes: number[] = [];
  for (;;) {
    sizes.push(page.body.value?.length ?? 0);
    seen.push(...(names(page) ?? []));
    if (page.body["@odata.nextLink"] === undefined) break;
    page = await fixture.get(nextLink(page), { claims: { scp: "User.Read.All" } });
  }
  expect(sizes).toEqual([10, 10, 10, 7]);
  expect(new Set(seen).size).toBe(37);
});

test("a page that holds everything has no nextLink", async () => {
  expect((await users({ $top: "37" })).body).not.toHaveProperty("@odata.nextLink");
  expect((await users({ $top: "36" })).body).toHaveProperty("@odata.nextLink");
});

test("G23: a nextLink that a client took apart is 400", async () => {
  const expired = [
    400,
    "Directory_ExpiredPageToken",
    "The specified page token value has expired and can no longer be included in your request.",
  ];
  const link = nextLink(await users({ $top: "5" }));
  expect(problem(await fixture.get(link.replace("$top=5", "$top=6")))).toEqual(expired);
  expect(problem(await fixture.get("/users?$skiptoken=MTA"))).toEqual(expired);
});

test("G24: with the switch the first page is empty and its nextLink leads to the users", async () => {
  fixture.graph.switches["graph.emptyPage"] = true;
  const first = await users({ $top: "2" });
  const second = await fixture.get(nextLink(first));
  const third = await fixture.get(nextLink(second));
  fixture.graph.switches["graph.emptyPage"] = false;
  expect(first.body.value).toEqual([]);
  expect(names(second)).toEqual(["Patti Fernandez", "Miriam Graham"]);
  expect(names(third)).toEqual(["Megan Bowen", "Alex Wilber"]);
});

test("G25, G26: the header must come again with each page, and the count comes with the first only", async () => {
  const first = await users({ $search: '"displayName:jo"', $count: "true", $top: "2" }, EVENTUAL);
  expect(first.body["@odata.count"]).toBe(4);
  expect(names(first)).toEqual(["Johanna Lorenz", "Jordan Miller"]);

  expect(problem(await fixture.get(nextLink(first)))[1]).toBe("Request_UnsupportedQuery");
  const second = await fixture.get(nextLink(first), { headers: EVENTUAL });
  expect(names(second)).toEqual(["Jordan Lee", "Joni Sherman"]);
  expect(second.body).not.toHaveProperty("@odata.count");
});

test("G32: $skip is not supported on /users", async () => {
  expect(problem(await users({ $skip: "5" }))).toEqual([400, "BadRequest", "'$skip' is not supported by the service."]);
});

test.each([
  ["0", "Request_UnsupportedQuery", "Invalid page size specified: '0'. Must be between 1 and 999 inclusive."],
  ["1000", "Request_UnsupportedQuery", "Invalid page size specified: '1000'. Must be between 1 and 999 inclusive."],
  [
    "-1",
    "BadRequest",
    "Invalid value '-1' for $top query option found. The $top query option requires a non-negative integer value.",
  ],
])("$top=%s is 400", async ($top, code, message) => {
  expect(problem(await users({ $top }))).toEqual([400, code, message]);
});

test("G33: $search and $count without ConsistencyLevel are 400", async () => {
  expect(problem(await users({ $search: '"displayName:adele"' }))).toEqual([
    400,
    "Request_UnsupportedQuery",
    "Request with $search query parameter only works through MSGraph with a special request header: 'ConsistencyLevel: eventual'",
  ]);
  expect(problem(await users({ $count: "true" }))).toEqual([
    400,
    "Request_BadRequest",
    "$count is not currently supported.",
  ]);
  expect((await users({ $count: "true" }, { ConsistencyLevel: "session" })).status).toBe(400);
  expect((await users({ $count: "true" }, EVENTUAL)).body["@odata.count"]).toBe(37);
});

test.each([
  ['"displayName:adel"', ["Adele Vance"]],
  ['"displayName:ance"', []],
  ['"displayName:vance adele"', ["Adele Vance"]],
  ['"displayName:conn"', ["Siobhán O'Connor"]],
  ['"displayName:JÜRG"', ["Jürgen Müller"]],
  ['"displayName:张"', ["张伟"]],
  ['"displayName:حداد"', ["فاطمة حداد"]],
  ['"mail:alexw"', ["Alex Wilber"]],
  ['"mail:contoso"', []],
  ['"displayName:gupta" AND "givenName:pri"', ["Priya Gupta"]],
  ['"displayName:mueller" OR "displayName:miller"', ["Henrietta Mueller", "Jordan Miller"]],
  ['"displayName:alex" AND "surname:darrow" OR "mail:lynne"', ["Alex Darrow", "Lynne Robbins"]],
  ['"displayName:"', 37],
])("G34: $search=%s finds beginnings of words", async ($search, expected) => {
  const found = names(await users({ $search }, EVENTUAL));
  expect(typeof expected === "number" ? found?.length : found).toEqual(expected);
});

test.each([
  ["displayName:adele", "BadRequest", "Syntax error: character 'd' is not valid at position 0 in 'displayName:adele'."],
  [
    '"displayName:a" "mail:b"',
    "BadRequest",
    `Syntax error: character '"' is not valid at position 16 in '"displayName:a" "mail:b"'.`,
  ],
  ['"displayName:a" OR', "BadRequest", `Syntax error: unexpected end of '"displayName:a" OR'.`],
  ['"jobTitle:manager"', "Request_BadRequest", "Property 'jobTitle' is not supported in $search."],
  ['"adele"', "Request_BadRequest", "Property '' is not supported in $search."],
])("G34: $search=%s is 400", async ($search, code, message) => {
  expect(problem(await users({ $search }, EVENTUAL))).toEqual([400, code, message]);
});

test.each([
  ["department ne 'Engineering'", 29],
  ["not startswith(displayName,'A')", 32],
  ["endsWith(mail,'@fabrikam.com')", 1],
])("G35: $filter=%s needs ConsistencyLevel and $count", async ($filter, count) => {
  const unsupported = [400, "Request_UnsupportedQuery", "Unsupported Query."];
  expect(problem(await users({ $filter }))).toEqual(unsupported);
  expect(problem(await users({ $filter }, EVENTUAL))).toEqual(unsupported);
  expect((await users({ $filter, $count: "true" }, EVENTUAL)).body["@odata.count"]).toBe(count);
});

test("contains is not supported on users, whatever the header", async () => {
  const answer = await users({ $filter: "contains(displayName,'van')", $count: "true" }, EVENTUAL);
  expect(problem(answer)).toEqual([
    400,
    "Request_UnsupportedQuery",
    "Unsupported or invalid query filter clause specified for property 'displayName' of resource 'User'.",
  ]);
});

test("G36: a doubled quote in a literal stands for one", async () => {
  expect(names(await users({ $filter: "surname eq 'O''Connor'" }))).toEqual(["Siobhán O'Connor"]);
  expect(problem(await users({ $filter: "surname eq 'O'Connor'" }))).toEqual([
    400,
    "BadRequest",
    "Invalid filter clause: Syntax error at position 20 in 'surname eq 'O'Connor''.",
  ]);
});

test("$orderby sorts, and together with $filter needs the advanced query", async () => {
  expect(names(await users({ $orderby: "displayName", $top: "3" }))).toEqual([
    "Adèle Dubois",
    "Adele Vance",
    "Alex Darrow",
  ]);
  const both = { $filter: "givenName eq 'Jordan'", $orderby: "surname desc", $count: "true" };
  expect(names(await users(both, EVENTUAL))).toEqual(["Jordan Miller", "Jordan Lee"]);
  const { $count: _, ...withoutCount } = both;
  expect(problem(await users(withoutCount, EVENTUAL))).toEqual([
    400,
    "Request_UnsupportedQuery",
    "Sorting not supported for current query.",
  ]);
});

test("an option given twice is 400", async () => {
  expect(problem(await fixture.get("/users?$top=1&$top=2"))).toEqual([
    400,
    "BadRequest",
    "Query option '$top' was specified more than once, but it must be specified at most once.",
  ]);
});

test("broken percent-encoding in the query is 400", async () => {
  expect(problem(await fixture.get("/users?$filter=%E0%A4%A"))).toEqual([
    400,
    "BadRequest",
    "Bad Request - Error in query syntax.",
  ]);
});
