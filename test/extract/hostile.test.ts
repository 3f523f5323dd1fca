import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { constants, deflateRawSync } from "node:zlib";
import { strToU8, type Zippable, zipSync } from "fflate";
import { afterEach, describe, expect, test } from "vitest";
import { docx, pdf } from "../../emulators/contoso/documents.ts";
import { createExtractor } from "../../src/extract/extractor.ts";
import { EXTRACTION_WORKER, extractText } from "../support/extractor.ts";
import { officeFile, relationships, wordFile, workbookFile } from "../support/hostile-files.ts";

const { signal } = new AbortController();
const MB = 1024 * 1024;

const DAMAGED = "The file is damaged, or is not what its name says: no text could be read.";
const PROTECTED = "The file is protected by a password or a sensitivity label: its text cannot be read here.";
const EXCESSIVE = "The file unpacks to far more than a document of its kind should: it was not read.";
const GIVEN_UP = "Reading the text of this file took too long or too much memory: it was given up.";

const read = (name: string, bytes: Uint8Array, extract = extractText) =>
  extract({ name, contentType: "", bytes }, { signal, user: "adele" });

const refusal = (message: string) => ({ name: "ToolError", code: "unreadable", message });

afterEach(async () => {
  const text = await read("a.docx", docx(["The next file"]));
  if (text !== "The next file") throw new Error(`The next file was read as: ${text}`);
});

/** A PDF with one page whose content is this stream, unpacked by this filter. */
function pdfOf(stream: Uint8Array, dictionary: string): Uint8Array {
  const head = `%PDF-1.4
1 0 obj << /Type /Catalog /Pages 2 0 R >> endobj
2 0 obj << /Type /Pages /Kids [3 0 R] /Count 1 >> endobj
3 0 obj << /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R >> endobj
4 0 obj << /Length ${stream.length} ${dictionary} >> stream\n`;
  return Buffer.concat([Buffer.from(head), stream, Buffer.from("\nendstream endobj\ntrailer << /Root 1 0 R >>\n")]);
}

/** A zlib stream that unpacks to this text so many times: after a full flush a packed block can be repeated. */
function repeatedly(text: string, times: number): Buffer {
  const block = deflateRawSync(text, { finishFlush: constants.Z_FULL_FLUSH });
  return Buffer.concat([Buffer.from("789c", "hex"), ...Array.from({ length: times }, () => block)]);
}

describe("a file that is damaged", () => {
  const whole = docx(["Text"]);
  test.each<[string, string, Uint8Array]>([
    ["an empty Word document", "a.docx", new Uint8Array()],
    ["a Word document cut off", "a.docx", whole.subarray(0, whole.length - 30)],
    ["a Word document of noise", "a.docx", Buffer.alloc(5_000, "PK\u0003\u0004")],
    [
      "a Word document with a broken entry",
      "a.docx",
      whole.map((byte, index) => (index > 200 && index < 500 ? 0xff : byte)),
    ],
    ["a picture named as a workbook", "a.xlsx", Buffer.from("\x89PNG\r\n\x1a\n")],
    ["a Word document named as a presentation", "a.pptx", whole],
    ["an archive that is no Office file", "a.docx", zipSync({ "a.txt": strToU8("x") })],
    [
      "a main part that is missing",
      "a.docx",
      zipSync({ "_rels/.rels": strToU8(relationships([["officeDocument", "x.xml"]])) }),
    ],
    ["a main part without XML", "a.docx", officeFile("x.xml", { "x.xml": "nothing" })],
    ["an empty PDF", "a.pdf", new Uint8Array()],
    ["a PDF of noise", "a.pdf", Buffer.from(`%PDF-1.7\n${"x".repeat(3_000)}`)],
  ])("is refused: %s", async (_what, name, bytes) => {
    await expect(read(name, bytes)).rejects.toMatchObject(refusal(DAMAGED));
  });
});

describe("a file that is encrypted", () => {
  test("is refused: an Office file in a compound file", async () => {
    await expect(read("a.xlsx", Buffer.from("d0cf11e0a1b11ae10000", "hex"))).rejects.toMatchObject(refusal(PROTECTED));
  });

  test("is refused: a PDF with a password", async () => {
    const key = "<28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a>";
    const bytes = Buffer.from(pdf([["Secret"]]))
      .toString("latin1")
      .replace(
        "/Root 1 0 R",
        `/Root 1 0 R /ID [<00><00>] /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O ${key} /U ${key} >>`,
      );
    await expect(read("a.pdf", Buffer.from(bytes, "latin1"))).rejects.toMatchObject(refusal(PROTECTED));
  });
});

