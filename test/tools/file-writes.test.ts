import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createDrives } from "../../emulators/contoso/drive.ts";
import { auditLine } from "../support/audit-lines.ts";
import { eventually } from "../support/eventually.ts";
import { failureOf } from "../support/failures.ts";
import type { FormAnswer, McpClient, Question } from "../support/mcp-clients.ts";
import { connectAs, watch } from "../support/outside-traffic.ts";
import { createRounds, YES } from "../support/rounds.ts";
import { type Stack, startStack } from "../support/stack.ts";
import { startWireTap, type WireTap } from "../support/wire-tap.ts";

const MY_DRIVE = "b!ADeleVance-OneDrive_0001";
const MY_SITE = "https://contoso-my.sharepoint.com/personal/adelev_contoso_com/Documents";
const mine = (number: number) => `01ADEL${String(number).padStart(28, "0")}`;
const IDEAS = { drive_id: MY_DRIVE, item_id: mine(8) };
const READ =
  "?$select=id%2Cname%2Csize%2CwebUrl%2ClastModifiedDateTime%2ClastModifiedBy%2Cfile%2Cfolder%2CparentReference%2CeTag";

let stack: Stack;
let tap: WireTap;
let adele: McpClient;
let questions: Question[] = [];
let answer: (question: Question) => FormAnswer = () => YES;

beforeAll(async () => {
  stack = await startStack("easy-auth", { ALLOW_WRITES: "true", TOOLSETS: "files" });
  tap = startWireTap();
  adele = await connectAs(stack, "AdeleV", {
    elicit(question) {
      questions.push(question);
      return answer(question);
    },
  });
  await adele.call("list_folder");
});
afterAll(async () => {
  tap.stop();
  await adele.close();
  await stack.close();
});
beforeEach(() => {
  questions = [];
  answer = () => YES;
  stack.tenant.drives.splice(0, stack.tenant.drives.length, ...createDrives());
});
afterEach(() => stack.graph.traffic.recover());

/** The call's result with the requests to Graph that it made, and those of them that wrote. */
async function watchCall(args: Record<string, unknown>, client = adele) {
  tap.clear();
  const { result, traffic } = await watch(stack, () => client.call("upload_file", args));
  const puts = tap.requests.filter(({ method }) => method === "PUT");
  return { result, graph: traffic.graph, puts };
}

/** What is in a file of Adele's now. */
function contentOf(name: string): string | undefined {
  const file = stack.tenant.drives[0]?.entries.find((entry) => entry.name === name)?.file;
  return file && Buffer.from(file.read(0, file.size)).toString("utf8");
}

/** Somebody else changes a file of Adele's. */
function changeElsewhere(name: string): void {
  const entries = stack.tenant.drives[0]?.entries ?? [];
  const index = entries.findIndex((entry) => entry.name === name);
  const entry = entries[index];
  if (entry)
    entries.splice(index, 1, { ...entry, modified: "2026-11-20T10:00:00Z", version: (entry.version ?? 1) + 1 });
}

