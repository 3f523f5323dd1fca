import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { MICROSOFT_GRAPH_APP_ID } from "../../emulators/directory.ts";
import { defaultSwitches } from "../../emulators/graph/switches.ts";
import { failureOf } from "../support/failures.ts";
import type { McpClient } from "../support/mcp-clients.ts";
import { connectAs, watch } from "../support/outside-traffic.ts";
import { pagesOf } from "../support/pages.ts";
import { type Stack, startStack } from "../support/stack.ts";

const ADELE = {
  id: "87d349ed-44d7-43e1-9a83-5f2406dee5bd",
  name: "Adele Vance",
  email: "AdeleV@contoso.com",
  upn: "AdeleV@contoso.com",
};
const LEE = {
  id: "5bde3e51-d13b-4db1-9948-fe4b109d11a7",
  name: "Lee Gu",
  email: "LeeG@contoso.com",
  upn: "LeeG@contoso.com",
};
const SAM = {
  id: "ec63c778-24e1-4240-bea3-d12a167d5232",
  name: "Sam Jenkins",
  email: "sam@fabrikam.com",
  upn: "sam_fabrikam.com#EXT#@contoso.com",
};

const PEOPLE_FIELDS = "id%2CdisplayName%2CscoredEmailAddresses%2CuserPrincipalName";
const USER_FIELDS = "id%2CdisplayName%2Cmail%2CuserPrincipalName";
const DETAIL_FIELDS = `${USER_FIELDS}%2CjobTitle%2Cdepartment%2CofficeLocation`;
const BATCH = "POST /v1.0/$batch";

const relevant = (words: string, top = 10) =>
  `GET /v1.0/me/people?$top=${top}&$select=${PEOPLE_FIELDS}&$search=%22${words}%22`;
const directory = (words: string, top = 10) =>
  `GET /v1.0/users?$count=true&$top=${top}&$select=${USER_FIELDS}` +
  `&$search=%22displayName%3A${words}%22%20OR%20%22mail%3A${words}%22`;
const details = (user: string) => `GET /v1.0/users/${user}?$select=${DETAIL_FIELDS}`;

interface Found {
  readonly people: readonly { readonly name: string }[];
  readonly next?: string;
}

let stack: Stack;
let adele: McpClient;
beforeAll(async () => {
  stack = await startStack();
  adele = await connectAs(stack, "AdeleV");
  await adele.call("search_people", { query: "lee" });
});
afterAll(async () => {
  await adele.close();
  await stack.close();
});
afterEach(() => {
  stack.graph.traffic.recover();
  Object.assign(stack.graph.switches, defaultSwitches);
});

const watchCall = (name: string, args: Record<string, unknown>) => watch(stack, () => adele.call(name, args));

/** The names on each page, to the end. */
async function namesOf(args: Record<string, unknown>): Promise<string[][]> {
  const pages = await pagesOf<Found>(adele, "search_people", args);
  return pages.map(({ people }) => people.map(({ name }) => name));
}