describe("a file that unpacks without end", () => {
  test("is refused: a part that says how large it is", async () => {
    const bomb = officeFile("word/document.xml", { "word/document.xml": new Uint8Array(100 * MB) });
    expect(bomb.length).toBeLessThan(MB);
    await expect(read("a.docx", bomb)).rejects.toMatchObject(refusal(EXCESSIVE));
  });

  test("is read up to the size that it says: a part that lies about it", async () => {
    const honest = wordFile(`<w:p><w:r><w:t>${"x".repeat(40 * MB)}</w:t></w:r></w:p>`);
    const bytes = Buffer.from(honest);
    const size = Buffer.alloc(4);
    // In the central directory, which comes last: the second entry's uncompressed size.
    const entry = bytes.lastIndexOf("PK\u0001\u0002");
    size.writeUInt32LE(500);
    size.copy(bytes, entry + 24);
    const before = process.memoryUsage.rss();

    const text = await read("a.docx", bytes).catch((error: Error) => error.message);
    expect(text.length).toBeLessThan(600);
    expect(process.memoryUsage.rss() - before).toBeLessThan(200 * MB);
  });

  test("is refused: a part that is read again and again", async () => {
    const slide = `<p:sld>${" ".repeat(MB)}</p:sld>`;
    const bytes = officeFile("p.xml", {
      "p.xml": `<p:presentation>${'<p:sldId r:id="rId1"/>'.repeat(5_000)}</p:presentation>`,
      "_rels/p.xml.rels": relationships([["slide", "s.xml"]]),
      "s.xml": slide,
    });
    await expect(read("a.pptx", bytes)).rejects.toMatchObject(refusal(EXCESSIVE));
  });

  test("is refused: too many entries", async () => {
    const entries: Zippable = {};
    for (let index = 0; index < 20_000; index += 1) entries[`x${index}`] = new Uint8Array();
    await expect(read("a.docx", zipSync(entries, { level: 0 }))).rejects.toMatchObject(refusal(EXCESSIVE));
  });

  test("is given up in bounded memory: a stream in a PDF", async () => {
    const bytes = pdfOf(repeatedly("q ".repeat(MB / 2), 4_000), "/Filter /FlateDecode");
    expect(bytes.length).toBeLessThan(8 * MB);
    const before = process.memoryUsage.rss();
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage.rss() - before);
    }, 10);

    await expect(read("a.pdf", bytes)).rejects.toMatchObject(refusal(GIVEN_UP));
    clearInterval(watch);
    expect(most).toBeLessThan(1_200 * MB);
  });
});

describe("hostile XML", () => {
  test("is not expanded: entities of entities", async () => {
    const entities = Array.from({ length: 9 }, (_, index) => `<!ENTITY l${index + 1} "${`&l${index};`.repeat(10)}">`);
    const prolog = `<!DOCTYPE x [<!ENTITY l0 "ha">${entities.join("")}]>`;

    expect(await read("a.docx", wordFile("<w:p><w:r><w:t>[&l9;]</w:t></w:r></w:p>", prolog))).toBe("[&l9;]");
  });

  test("makes nothing be fetched: external entities, schemas, relationships and pictures", async () => {
    const visitors: string[] = [];
    const server = createServer((req, res) => {
      visitors.push(req.url ?? "");
      res.end("<a/>");
    });
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    const outside = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const prolog = `<!DOCTYPE x SYSTEM "${outside}/dtd" [<!ENTITY e SYSTEM "${outside}/entity"><!ENTITY f SYSTEM "file:///etc/hostname"><!ENTITY % p SYSTEM "${outside}/parameter">%p;]>`;
    const word = officeFile("word/document.xml", {
      "word/document.xml": `${prolog}<w:document><w:p><w:r><w:t>[&e;&f;]</w:t></w:r></w:p></w:document>`,
      "word/_rels/document.xml.rels": relationships([
        ["footnotes", `${outside}/notes`, 'TargetMode="External"'],
        ["endnotes", `${outside}/notes`],
      ]),
    });
    const page = `<link rel="stylesheet" href="${outside}/css"><img src="${outside}/img"><iframe src="${outside}/frame"></iframe>text`;

    expect(await read("a.docx", word)).toBe("[&e;&f;]");
    expect(await read("a.html", Buffer.from(page))).toBe("text");
    await new Promise((resolve) => {
      server.close(resolve);
    });
    expect(visitors).toEqual([]);
  });

  test.each([100_000, 2_000_000])("is refused: %i elements deep", async (depth) => {
    await expect(read("a.docx", wordFile("<w:p>".repeat(depth)))).rejects.toMatchObject(refusal(EXCESSIVE));
    await expect(read("a.html", Buffer.from("<div>".repeat(depth)))).rejects.toMatchObject(refusal(EXCESSIVE));
  });

  test("is read up to two million characters", async () => {
    const note = "\n\n[The text goes on: only its first two million characters were read.]";
    const words = await read("a.docx", wordFile(`<w:p><w:r><w:t>${"x".repeat(3_000_000)}</w:t></w:r></w:p>`));
    expect(words).toHaveLength(2_000_000 + note.length);
    expect(words.slice(-note.length)).toBe(note);

    const wide = await read("a.xlsx", workbookFile(`<row><c r="ZZZ1"><v>1</v></c></row>`.repeat(10_000)));
    expect(wide.length).toBeLessThanOrEqual(2_000_000 + note.length);
  });
});