describe("a new file", () => {
  test("is made with one request and no question, and is linked to", async () => {
    const { result, graph, puts } = await watchCall({
      name: "Plan #2 (50% O'Brien).md",
      parent_id: mine(2),
      content: "# Pläne\n",
    });

    const output = {
      id: expect.stringMatching(/^01[\dA-F]{32}$/),
      drive_id: MY_DRIVE,
      name: "Plan #2 (50% O'Brien).md",
      type: "text/markdown",
      size: 9,
      url: `${MY_SITE}/Reports/2026/Plan%20%232%20(50%25%20O'Brien).md`,
    };
    expect(result.structuredContent).toEqual(output);
    expect(result.content.slice(1)).toEqual([
      { type: "resource_link", uri: output.url, name: output.name, mimeType: "text/markdown", size: 9 },
    ]);
    expect(graph).toEqual([
      `PUT /v1.0/me/drive/items/${mine(2)}:/Plan%20%232%20(50%25%20O'Brien).md:/content?@microsoft.graph.conflictBehavior=fail`,
    ]);
    expect(puts.map(({ body }) => body())).toEqual(["# Pläne\n"]);
    expect(puts[0]?.headers["content-type"]).toBe("text/markdown");
    expect(questions).toEqual([]);
  });

  test.each([
    ["notes.txt", "text/plain"],
    ["DATA.CSV", "text/csv"],
    ["a.b.json", "application/json"],
  ])("named %s is sent as %s, to the root of the own OneDrive", async (name, type) => {
    const { result, graph, puts } = await watchCall({ name, content: "1" });

    expect(result.isError).toBeUndefined();
    expect(graph).toEqual([`PUT /v1.0/me/drive/items/root:/${name}:/content?@microsoft.graph.conflictBehavior=fail`]);
    expect(puts[0]?.headers["content-type"]).toBe(type);
  });

  test("of 200,000 characters is taken, one more is refused before Graph is asked", async () => {
    expect((await watchCall({ name: "long.txt", content: "€".repeat(200_000) })).result.isError).toBeUndefined();
    const { result, graph } = await watchCall({ name: "longer.txt", content: "x".repeat(200_001) });
    expect(result).toMatchObject(failureOf("invalid_arguments"));
    expect(graph).toEqual([]);
  });

  test("whose name is taken overwrites nothing, and the error says how to replace (G12)", async () => {
    const { result } = await watchCall({ name: "ideas.TXT", content: "gone" });

    expect(result).toMatchObject(
      failureOf(
        "conflict",
        "Something in this folder has this name already. Choose another name, or replace the file: give drive_id and item_id of it (list_folder) instead of the name.",
      ),
    );
    expect(contentOf("Ideas.txt")).toBe("Ideas for Tacoma ☕\n- coffee corner\n- opening week offers\n");
  });

  test.each([
    "..",
    ".",
    "../x.txt",
    "a/b.txt",
    "a\\b.txt",
    "a:b.txt",
    "a?.txt",
    "a*.txt",
    '"a".txt',
    "<a>.txt",
    "a|b.txt",
    "a\nb.txt",
    "a\u0000.txt",
    "a\u200b.txt",
    "a\u{e0041}.txt",
    "a\u202etxt.exe.txt",
    "\ud800.txt",
    " a.txt",
    "a.txt ",
    "a.txt.",
    "CON.txt",
    "lpt1",
    "desktop.ini",
    "~$plan.txt",
    "a_vti_b.txt",
    `${"a".repeat(252)}.txt`,
    "",
    "setup.exe",
    "Plan.docx",
    "README",
  ])("cannot be named %j", async (name) => {
    const { result, graph } = await watchCall({ name, content: "x" });
    expect(result).toMatchObject(failureOf("invalid_arguments"));
    expect(graph).toEqual([]);
  });

  test.each([
    "Übersicht.txt",
    "a%2e%2e%2fb.txt",
    "a b (1) #&+=,;@$!'.txt",
    "نام\u200cها.txt",
    "Plan ❤️.txt",
    ".notes.md",
    "console.txt",
  ])("can be named %j, which stays one segment of the path", async (name) => {
    const { result, graph } = await watchCall({ name, content: "x" });
    expect(result.structuredContent).toMatchObject({ name });
    expect(graph).toEqual([
      `PUT /v1.0/me/drive/items/root:/${encodeURIComponent(name)}:/content?@microsoft.graph.conflictBehavior=fail`,
    ]);
  });

  test("that may have been made although no good answer came is not sent again", async () => {
    stack.graph.traffic.fail({ kind: "status", status: 503 }, { path: /content/ });
    const { result, graph } = await watchCall({ name: "once.txt", content: "x" });
    expect(result).toMatchObject(failureOf("outcome_unknown"));
    expect(graph).toHaveLength(1);
  });
});

