import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { DRIVES } from "../../emulators/contoso/drive.ts";
import { defaultSwitches } from "../../emulators/graph/switches.ts";
import { type GraphAnswer, type GraphFixture, problem, startGraphFixture } from "./graph-fixture.ts";

const ALL = { claims: { scp: "User.Read Files.Read.All" } };
const OWN = { claims: { scp: "User.Read Files.Read" } };
const item = (number: number) => `01ADEL${String(number).padStart(28, "0")}`;
const IDEAS = `/me/drive/items/${item(8)}`;
const DENIED = [403, "accessDenied", "The caller does not have permission to perform the action."];
const GONE = [404, "itemNotFound", "The resource could not be found."];

let fixture: GraphFixture;
beforeAll(async () => {
  fixture = await startGraphFixture();
});
afterAll(() => fixture.close());
afterEach(() => Object.assign(fixture.graph.switches, defaultSwitches));

const get = (path: string, options: { readonly claims: Readonly<Record<string, unknown>> } = ALL) =>
  fixture.get(path, options);
const names = ({ body }: GraphAnswer) => body.value?.map(({ name }) => name);
const share = (link: string) => `/shares/u!${Buffer.from(link).toString("base64url")}/driveItem`;

/** The redirect that a path answers, not followed. */
async function redirect(path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${fixture.graph.origin}/v1.0${path}`, {
    redirect: "manual",
    headers: { Authorization: `Bearer ${await fixture.sign(ALL.claims)}`, ...headers },
  });
}

async function search(request: unknown, options = ALL): Promise<GraphAnswer> {
  const response = await fetch(`${fixture.graph.origin}/v1.0/search/query`, {
    method: "POST",
    headers: { Authorization: `Bearer ${await fixture.sign(options.claims)}`, "Content-Type": "application/json" },
    body: JSON.stringify({ requests: [request] }),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as GraphAnswer["body"] };
}

const forFiles = (queryString: string, more = {}) => ({ entityTypes: ["driveItem"], query: { queryString }, ...more });

test("the own drive and its items come in the shape of Graph", async () => {
  expect((await get("/me/drive", OWN)).body).toEqual({
    "@odata.context": `${fixture.graph.origin}/v1.0/$metadata#drives/$entity`,
    id: DRIVES.adele,
    name: "OneDrive",
    driveType: "business",
    webUrl: "https://contoso-my.sharepoint.com/personal/adelev_contoso_com/Documents",
    owner: { user: { id: "87d349ed-44d7-43e1-9a83-5f2406dee5bd" } },
  });
  const { body } = await get(`${IDEAS}?$select=name,size,file,folder,parentReference`, OWN);
  expect(body).toEqual({
    "@odata.context": expect.stringMatching(
      /#drives\('.*'\)\/items\(name,size,file,folder,parentReference\)\/\$entity$/,
    ),
    name: "Ideas.txt",
    size: 59,
    file: { mimeType: "text/plain", hashes: expect.anything() },
    parentReference: {
      driveType: "business",
      driveId: DRIVES.adele,
      id: "01ROOTBADELEVANCEONEDRIVE0001",
      path: `/drives/${DRIVES.adele}/root:`,
    },
  });
  expect((await get("/me/drive/root", OWN)).body).toMatchObject({ name: "root", root: {}, folder: { childCount: 13 } });
});

test("a folder is listed in order and in pages, counted on the first, one of which may be empty (G23, G24, G26)", async () => {
  fixture.graph.switches["graph.emptyPage"] = true;
  const first = await get("/me/drive/root/children?$top=7&$orderby=name desc&$select=name");
  expect([names(first), first.body["@odata.count"]]).toEqual([[], 13]);
  const second = await get(String(first.body["@odata.nextLink"]));
  const third = await get(String(second.body["@odata.nextLink"]));
  expect(names(second)).toEqual([
    "Video handbook.pdf",
    "Suppliers (old).csv",
    "Store opening.pptx",
    "Shop floor",
    "Sensor readings.log",
    "Salaries.docx",
    "Reports",
  ]);
  expect(names(third)).toHaveLength(6);
  expect(third.body).not.toHaveProperty("@odata.nextLink");
  expect(second.body).not.toHaveProperty("@odata.count");
  expect((await get("/me/drive/root/children?$skiptoken=made-up")).status).toBe(400);
});

test("content is a redirect to an address that is good without a token, and only without, for minutes (G55)", async () => {
  const answer = await redirect(`${IDEAS}/content`);
  const location = answer.headers.get("location") ?? "";
  expect(answer.status).toBe(302);
  expect(new URL(location).origin).toBe(fixture.graph.downloads.origin);
  expect(new URL(location).origin).not.toBe(fixture.graph.origin);

  const download = await fetch(location);
  expect([download.status, download.headers.get("content-type")]).toEqual([200, "text/plain"]);
  expect(await download.text()).toBe("Ideas for Tacoma ☕\n- coffee corner\n- opening week offers\n");
  expect((await fetch(location, { headers: { Authorization: "Bearer x" } })).status).toBe(401);
  expect((await fetch(`${fixture.graph.downloads.origin}/download?tempauth=x`)).status).toBe(401);

  fixture.graph.switches["graph.downloadSeconds"] = -1;
  const stale = (await redirect(`${IDEAS}/content`)).headers.get("location") ?? "";
  expect((await fetch(stale)).status).toBe(401);
});