describe("search_people", () => {
  test("finds people that the user works with, with one request to Graph and no token traffic", async () => {
    const { result, traffic } = await watchCall("search_people", { query: "alex" });

    expect(result.structuredContent).toEqual({
      people: [
        {
          id: "6e3b8f19-27cd-4a60-8f5e-b41d9c70e204",
          name: "Alex Wilber",
          email: "AlexW@contoso.com",
          upn: "AlexW@contoso.com",
        },
        {
          id: "c71f2d80-64ae-4b39-9d12-7a05e8f3b605",
          name: "Alex Darrow",
          email: "AlexD@contoso.com",
          upn: "AlexD@contoso.com",
        },
      ],
    });
    expect(JSON.parse(result.content[0]?.text ?? "")).toEqual(result.structuredContent);
    expect(traffic).toEqual({ graph: [relevant("alex")], identity: [] });
  });

  test("finds guests with the address of their own organisation", async () => {
    expect((await adele.call("search_people", { query: "jenkins" })).structuredContent).toEqual({ people: [SAM] });
  });

  test("pages through relevant people to the end, each page with one request", async () => {
    expect(await namesOf({ query: "a", limit: 3 })).toEqual([
      ["Adèle Dubois", "Alex Wilber", "Alex Darrow"],
      ["Grady Archie", "Allan Deyoung", "Åsa Öberg"],
    ]);
    const first = await adele.call("search_people", { query: "a", limit: 3 });
    const { traffic } = await watchCall("search_people", {
      query: "a",
      limit: 3,
      cursor: first.structuredContent?.["next"],
    });
    expect(traffic.graph).toEqual([expect.stringMatching(/^GET \/v1\.0\/me\/people\?.*\$skip=3/)]);
    expect(traffic.identity).toEqual([]);
  });

  test("searches the whole directory on request, and pages through it", async () => {
    const args = { query: "jo", scope: "directory", limit: 2 };
    const { result, traffic } = await watchCall("search_people", args);

    expect(traffic).toEqual({ graph: [directory("jo", 2)], identity: [] });
    expect(await namesOf(args)).toEqual([
      ["Johanna Lorenz", "Jordan Miller"],
      ["Jordan Lee", "Joni Sherman"],
    ]);
    const { next } = result.structuredContent as unknown as Found;
    const second = await watchCall("search_people", { ...args, cursor: next });
    expect(second.traffic.graph).toEqual([expect.stringMatching(/^GET \/v1\.0\/users\?.*\$skiptoken=/)]);
    expect(stack.graph.traffic.requests[0]?.headers["consistencylevel"]).toBe("eventual");
  });

  test("falls back to the directory for somebody the user has nothing to do with", async () => {
    const { result, traffic } = await watchCall("search_people", { query: "AdeleV@contoso.com" });

    expect(result.structuredContent).toEqual({ people: [ADELE] });
    expect(traffic).toEqual({
      graph: [relevant("AdeleV%40contoso.com"), directory("AdeleV%40contoso.com")],
      identity: [],
    });
  });

  test("follows the cursor of a fallback in the directory, without asking for relevant people again", async () => {
    stack.graph.traffic.fail({ kind: "status", status: 200, body: { value: [] } }, { path: /\/me\/people/ });

    expect(await namesOf({ query: "jo", limit: 3 })).toEqual([
      ["Johanna Lorenz", "Jordan Miller", "Jordan Lee"],
      ["Joni Sherman"],
    ]);
    expect(stack.graph.traffic.requests.at(-1)?.url).toMatch(/^\/v1\.0\/users\?/);
  });

  test("does not fall back when the first page of relevant people is empty but has a next one", async () => {
    stack.graph.switches["graph.emptyPage"] = true;

    const { traffic } = await watchCall("search_people", { query: "alex" });
    expect(traffic.graph).toEqual([relevant("alex")]);
    expect(await namesOf({ query: "alex" })).toEqual([[], ["Alex Wilber", "Alex Darrow"]]);
  });

  test("does not look elsewhere when a cursor leads to an empty last page", async () => {
    const args = { query: "a", limit: 3 };
    const { next } = (await adele.call("search_people", args)).structuredContent as unknown as Found;
    stack.graph.traffic.fail({ kind: "status", status: 200, body: { value: [] } });

    const { result, traffic } = await watchCall("search_people", { ...args, cursor: next });
    expect(result.structuredContent).toEqual({ people: [] });
    expect(traffic.graph).toHaveLength(1);
  });

  test("finds nobody where nobody is", async () => {
    expect((await adele.call("search_people", { query: "zebediah" })).structuredContent).toEqual({ people: [] });
  });

  test.each([
    ["an end of the clause", 'a" OR "mail:b', "a%5C%22%20OR%20%5C%22mail%3Ab"],
    ["a backslash", "a\\", "a%5C%5C"],
    ["another option", "vance&$top=1", "vance%26%24top%3D1"],
    ["a fragment", "vance#x", "vance%23x"],
    ["a plus and a percent sign", "va+n%20", "va%2Bn%2520"],
    ["a path", "../../groups?x", "..%2F..%2Fgroups%3Fx"],
    ["an apostrophe", "O'Connor", "O%27Connor"],
    ["a line break", "vance\r\nx: y", "vance%0D%0Ax%3A%20y"],
  ])("takes %s among the words as words", async (_what, query, encoded) => {
    const { traffic } = await watchCall("search_people", { query, scope: "directory" });

    expect(traffic.graph).toEqual([directory(encoded)]);
  });

  test.each<[string, Record<string, unknown>, string]>([
    ["no words", {}, "query: Invalid input: expected string, received undefined"],
    ["blanks", { query: "  " }, "query: Too small: expected string to have >=1 characters"],
    ["too many words", { query: "a".repeat(101) }, "query: Too big: expected string to have <=100 characters"],
    ["a limit out of range", { query: "a", limit: 51 }, "limit: Too big: expected number to be <=50"],
    ["another argument", { query: "a", filter: "x" }, 'arguments: Unrecognized key: "filter"'],
  ])("refuses %s before Graph is asked", async (_what, args, problem) => {
    const { result, traffic } = await watchCall("search_people", args);

    expect(result).toMatchObject(
      failureOf("invalid_arguments", `The arguments of search_people are not valid. ${problem}`),
    );
    expect(traffic).toEqual({ graph: [], identity: [] });
  });

  test("refuses words that are no Unicode before Graph is asked", async () => {
    const { result, traffic } = await watchCall("search_people", { query: "ann \uD800", scope: "directory" });

    expect(result).toMatchObject(
      failureOf("invalid_arguments", "The words in the arguments are not valid Unicode text."),
    );
    expect(traffic.graph).toEqual([]);
  });

  test("refuses a cursor with other arguments, of another user, or made up, before Graph is asked", async () => {
    const args = { query: "a", limit: 3 };
    const { next } = (await adele.call("search_people", args)).structuredContent as unknown as Found;
    const diego = await connectAs(stack, "DiegoS");
    await diego.call("search_people", args);

    const { result: results, traffic } = await watch(stack, () =>
      Promise.all([
        adele.call("search_people", { query: "b", limit: 3, cursor: next }),
        adele.call("search_people", { query: "a", limit: 4, cursor: next }),
        adele.call("search_people", { ...args, scope: "directory", cursor: next }),
        adele.call("search_people", { ...args, cursor: "made up" }),
        diego.call("search_people", { ...args, cursor: next }),
      ]),
    );
    await diego.close();

    for (const result of results) {
      expect(result).toMatchObject(
        failureOf(
          "invalid_cursor",
          "This cursor does not belong to this search, or is older than an hour. Repeat the same arguments, or start without a cursor.",
        ),
      );
    }
    expect(traffic.graph).toEqual([]);
  });

  test("gives no cursor that leads away from Graph", async () => {
    const body = { value: [{ displayName: "Adele Vance" }], "@odata.nextLink": "https://evil.example/v1.0/me/people" };
    stack.graph.traffic.fail({ kind: "status", status: 200, body });

    const result = await adele.call("search_people", { query: "a" });
    expect(result.isError).toBe(true);
    expect(JSON.stringify(result)).not.toContain("evil.example");
  });
});

