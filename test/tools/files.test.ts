import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { defaultSwitches } from "../../emulators/graph/switches.ts";
import { failureOf } from "../support/failures.ts";
import type { CallResult, McpClient } from "../support/mcp-clients.ts";
import { connectAs, type OutsideTraffic, watch } from "../support/outside-traffic.ts";
import { pagesOf } from "../support/pages.ts";
import { type Stack, startStack } from "../support/stack.ts";

const MY_DRIVE = "b!ADeleVance-OneDrive_0001";
const RETAIL = "b!Retail-Documents_0003";
const MY_SITE = "https://contoso-my.sharepoint.com/personal/adelev_contoso_com/Documents";
const DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";

const mine = (number: number) => `01ADEL${String(number).padStart(28, "0")}`;
const retail = (number: number) => `01RETA${String(number).padStart(28, "0")}`;
const MODIFIED = { modified: "2026-06-30T16:05:00Z", modified_by: "Adele Vance" };

const FIELDS = "id%2Cname%2Csize%2CwebUrl%2ClastModifiedDateTime%2ClastModifiedBy%2Cfile%2Cfolder%2CparentReference";
const listed = (folder: string, top = 10) =>
  `GET /v1.0/${folder}/children?$orderby=name&$top=${top}&$select=${FIELDS}%2CremoteItem`;
const searched = (words: string) =>
  `GET /v1.0/me/drive/root/search(q='${words}')?$top=10&$select=${FIELDS}%2CremoteItem`;
const opened = (item: string) => [`GET /v1.0/${item}?$select=${FIELDS}`, `GET /v1.0/${item}/content`];

interface Listed {
  readonly files: readonly { readonly name: string; readonly id: string; readonly drive_id: string }[];
  readonly next?: string;
}

let stack: Stack;
let adele: McpClient;
beforeAll(async () => {
  stack = await startStack();
  adele = await connectAs(stack, "AdeleV");
  await adele.call("list_folder");
});
afterAll(async () => {
  await adele.close();
  await stack.close();
});
afterEach(() => {
  stack.graph.traffic.recover();
  stack.graph.downloads.traffic.recover();
  Object.assign(stack.graph.switches, defaultSwitches);
});

async function watchCall(
  name: string,
  args: Record<string, unknown>,
): Promise<{ result: CallResult; traffic: OutsideTraffic; downloads: Stack["graph"]["traffic"]["requests"] }> {
  const downloads = stack.graph.downloads.traffic;
  downloads.clear();
  const watched = await watch(stack, () => adele.call(name, args));
  return { ...watched, downloads: [...downloads.requests] };
}

const NOT_FOUND = "Microsoft Graph found nothing with this id. Search again: the id may be wrong or the item gone.";
const DENIED =
  "Microsoft Graph does not let you do this: your account lacks the right, or an administrator has to allow it.";

/** The names on each page, to the end. */
async function namesOf(tool: string, args: Record<string, unknown>): Promise<string[][]> {
  const pages = await pagesOf<Listed>(adele, tool, args);
  return pages.map(({ files }) => files.map(({ name }) => name));
}

