import { afterAll, beforeEach, expect, test } from "vitest";
import { DRIVES } from "../../emulators/contoso/drive.ts";
import { type GraphAnswer, type GraphFixture, problem, startGraphFixture } from "./graph-fixture.ts";

const item = (number: number) => `01ADEL${String(number).padStart(28, "0")}`;
const IDEAS = `/drives/${DRIVES.adele}/items/${item(8)}`;
const CHANGED = [412, "resourceModified", "The resource has changed since the caller last read it."];
const TAKEN = [409, "nameAlreadyExists", "An item with the same name already exists under the parent."];
const DENIED = [403, "accessDenied", "The caller does not have permission to perform the action."];

let fixture: GraphFixture | undefined;
beforeEach(async () => {
  await fixture?.close();
  fixture = await startGraphFixture();
});
afterAll(() => fixture?.close());

interface Put {
  readonly content?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly scp?: string;
}

const running = () => fixture as GraphFixture;

async function put(path: string, { content = "new", headers = {}, scp = "Files.ReadWrite" }: Put = {}) {
  const response = await fetch(`${running().graph.origin}/v1.0${path}`, {
    method: "PUT",
    headers: { Authorization: `Bearer ${await running().sign({ scp })}`, "Content-Type": "text/plain", ...headers },
    body: content,
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as GraphAnswer["body"] };
}

const get = (path: string) => running().get(path, { claims: { scp: "Files.Read.All" } });

/** The content of an item of Adele's, as whoever follows the redirect gets it. */
async function contentOf(path: string): Promise<string> {
  const { body } = await get(`${path}?$select=@microsoft.graph.downloadUrl`);
  return (await fetch(String(body["@microsoft.graph.downloadUrl"]))).text();
}

const FAIL = "?@microsoft.graph.conflictBehavior=fail";

test("content that is put to a name makes a file, which is listed, found and read from then on", async () => {
  const created = await put(`/me/drive/items/${item(2)}:/${encodeURIComponent("Plan #2 (50%).json")}:/content${FAIL}`, {
    content: '{"a":"ü"}',
    headers: { "Content-Type": "application/json" },
  });

  expect(created.status).toBe(201);
  expect(created.body).toMatchObject({
    name: "Plan #2 (50%).json",
    size: 10,
    file: { mimeType: "application/json" },
    lastModifiedBy: { user: { displayName: "Adele Vance" } },
    parentReference: { driveId: DRIVES.adele, id: item(2), path: `/drives/${DRIVES.adele}/root:/Reports/2026` },
  });
  const names = async (path: string) => (await get(path)).body.value?.map(({ name }) => name);
  expect(await names(`/me/drive/items/${item(2)}/children`)).toContain("Plan #2 (50%).json");
  expect(await names("/me/drive/root/search(q='plan')")).toContain("Plan #2 (50%).json");
  expect(await contentOf(`/me/drive/items/${String(created.body["id"])}`)).toBe('{"a":"ü"}');
});

test("the root is a parent too, and a file may be empty", async () => {
  const { status, body } = await put(`/me/drive/items/root:/Nothing.txt:/content${FAIL}`, { content: "" });
  expect([status, body["size"]]).toEqual([201, 0]);
});

test("what becomes of a name that is taken, the request says; case does not tell names apart (G12)", async () => {
  const before = (await get(IDEAS)).body["id"];
  expect(problem(await put(`/me/drive/items/root:/ideas.TXT:/content${FAIL}`))).toEqual(TAKEN);
  const { status, body } = await put("/me/drive/items/root:/ideas.TXT:/content");
  expect([status, body["id"], body["name"]]).toEqual([200, before, "Ideas.txt"]);
  expect(await contentOf(IDEAS)).toBe("new");
});

test("content of a file is replaced, and with If-Match only while nobody else changed it (G12)", async () => {
  const { eTag } = (await get(IDEAS)).body;
  const first = await put(`${IDEAS}/content`, { content: "first", headers: { "If-Match": String(eTag) } });
  expect([first.status, first.body["size"], first.body["eTag"] === eTag]).toEqual([200, 5, false]);
  expect(problem(await put(`${IDEAS}/content`, { headers: { "If-Match": String(eTag) } }))).toEqual(CHANGED);
  expect(await contentOf(IDEAS)).toBe("first");
  expect((await put(`${IDEAS}/content`, { headers: { "If-Match": String(first.body["eTag"]) } })).status).toBe(200);
  expect((await put(`${IDEAS}/content`)).status).toBe(200);
});

test("a read permission, another drive and a folder are refused (G12)", async () => {
  expect(problem(await put(`${IDEAS}/content`, { scp: "Files.Read.All" }))).toEqual(DENIED);
  const hours = `/drives/${DRIVES.retail}/items/01RETA${"3".padStart(28, "0")}/content`;
  expect(problem(await put(hours))).toEqual(DENIED);
  expect((await put(hours, { scp: "Files.ReadWrite.All" })).status).toBe(200);
  expect(problem(await put(`/me/drive/items/${item(1)}/content`))[0]).toBe(400);
  expect(problem(await put(`/me/drive/items/01GONE:/a.txt:/content`))).toEqual([
    404,
    "itemNotFound",
    "The resource could not be found.",
  ]);
});

test.each([
  "a:b.txt",
  "a/b.txt",
  "a\\b.txt",
  "con",
  "~$a.txt",
  "a_vti_b.txt",
  " a.txt",
  "a.txt ",
  "a.",
  "a?.txt",
  "..",
])("the name %j is none that SharePoint takes", async (name) => {
  const refused = await put(`/me/drive/items/root:/${encodeURIComponent(name)}:/content${FAIL}`);
  expect(problem(refused)).toEqual([400, "invalidRequest", "The provided name is not valid."]);
});