describe("get_user", () => {
  test("returns a person with one request to Graph and no token traffic, and nothing it may not see", async () => {
    const { result, traffic } = await watchCall("get_user", { user: "LeeG@contoso.com" });

    expect(result.structuredContent).toEqual({ ...LEE, job_title: null, department: null, office: null });
    expect(JSON.parse(result.content[0]?.text ?? "")).toEqual(result.structuredContent);
    expect(traffic).toEqual({ graph: [details("LeeG%40contoso.com")], identity: [] });
  });

  test("returns the signed-in user with everything", async () => {
    expect((await adele.call("get_user", { user: ADELE.id })).structuredContent).toEqual({
      ...ADELE,
      job_title: "Retail Manager",
      department: "Retail",
      office: "18/2111",
    });
  });

  test("returns direct reports on request, still with one request to Graph", async () => {
    const { result, traffic } = await watchCall("get_user", { user: ADELE.id, include_reports: true });

    expect(result.structuredContent?.["reports"]).toEqual([
      {
        id: "b3d5f607-1a29-4e8c-94b7-c0e8d2f61a09",
        name: "Adèle Dubois",
        email: "AdeleD@contoso.com",
        upn: "AdeleD@contoso.com",
      },
      {
        id: "e40a9d16-52f7-4b83-a1d0-9f3c6b7e2511",
        name: "Lynne Robbins",
        email: "LynneR@contoso.com",
        upn: "LynneR@contoso.com",
      },
      {
        id: "27c8b1f4-de60-4937-b52e-08a4f9d71312",
        name: "Christie Cline",
        email: "ChristieC@contoso.com",
        upn: "ChristieC@contoso.com",
      },
    ]);
    expect(traffic).toEqual({ graph: [BATCH], identity: [] });
  });

  test("returns an empty list for somebody without direct reports", async () => {
    const { structuredContent } = await adele.call("get_user", { user: "AlexW@contoso.com", include_reports: true });

    expect(structuredContent).toMatchObject({ name: "Alex Wilber", reports: [] });
  });

  test("says that managers are not to be had, and does not ask Graph for one", async () => {
    const { result, traffic } = await watchCall("get_user", { user: LEE.id, include_manager: true });

    expect(result.structuredContent).toEqual({
      ...LEE,
      job_title: null,
      department: null,
      office: null,
      note: "This server may not read managers: it lacks User.Read.All.",
    });
    expect(traffic).toEqual({ graph: [details(LEE.id)], identity: [] });
  });

  test.each([
    ["a guest's principal name", SAM.upn, "sam_fabrikam.com%23EXT%23%40contoso.com", "Sam Jenkins"],
    ["a name with an apostrophe", "siobhan.o'connor@contoso.com", "siobhan.o'connor%40contoso.com", "Siobhán O'Connor"],
    ["an id between blanks", `  ${LEE.id} `, LEE.id, "Lee Gu"],
  ])("finds %s", async (_what, user, segment, name) => {
    const { result, traffic } = await watchCall("get_user", { user });

    expect(result.structuredContent).toMatchObject({ name });
    expect(traffic.graph).toEqual([details(segment)]);
  });

  const NOT_FOUND = "Microsoft Graph found nothing with this id. Search again: the id may be wrong or the item gone.";

  test.each([{}, { include_reports: true }])("does not find a person who does not exist (%j)", async (more) => {
    expect(await adele.call("get_user", { user: "nobody@contoso.com", ...more })).toMatchObject(
      failureOf("not_found", NOT_FOUND),
    );
  });

  test.each([
    ["a climb", "../groups", "..%2Fgroups"],
    ["an encoded climb", "%2e%2e/groups", "%252e%252e%2Fgroups"],
    ["another path", "me/messages", "me%2Fmessages"],
    ["a query", "me?$select=id", "me%3F%24select%3Did"],
    ["a fragment", "me#", "me%23"],
    ["a key in quotes", "')/messages('", "')%2Fmessages('"],
    ["another host", "//evil.example", "%2F%2Fevil.example"],
    ["backslashes", "..\\..\\groups", "..%5C..%5Cgroups"],
    ["a line break", "me\r\nx: y", "me%0D%0Ax%3A%20y"],
  ])("takes %s as an id that is in one place of the path", async (_what, user, segment) => {
    const { result, traffic } = await watchCall("get_user", { user });

    expect(result.isError).toBe(true);
    expect(traffic.graph).toEqual([details(segment)]);
  });

  test.each(["..", ".", "a\uD800"])("refuses the id %j before Graph is asked", async (user) => {
    const { result, traffic } = await watchCall("get_user", { user, include_reports: true });

    expect(result).toMatchObject(
      failureOf("invalid_arguments", "An id in the arguments is not valid. Use an id from an earlier result."),
    );
    expect(traffic.graph).toEqual([]);
  });
});