describe("list_folder", () => {
  test("lists a folder with one request, and links to its files behind the JSON", async () => {
    const { result, traffic } = await watchCall("list_folder", { drive_id: MY_DRIVE, item_id: mine(2) });

    const [report, sales] = [
      {
        id: mine(4),
        drive_id: MY_DRIVE,
        name: "Quarterly report Q2.docx",
        type: DOCX,
        path: "/Reports/2026",
        size: 1104,
        ...MODIFIED,
        url: `${MY_SITE}/Reports/2026/Quarterly%20report%20Q2.docx`,
      },
      {
        id: mine(5),
        drive_id: MY_DRIVE,
        name: "Store sales.xlsx",
        type: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        path: "/Reports/2026",
        size: 2320,
        ...MODIFIED,
        url: `${MY_SITE}/Reports/2026/Store%20sales.xlsx`,
      },
    ] as const;
    expect(result.structuredContent).toEqual({ files: [report, sales] });
    expect(result.content).toEqual([
      { type: "text", text: JSON.stringify({ files: [report, sales] }) },
      { type: "resource_link", uri: report.url, name: report.name, mimeType: report.type, size: 1104 },
      { type: "resource_link", uri: sales.url, name: sales.name, mimeType: sales.type, size: 2320 },
    ]);
    expect(traffic).toEqual({ graph: [listed(`drives/${MY_DRIVE}/items/${mine(2)}`)], identity: [] });
  });

  test("lists the user's own OneDrive without arguments, folders without a link (G23)", async () => {
    const { result, traffic } = await watchCall("list_folder", { limit: 50 });

    const { files, next } = result.structuredContent as unknown as Listed;
    expect(next).toBeUndefined();
    expect(files).toHaveLength(13);
    expect(files.find(({ name }) => name === "Reports")).toEqual({
      id: mine(1),
      drive_id: MY_DRIVE,
      name: "Reports",
      type: "folder",
      path: "/",
      size: 3424,
      ...MODIFIED,
      url: `${MY_SITE}/Reports`,
    });
    expect(result.content.filter(({ type }) => type === "resource_link")).toHaveLength(11);
    expect(traffic.graph).toEqual([listed("me/drive/items/root", 50)]);
  });

  test("shows a shortcut as the folder that it leads to, which can be listed (G58)", async () => {
    const { files } = (await adele.call("list_folder", { limit: 50 })).structuredContent as unknown as Listed;
    const shortcut = files.find(({ name }) => name === "Shop floor");
    expect(shortcut).toMatchObject({ id: retail(1), drive_id: RETAIL, type: "folder" });

    const inside = await adele.call("list_folder", { drive_id: shortcut?.drive_id, item_id: shortcut?.id });
    expect(inside.structuredContent).toMatchObject({ files: [{ name: "Shelf plan.docx", path: "/Shop floor" }] });
  });

  test("pages to the end, also past an empty page (G23, G24)", async () => {
    const args = { drive_id: RETAIL, limit: 1 };
    expect(await namesOf("list_folder", args)).toEqual([["Opening hours.json"], ["Shop floor"]]);
    stack.graph.switches["graph.emptyPage"] = true;
    expect(await namesOf("list_folder", args)).toEqual([[], ["Opening hours.json"], ["Shop floor"]]);
    expect(stack.graph.traffic.requests.at(-1)?.url).toMatch(/^\/v1\.0\/drives\/b!Retail-.*\$skiptoken=/);
  });

  test("refuses the cursor of another folder before Graph is asked", async () => {
    const { next } = (await adele.call("list_folder", { limit: 1 })).structuredContent as unknown as Listed;
    const { result, traffic } = await watchCall("list_folder", { drive_id: RETAIL, limit: 1, cursor: next });

    expect(result).toMatchObject({ isError: true, _meta: { "azure-graph-mcp/error": { code: "invalid_cursor" } } });
    expect(traffic.graph).toEqual([]);
  });

  test("does not show what the user may not see (G12)", async () => {
    const closed = { drive_id: "b!HumanResources-Documents_0004" };
    expect(await adele.call("list_folder", closed)).toMatchObject(failureOf("forbidden", DENIED));
    expect(await adele.call("list_folder", { item_id: "01GONE" })).toMatchObject(failureOf("not_found", NOT_FOUND));
  });
});