describe("replacing a file", () => {
  test("is asked for with all that is lost, and sends the eTag of what the person saw", async () => {
    const { result, graph, puts } = await watchCall({ ...IDEAS, content: "New ideas\n- less coffee" });

    expect(questions.map(({ message }) => message)).toEqual([
      [
        "Replace the content of this file?",
        "Name: Ideas.txt",
        "Folder: /",
        `Address: ${MY_SITE}/Ideas.txt`,
        "Now: 59 bytes, changed 2026-06-30T16:05:00Z by Adele Vance",
        "It will hold instead:",
        "Text (23 characters):",
        "> New ideas",
        "> - less coffee",
      ].join("\n"),
    ]);
    expect(result.structuredContent).toEqual({
      id: mine(8),
      drive_id: MY_DRIVE,
      name: "Ideas.txt",
      type: "text/plain",
      size: 23,
      url: `${MY_SITE}/Ideas.txt`,
    });
    expect(contentOf("Ideas.txt")).toBe("New ideas\n- less coffee");
    const read = `GET /v1.0/drives/${MY_DRIVE}/items/${mine(8)}${READ}`;
    // The question, the question again when the answer came, and the tag of what is replaced.
    expect(graph).toEqual([read, read, read, `PUT /v1.0/drives/${MY_DRIVE}/items/${mine(8)}/content`]);
    expect(puts.map(({ body }) => body())).toEqual(["New ideas\n- less coffee"]);
    expect(puts[0]?.headers).toMatchObject({
      "content-type": "text/plain",
      "if-match": expect.stringMatching(/^"\{[\dA-F]{32}\},1"$/),
    });
  });

  test("a name and a text cannot pose as lines of the question", async () => {
    const entries = stack.tenant.drives[0]?.entries ?? [];
    const index = entries.findIndex(({ name }) => name === "Ideas.txt");
    const entry = entries[index];
    if (entry) entries.splice(index, 1, { ...entry, name: "a\nNow: 0 bytes\u202e.txt" });
    answer = () => ({ action: "decline" });
    await watchCall({ ...IDEAS, content: "x\nName: b.txt\r\u2028Folder: /" });

    const lines = questions[0]?.message.split(/[\n\r\u2028]/) ?? [];
    expect(lines.filter((line) => /^(?:Now|Name|Folder):/.test(line))).toEqual([
      "Name: a Now: 0 bytes.txt",
      "Folder: /",
      "Now: 59 bytes, changed 2026-06-30T16:05:00Z by Adele Vance",
    ]);
  });

  test("a long text is shown by its start, and its length", async () => {
    answer = () => ({ action: "decline" });
    await watchCall({ ...IDEAS, content: "x".repeat(200_000) });
    expect(questions[0]?.message).toContain("Text (first 500 of 200000 characters):\n> xxx");
    expect(questions[0]?.message.length).toBeLessThan(1200);
  });

  test.each<[string, FormAnswer]>([
    ["declines", { action: "decline" }],
    ["does not approve", { action: "accept", content: { approve: false } }],
  ])("nothing is written when the person %s", async (_what, given) => {
    answer = () => given;
    const { result, puts } = await watchCall({ ...IDEAS, content: "x" });
    expect(result).toMatchObject(failureOf("not_confirmed"));
    expect(puts).toEqual([]);
  });

  test("nothing is written when the client cannot ask", async () => {
    const client = await connectAs(stack, "AdeleV");
    const { result, puts } = await watchCall({ ...IDEAS, content: "x" }, client);
    await client.close();
    expect(result).toMatchObject(failureOf("confirmation_unavailable"));
    expect(puts).toEqual([]);
  });

  test("a change while the person thinks is shown to them before anything is written", async () => {
    answer = () => {
      if (questions.length === 1) changeElsewhere("Ideas.txt");
      return YES;
    };
    const { result, puts } = await watchCall({ ...IDEAS, content: "x" });

    expect(questions.map(({ message }) => /changed \S+/.exec(message)?.[0])).toEqual([
      "changed 2026-06-30T16:05:00Z",
      "changed 2026-11-20T10:00:00Z",
    ]);
    expect(result.isError).toBeUndefined();
    expect(puts[0]?.headers["if-match"]).toMatch(/,2"$/);
  });

  test("a change at the last moment is not overwritten (G12)", async () => {
    stack.graph.traffic.fail({ kind: "delay", ms: 500 }, { path: /\/content$/ });
    const call = watchCall({ ...IDEAS, content: "x" });
    await eventually(() => stack.graph.traffic.count("PUT", /\/content$/) === 1, "the request that writes");
    changeElsewhere("Ideas.txt");
    const { result, puts } = await call;

    expect(result).toMatchObject(failureOf("conflict"));
    expect(puts).toHaveLength(1);
    expect(contentOf("Ideas.txt")).toMatch(/^Ideas for Tacoma/);
  });

  test("an approval counts once: the same round repeated writes nothing more", async () => {
    const round = await createRounds(stack, "upload_file", { ...IDEAS, content: "x" });
    const { requestState } = await round();
    const approved = { inputResponses: { approval: YES }, requestState };
    // What was not written leaves the question as it was.
    stack.graph.traffic.fail({ kind: "status", status: 503 }, { times: 1, path: /\/content$/ });
    tap.clear();

    expect(await round(approved)).toMatchObject(failureOf("outcome_unknown"));
    expect(await round(approved)).toMatchObject(failureOf("already_done"));
    expect(tap.requests.filter(({ method }) => method === "PUT")).toHaveLength(1);
  });

  test.each<[string, Record<string, unknown>, string]>([
    ["a folder", { item_id: mine(1) }, "This is no file. Use list_folder to find one."],
    ["a shortcut", { item_id: mine(16) }, "This is no file. Use list_folder to find one."],
    [
      "a Word document",
      { item_id: mine(4) },
      "Only text files can be written. Their names end with .txt, .log, .md, .csv, .tsv, .json, .xml, .yaml, .yml, .html.",
    ],
  ])("%s is never replaced by text", async (_what, args, message) => {
    const { result, puts } = await watchCall({ drive_id: MY_DRIVE, content: "x", ...args });
    expect(result).toMatchObject(failureOf("invalid_arguments", message));
    expect(puts).toEqual([]);
    expect(questions).toEqual([]);
  });

  test("what the user may not change stays as it is", async () => {
    stack.graph.traffic.fail(
      { kind: "status", status: 403, body: { error: { code: "accessDenied" } } },
      { path: /content$/ },
    );
    expect((await watchCall({ ...IDEAS, content: "x" })).result).toMatchObject(failureOf("forbidden"));
  });

  test.each([
    ["+/=", "%2B%2F%3D"],
    ["../../me", "..%2F..%2Fme"],
    ["x:/y:/content?a=b#c", "x%3A%2Fy%3A%2Fcontent%3Fa%3Db%23c"],
    ["50%2F'\"", "50%252F'%22"],
  ])("the id %s stays in its place", async (id, encoded) => {
    const content = "x";
    expect((await watchCall({ drive_id: id, item_id: mine(8), content })).graph).toEqual([
      `GET /v1.0/drives/${encoded}/items/${mine(8)}${READ}`,
    ]);
    expect((await watchCall({ drive_id: MY_DRIVE, item_id: id, content })).graph).toEqual([
      `GET /v1.0/drives/${MY_DRIVE}/items/${encoded}${READ}`,
    ]);
    expect((await watchCall({ parent_id: id, name: "a.txt", content })).graph).toEqual([
      `PUT /v1.0/me/drive/items/${encoded}:/a.txt:/content?@microsoft.graph.conflictBehavior=fail`,
    ]);
  });
});

test.each<[string, Record<string, unknown>]>([
  ["nothing", {}],
  ["half an address", { item_id: mine(8) }],
  ["a name and an item", { name: "a.txt", ...IDEAS }],
  ["an item and a parent", { parent_id: mine(1), ...IDEAS }],
  ["a parent without a name", { parent_id: mine(1) }],
  ["dots as a parent", { parent_id: "..", name: "a.txt" }],
  ["nothing as an item", { drive_id: MY_DRIVE, item_id: "" }],
])("where it goes must be clear: %s is refused before Graph is asked", async (_what, args) => {
  const { result, graph } = await watchCall({ content: "x", ...args });
  expect(result).toMatchObject(failureOf("invalid_arguments"));
  expect(graph).toEqual([]);
});

test("a user without the role cannot call it, and that is audited", async () => {
  const diego = await connectAs(stack, "DiegoS");
  const listed = await diego.listTools();
  const { result, graph } = await watchCall({ name: "a.txt", content: "x" }, diego);
  await diego.close();

  expect(listed.map(({ name }) => name)).toEqual(["search_files", "list_folder", "read_file"]);
  expect(result).toMatchObject(failureOf("forbidden"));
  expect(graph).toEqual([]);
  const facts = result._meta?.["azure-graph-mcp/error"] as { requestId: string } | undefined;
  expect(await auditLine(stack, facts?.requestId)).toMatchObject({ tool: "upload_file", decision: "denied" });
});