describe("get_user on a server with EXTRA_PERMISSIONS=User.Read.All", () => {
  let extra: Stack;
  beforeAll(async () => {
    extra = await startStack("bearer", { EXTRA_PERMISSIONS: "User.Read.All" });
  });
  afterAll(() => extra.close());

  const consent = () => {
    extra.tenant.grants.push({
      clientAppId: CONTOSO.serverAppId,
      resourceAppId: MICROSOFT_GRAPH_APP_ID,
      userId: "all",
      scopes: ["User.Read.All"],
    });
  };

  test("names that permission while nobody has consented to it; other tools work", async () => {
    const client = await connectAs(extra, "AdeleV");

    const refused = await client.call("get_user", { user: LEE.id });
    expect(refused).toMatchObject({ isError: true, _meta: { "azure-graph-mcp/error": { code: "consent_required" } } });
    expect(refused.content[0]?.text).toContain("User.Read.All");
    expect((await client.call("search_people", { query: "lee" })).isError).toBeUndefined();
    await client.close();
  });

  test("returns the whole profile and the manager, with one request to Graph", async () => {
    consent();
    const client = await connectAs(extra, "AdeleV");
    await client.call("get_my_profile");

    const { result, traffic } = await watch(extra, () =>
      client.call("get_user", { user: ADELE.id, include_manager: true }),
    );
    expect(result.structuredContent).toEqual({
      ...ADELE,
      job_title: "Retail Manager",
      department: "Retail",
      office: "18/2111",
      manager: LEE,
    });
    expect(traffic).toEqual({ graph: [BATCH], identity: [] });
    expect((await client.call("get_user", { user: LEE.id })).structuredContent).toMatchObject({
      job_title: "Director",
      department: "Retail",
    });
    await client.close();
  });

  test("returns null as the manager of somebody who has none, and finds nobody's manager not", async () => {
    consent();
    const client = await connectAs(extra, "AdeleV");

    const president = await client.call("get_user", { user: "PattiF@contoso.com", include_manager: true });
    expect(president.structuredContent).toMatchObject({ name: "Patti Fernandez", manager: null });
    expect(await client.call("get_user", { user: "nobody@contoso.com", include_manager: true })).toMatchObject({
      isError: true,
      _meta: { "azure-graph-mcp/error": { code: "not_found" } },
    });
    await client.close();
  });
});