describe("search_files", () => {
  test("finds what the user may read anywhere, with one request and plain summaries (G59, G60)", async () => {
    const { result, traffic } = await watchCall("search_files", { query: "campaign" });

    expect(result.structuredContent).toEqual({
      files: [
        {
          id: `01MEGA${"1".padStart(28, "0")}`,
          drive_id: "b!MeganBowen-OneDrive_0002",
          name: "Campaign.docx",
          size: 961,
          modified: "2026-06-02T12:00:00Z",
          modified_by: "Megan Bowen",
          url: "https://contoso-my.sharepoint.com/personal/meganb_contoso_com/Documents/Campaign.docx",
          summary: "Campaign autumn 2026 Slogan: Closer to you.",
        },
      ],
    });
    expect(result.content.slice(1)).toEqual([
      {
        type: "resource_link",
        uri: "https://contoso-my.sharepoint.com/personal/meganb_contoso_com/Documents/Campaign.docx",
        name: "Campaign.docx",
        size: 961,
      },
    ]);
    expect(traffic).toEqual({ graph: ["POST /v1.0/search/query"], identity: [] });
  });

  test("pages to the end with cursors of its own (G60)", async () => {
    expect(await namesOf("search_files", { query: "tacoma", limit: 2 })).toEqual([
      ["Store opening.pptx", "Lease agreement.pdf"],
      ["Ideas.txt"],
    ]);
    const { next } = (await adele.call("search_files", { query: "tacoma", limit: 2 }))
      .structuredContent as unknown as Listed;
    expect(await adele.call("search_files", { query: "salary", limit: 2, cursor: next })).toMatchObject({
      isError: true,
      _meta: { "azure-graph-mcp/error": { code: "invalid_cursor" } },
    });
  });

  test("finds nothing where nothing is, or where the user may not look", async () => {
    for (const query of ["zebra", "salary bands"]) {
      expect((await adele.call("search_files", { query })).structuredContent).toEqual({ files: [] });
    }
  });

  test("understands KQL, and words with its marks cannot leave the query", async () => {
    const names = async (query: string) => (await namesOf("search_files", { query })).flat();
    expect(await names("filetype:pdf tacoma")).toEqual(["Lease agreement.pdf"]);
    expect(await names('tacoma","from":2,"x":"')).toEqual([]);
    expect(stack.graph.traffic.requests.at(-1)?.url).toBe("/v1.0/search/query");
  });

  test("searches the own OneDrive on request (G58)", async () => {
    const { result, traffic } = await watchCall("search_files", { query: "tacoma", scope: "my_drive" });

    const { files } = result.structuredContent as unknown as Listed;
    expect(files.map(({ name }) => name)).toEqual(["Store opening.pptx", "Lease agreement.pdf", "Ideas.txt"]);
    expect(traffic).toEqual({ graph: [searched("tacoma")], identity: [] });
    expect(await namesOf("search_files", { query: "tacoma", scope: "my_drive", limit: 2 })).toEqual([
      ["Store opening.pptx", "Lease agreement.pdf"],
      ["Ideas.txt"],
    ]);
    expect(
      (await adele.call("search_files", { query: "shop floor", scope: "my_drive" })).structuredContent,
    ).toMatchObject({
      files: [{ id: retail(1), drive_id: RETAIL }],
    });
  });

  test.each([
    ["an apostrophe (G36)", "o'brien", "o''brien"],
    ["an end of the literal", "x') or ('", "x'')%20or%20(''"],
    ["a path", "../../users", "..%2F..%2Fusers"],
    ["options and a fragment", "a?$top=1&b#c", "a%3F%24top%3D1%26b%23c"],
    ["percent, plus and equals", "50%25+=", "50%2525%2B%3D"],
  ])("takes %s among the words as words", async (_what, query, encoded) => {
    const { traffic } = await watchCall("search_files", { query, scope: "my_drive" });
    expect(traffic.graph).toEqual([searched(encoded)]);
  });

  test("says what is wrong when Graph refuses", async () => {
    stack.graph.traffic.fail({ kind: "status", status: 403, body: { error: { code: "accessDenied" } } });
    expect(await adele.call("search_files", { query: "x" })).toMatchObject(failureOf("forbidden", DENIED));
  });
});