test("the address of content serves ranges and tells what is unchanged; items carry one, too (G56)", async () => {
  const { body } = await get(`${IDEAS}?$select=id,@microsoft.graph.downloadUrl`);
  const location = String(body["@microsoft.graph.downloadUrl"]);

  const part = await fetch(location, { headers: { Range: "bytes=0-4" } });
  expect([part.status, part.headers.get("content-range"), await part.text()]).toEqual([206, "bytes 0-4/59", "Ideas"]);
  expect((await fetch(location, { headers: { Range: "bytes=59-" } })).status).toBe(416);
  const tag = part.headers.get("etag") ?? "";
  expect((await fetch(location, { headers: { "If-None-Match": tag } })).status).toBe(304);
  expect((await redirect(`${IDEAS}/content`, { "If-None-Match": tag })).status).toBe(304);
});

test("a file of 50 MB is served without being kept", async () => {
  const location = (await redirect(`/me/drive/items/${item(13)}/content`)).headers.get("location") ?? "";
  const end = await fetch(location, { headers: { Range: "bytes=52428736-" } });
  expect(await end.text()).toBe("reading 000819199 of the sensor in store 12 ...................\n");
  const before = process.memoryUsage().arrayBuffers;
  let size = 0;
  for await (const chunk of (await fetch(location)).body ?? []) size += (chunk as Uint8Array).length;
  expect(size).toBe(50 * 1024 * 1024);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(40 * 1024 * 1024);
});

test("a sharing link or an item's address opens for whom it is shared with", async () => {
  const link = "https://contoso-my.sharepoint.com/:w:/p/meganb/EaBc-dEfGhIjKlMn?e=4%3a1Ab2Cd&at=9";
  expect((await get(share(link))).body).toMatchObject({ name: "Campaign.docx" });
  expect((await redirect(`${share(link)}/content`)).status).toBe(302);
  expect(
    (await get(share("https://contoso.sharepoint.com/sites/retail/Shared%20Documents/Opening%20hours.json"))).status,
  ).toBe(200);
  expect(problem(await get(share("https://contoso-my.sharepoint.com/:t:/p/meganb/EzYxWvUt?e=Q1")))).toEqual(DENIED);
  expect(problem(await get(share("https://contoso.sharepoint.com/nothing")))).toEqual(GONE);
  expect((await get("/shares/not-encoded/driveItem")).status).toBe(400);
});

test("Files.Read reaches the own drive, Files.Read.All whatever the user may read (G12)", async () => {
  const library = `/drives/${DRIVES.retail}/root/children`;
  expect(names(await get(library))).toEqual(["Shop floor", "Opening hours.json"]);
  expect(problem(await get(library, OWN))).toEqual(DENIED);
  expect(problem(await get(`/drives/${DRIVES.humanResources}/root/children`))).toEqual(DENIED);
  expect(problem(await get("/me/drive", { claims: { scp: "User.Read" } }))).toEqual(DENIED);
  expect(problem(await get("/me/drive/items/01GONE"))).toEqual(GONE);
  expect(problem(await get("/drives/b!gone/items/01GONE"))).toEqual(GONE);
  expect(problem(await get("/drives/x+y/items/01GONE"))[1]).toBe("invalidRequest");
});

test("a search of the own drive may find shortcuts to other drives; quotes are doubled (G36, G58)", async () => {
  const { body } = await get("/me/drive/root/search(q='shop floor')", OWN);
  expect(body.value).toMatchObject([
    { name: "Shop floor", remoteItem: { name: "Shop floor", parentReference: { driveId: DRIVES.retail } } },
  ]);
  expect(names(await get("/me/drive/root/search(q='o''brien')"))).toEqual(["Plan #1 (50% of O'Brien's).md"]);
  expect((await get("/me/drive/root/search(q='o'brien')")).status).toBe(400);
});

test("a search of everything answers in hits containers, one request at a time (G59)", async () => {
  const { status, body } = await search(forFiles("tacoma", { from: 1, size: 1 }));
  expect(status).toBe(200);
  expect(body.value).toEqual([
    {
      searchTerms: ["tacoma"],
      hitsContainers: [
        {
          hits: [
            {
              hitId: item(7),
              rank: 2,
              summary: "Pacific Avenue, <c0>Tacoma</c0> Rent: 14,500 USD a month Term: five years from <ddd/>",
              resource: expect.objectContaining({
                "@odata.type": "#microsoft.graph.driveItem",
                id: item(7),
                name: "Lease agreement.pdf",
                parentReference: { driveId: DRIVES.adele, id: "01ROOTBADELEVANCEONEDRIVE0001" },
              }) as unknown,
            },
          ],
          total: 3,
          moreResultsAvailable: true,
        },
      ],
    },
  ]);
  const two = await fetch(`${fixture.graph.origin}/v1.0/search/query`, {
    method: "POST",
    headers: { Authorization: `Bearer ${await fixture.sign(ALL.claims)}`, "Content-Type": "application/json" },
    body: JSON.stringify({ requests: [forFiles("a"), forFiles("b")] }),
  });
  expect(two.status).toBe(400);
});

test("a search has sizes up to 1000, ignores fields, and leaves out hits that are none (G60)", async () => {
  expect((await search(forFiles("tacoma", { size: 1000, fields: ["nonsense"] }))).status).toBe(200);
  expect((await search(forFiles("tacoma", { size: 1001 }))).status).toBe(400);
  expect((await search(forFiles("tacoma", { from: -1 }))).status).toBe(400);
  expect((await search(forFiles(" "))).status).toBe(400);
  expect((await search({ entityTypes: ["planet"], query: { queryString: "x" } })).status).toBe(400);
  expect((await search(forFiles("salary"))).body.value?.[0]?.["hitsContainers"]).toEqual([
    { total: 0, moreResultsAvailable: false },
  ]);
  expect(problem(await search(forFiles("tacoma"), OWN))).toEqual(DENIED);
});