test("a PDF with 10,000 pages is read up to its 500th", async () => {
  const pages = pdf(Array.from({ length: 10_000 }, (_, index) => [`Page ${index + 1}.`]));
  // The limit of pages is meant here, not the one of time.
  const patient = createExtractor({ worker: EXTRACTION_WORKER, timeoutMs: 60_000 });
  const text = await read("a.pdf", pages, patient);

  expect(text).toMatch(/^Page 1\.\n\nPage 2\.\n/);
  expect(text).toMatch(/Page 500\.\n\n\[The file has 10000 pages: only the first 500 were read\.\]$/);
});

test("a PDF whose pages are in a circle ends", async () => {
  const circle = `%PDF-1.4
1 0 obj << /Type /Catalog /Pages 2 0 R >> endobj
2 0 obj << /Type /Pages /Kids [2 0 R 2 0 R] /Count 9999999 >> endobj
trailer << /Root 1 0 R >>\n`;
  expect(await read("a.pdf", Buffer.from(circle))).toMatch(/^\[No text was found: the pages may be pictures\.\]/);
});

describe("the extractor", () => {
  test("gives up when its time is over, and others do not wait for what was cancelled", async () => {
    const impatient = createExtractor({ worker: EXTRACTION_WORKER, timeoutMs: 20 });
    await expect(read("a.docx", docx(["x"]), impatient)).rejects.toMatchObject(refusal(GIVEN_UP));

    const one = createExtractor({ worker: EXTRACTION_WORKER, timeoutMs: 10_000 });
    const cancel = new AbortController();
    const file = { name: "a.docx", contentType: "", bytes: docx(["x"]) };
    const [running, waiting] = [
      one(file, { signal: cancel.signal, user: "adele" }),
      one(file, { signal: cancel.signal, user: "adele" }),
    ];
    const after = one(file, { signal, user: "adele" });
    cancel.abort(new Error("cancelled"));
    await expect(running).rejects.toThrow("cancelled");
    await expect(waiting).rejects.toThrow("cancelled");
    expect(await after).toBe("x");
    await expect(one(file, { signal: cancel.signal, user: "adele" })).rejects.toThrow("cancelled");
  });

  test("lets a user who reads one file wait for one of another user's many", async () => {
    const one = createExtractor({ worker: EXTRACTION_WORKER, timeoutMs: 10_000 });
    const file = { name: "a.docx", contentType: "", bytes: docx(["x"]) };
    const ended: string[] = [];
    const readAs = (user: string) => one(file, { signal, user }).then(() => ended.push(user));
    await Promise.all(["adele", "adele", "adele", "alex"].map(readAs));
    expect(ended).toEqual(["adele", "alex", "adele", "adele"]);
  });

  test("gives up when the memory of its heap is used up", async () => {
    const small = createExtractor({ worker: EXTRACTION_WORKER, timeoutMs: 10_000, maxMemoryMb: 20 });
    const strings = `<sst>${`<si><t>${"x".repeat(20)}</t></si>`.repeat(1_000_000)}</sst>`;
    const bytes = workbookFile("<row/>", { "xl/sharedStrings.xml": strings });
    await expect(read("a.xlsx", bytes, small)).rejects.toMatchObject(refusal(GIVEN_UP));
  });

  test("does not blame the file where its own worker is missing", async () => {
    const broken = createExtractor({ worker: new URL("file:///nowhere.js"), timeoutMs: 10_000 });
    await expect(read("a.docx", docx(["x"]), broken)).rejects.not.toMatchObject({ name: "ToolError" });
  });

  test("reads many files at once, and leaves the caller's bytes alone", async () => {
    const bytes = docx(["same"]);
    const texts = await Promise.all(Array.from({ length: 8 }, () => read("a.docx", bytes)));
    expect(texts).toEqual(Array.from({ length: 8 }, () => "same"));
    expect(bytes.length).toBeGreaterThan(100);
  });
});