describe("read_file", () => {
  const text = async (number: number, more: Record<string, unknown> = {}) => {
    const result = await adele.call("read_file", { drive_id: MY_DRIVE, item_id: mine(number), ...more });
    return result.structuredContent?.["text"] ?? result;
  };

  test("reads a Word document, whose content it fetches without the token (G55, G56)", async () => {
    const { result, traffic, downloads } = await watchCall("read_file", { drive_id: MY_DRIVE, item_id: mine(4) });

    const output = {
      name: "Quarterly report Q2.docx",
      type: DOCX,
      size: 1104,
      url: `${MY_SITE}/Reports/2026/Quarterly%20report%20Q2.docx`,
      text: "Quarterly report, Q2 2026\nRevenue of the Northwest stores grew by 7 % over the first quarter.\nStore\tRevenue\tChange\nSeattle\t1,204,000\t+9 %\nPortland\t887,500\t+4 %\nNext review: 14 October 2026.",
      truncated: false,
    };
    expect(result.structuredContent).toEqual(output);
    expect(result.content).toEqual([
      { type: "text", text: JSON.stringify(output) },
      { type: "resource_link", uri: output.url, name: output.name, mimeType: DOCX, size: 1104 },
    ]);
    expect(traffic).toEqual({ graph: opened(`drives/${MY_DRIVE}/items/${mine(4)}`), identity: [] });
    expect(downloads.map(({ method, url }) => `${method} ${url}`)).toEqual([
      expect.stringMatching(/^GET \/download\?tempauth=/),
    ]);
    expect(downloads[0]?.headers["authorization"]).toBeUndefined();
    expect(downloads[0]?.headers["range"]).toBe("bytes=0-8388607");
  });

  test.each([
    [
      "a workbook",
      5,
      "# Q2 2026\nStore\tMonth\tUnits\nSeattle\tApril\t1840\nSeattle\tMay\t1921\nPortland\tApril\t1103\n\n# Notes\nPreliminary figures",
    ],
    [
      "a presentation",
      6,
      "# Slide 1\nStore opening Tacoma\nAdele Vance, Retail\n\n# Slide 2\nTimeline\nLease signed: March\nFit-out: May to July\nDoors open: 1 September",
    ],
    [
      "a PDF",
      7,
      "Lease agreement\nbetween Contoso Ltd. and Northwind Estates\nPremises: 1200 Pacific Avenue, Tacoma\n\nRent: 14,500 USD a month\nTerm: five years from 1 June 2026",
    ],
    ["plain text", 8, "Ideas for Tacoma ☕\n- coffee corner\n- opening week offers\n"],
    ["a table in windows-1252", 9, "Name;Stadt\nMüller GmbH;Köln\nCafé €;Wien\n"],
    ["an empty file", 12, ""],
    ["a page with something hidden", 17, "Newsletter\n\nNew shelves in May."],
  ])("reads %s", async (_what, number, expected) => {
    expect(await text(number)).toBe(expected);
  });

  test("gives a long text in parts", async () => {
    const first = await adele.call("read_file", { drive_id: MY_DRIVE, item_id: mine(13), max_chars: 128 });
    expect(first.structuredContent).toMatchObject({
      text: "reading 000000000 of the sensor in store 12 ...................\nreading 000000001 of the sensor in store 12 ...................\n",
      truncated: true,
      next_offset: 128,
    });
    expect(await text(13, { offset: 128 * 1000, max_chars: 100 })).toMatch(/^reading 000002000 /);
  });

  test("reads the beginning of a text of 50 MB, and says where that ends", async () => {
    const { result, downloads } = await watchCall("read_file", {
      drive_id: MY_DRIVE,
      item_id: mine(13),
      offset: 8 * 1024 * 1024 - 64,
      max_chars: 20_000,
    });
    expect(result.structuredContent).toMatchObject({
      text: "reading 000131071 of the sensor in store 12 ...................\n\n\n[The file is larger: this is its beginning.]",
      truncated: false,
    });
    expect(downloads).toHaveLength(1);
  });

  test("opens a sharing link, whatever is in it", async () => {
    const link = "https://contoso-my.sharepoint.com/:w:/p/meganb/EaBc-dEfGhIjKlMn?e=4%3a1Ab2Cd&at=9";
    const { result, traffic } = await watchCall("read_file", { link });

    expect(result.structuredContent).toMatchObject({
      name: "Campaign.docx",
      text: "Campaign autumn 2026\nSlogan: Closer to you.",
    });
    expect(traffic.graph).toEqual(
      opened(
        "shares/u!aHR0cHM6Ly9jb250b3NvLW15LnNoYXJlcG9pbnQuY29tLzp3Oi9wL21lZ2FuYi9FYUJjLWRFZkdoSWpLbE1uP2U9NCUzYTFBYjJDZCZhdD05/driveItem",
      ),
    );
    const closed = "https://contoso-my.sharepoint.com/:t:/p/meganb/EzYxWvUt?e=Q1";
    expect(await adele.call("read_file", { link: closed })).toMatchObject(failureOf("forbidden", DENIED));
  });

  test.each([
    [
      "a picture",
      11,
      "unreadable",
      `Text can be read of Word, Excel, PowerPoint, PDF, HTML and plain text files, and this is another kind. It can be opened at ${MY_SITE}/Logo.png`,
    ],
    [
      "a PDF of 50 MB",
      14,
      "unreadable",
      `The file is too large to read its text here. It can be opened at ${MY_SITE}/Video%20handbook.pdf`,
    ],
    [
      "an encrypted file",
      15,
      "unreadable",
      `The file is protected by a password or a sensitivity label: its text cannot be read here. It can be opened at ${MY_SITE}/Salaries.docx`,
    ],
    ["a folder", 1, "invalid_arguments", "This is a folder. Use list_folder with it."],
  ])("says why it cannot read %s", async (_what, number, code, message) => {
    expect(await text(number)).toMatchObject(failureOf(code, message));
  });

  test.each<[string, Record<string, unknown>]>([
    ["nothing", {}],
    ["half an address", { item_id: mine(4) }],
    ["two addresses", { drive_id: MY_DRIVE, item_id: mine(4), link: "https://contoso.sharepoint.com/x" }],
  ])("asks for one address where it is given %s", async (_what, args) => {
    const { result, traffic } = await watchCall("read_file", args);
    expect(result).toMatchObject(failureOf("invalid_arguments", "Give either drive_id and item_id, or link."));
    expect(traffic.graph).toEqual([]);
  });

  test.each([
    ["+/=", "%2B%2F%3D"],
    ["../../me", "..%2F..%2Fme"],
    ["x?$select=id#y", "x%3F%24select%3Did%23y"],
    ["50%2F'\"", "50%252F'%22"],
  ])("takes %s as ids that stay in their places", async (id, encoded) => {
    for (const [args, path] of [
      [{ drive_id: id, item_id: mine(4) }, `drives/${encoded}/items/${mine(4)}`],
      [{ drive_id: MY_DRIVE, item_id: id }, `drives/${MY_DRIVE}/items/${encoded}`],
    ] as const) {
      const { result, traffic } = await watchCall("read_file", args);
      expect(result.isError).toBe(true);
      expect(traffic.graph).toEqual([`GET /v1.0/${path}?$select=${FIELDS}`]);
    }
    const { traffic } = await watchCall("list_folder", { drive_id: id, item_id: id });
    expect(traffic.graph).toEqual([listed(`drives/${encoded}/items/${encoded}`)]);
  });

  test("refuses dots as an id before Graph is asked", async () => {
    const { result, traffic } = await watchCall("read_file", { drive_id: MY_DRIVE, item_id: ".." });
    expect(result).toMatchObject({ isError: true, _meta: { "azure-graph-mcp/error": { code: "invalid_arguments" } } });
    expect(traffic.graph).toEqual([]);
  });

  test.each([
    [403, "forbidden"],
    [404, "not_found"],
    [429, "throttled"],
  ])("takes a refusal of the content (%i) for an error, and never for the text of the file", async (status, code) => {
    const body = { error: { code: "accessDenied", message: "canary of Graph" } };
    stack.graph.traffic.fail(
      { kind: "status", status, body, headers: { "retry-after": "60" } },
      { path: /\/content$/ },
    );
    const { files } = (await adele.call("search_files", { query: "ideas", scope: "my_drive" }))
      .structuredContent as unknown as Listed;
    const file = files.find(({ name }) => name.endsWith(".txt"));
    const result = await adele.call("read_file", { drive_id: file?.drive_id, item_id: file?.id });
    expect(result).toMatchObject({ isError: true, _meta: { "azure-graph-mcp/error": { code } } });
    expect(JSON.stringify(result)).not.toContain("canary of Graph");
  });

  test("does not follow a redirect to a host that is no store", async () => {
    stack.graph.traffic.fail(
      { kind: "status", status: 302, headers: { location: "https://127.0.0.1:1/steal" } },
      { path: /\/content$/ },
    );
    const { result, downloads } = await watchCall("read_file", { drive_id: MY_DRIVE, item_id: mine(4) });
    expect(result.isError).toBe(true);
    expect(JSON.stringify(result)).not.toContain("steal");
    expect(downloads).toEqual([]);
  });

  test("fails clearly when the address of the content is good no more (G55)", async () => {
    stack.graph.switches["graph.downloadSeconds"] = 0;
    expect((await adele.call("read_file", { drive_id: MY_DRIVE, item_id: mine(4) })).isError).toBe(true);
    stack.graph.switches["graph.downloadSeconds"] = 60;
    expect(await text(8)).toMatch(/^Ideas/);
  });
});
