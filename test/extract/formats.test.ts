import { describe, expect, test } from "vitest";
import { docx, pdf, pptx, xlsx } from "../../emulators/contoso/documents.ts";
import type { FileToRead } from "../../src/mcp/extract-text.ts";
import { extractText } from "../support/extractor.ts";
import { officeFile, relationships, wordFile, workbookFile } from "../support/hostile-files.ts";

const { signal } = new AbortController();

const read = (name: string, content: Uint8Array | string, more: Partial<FileToRead> = {}) =>
  extractText(
    { name, contentType: "", bytes: typeof content === "string" ? Buffer.from(content) : content, ...more },
    { signal, user: "adele" },
  );

describe("text", () => {
  test.each<[string, string, Uint8Array, string]>([
    ["UTF-8", "a.txt", Buffer.from("Grüße ☕"), "Grüße ☕"],
    ["UTF-8 with a mark", "a.md", Buffer.from("\ufeff# Grüße"), "# Grüße"],
    ["UTF-16, little end first", "a.csv", Buffer.from("\ufeffStadt;Köln", "utf16le"), "Stadt;Köln"],
    ["UTF-16, big end first", "a.json", Buffer.from("\ufeff[1]", "utf16le").swap16(), "[1]"],
    ["windows-1252", "a.xml", Buffer.from("<a>Caf\xe9 \x80 \x93x\x94</a>", "latin1"), "<a>Café € “x”</a>"],
    ["line ends of all systems", "a.log", Buffer.from("a\r\nb\rc\n\n\nd  "), "a\nb\nc\n\n\nd  "],
  ])("is decoded from %s", async (_what, name, bytes, text) => {
    expect(await read(name, bytes)).toBe(text);
  });

  test("loses what no reader of the file sees", async () => {
    expect(await read("a.txt", "a\u200bb\u202ec\u{e0041}d\u0007e\u00adf \u{1f468}\u200d\u{1f469}\tg")).toBe(
      "abcdef 👨‍👩\tg",
    );
  });

  test("of which only the beginning is there ends with a whole character and a note", async () => {
    expect(await read("a.txt", Buffer.from("Grü").subarray(0, 3), { truncated: true })).toBe(
      "Gr\n\n[The file is larger: this is its beginning.]",
    );
  });

  test.each([
    ["text/x-python", "script"],
    ["application/ld+json", "data.bin"],
    ["application/xml", "x"],
  ])("is recognised by the media type %s where the name says nothing", async (contentType, name) => {
    expect(await read(name, "a: 1", { contentType })).toBe("a: 1");
  });

  test("does not include files that only have the name of one", async () => {
    await expect(read("a.txt", "a\0b", { webUrl: "https://contoso.sharepoint.com/a.txt" })).rejects.toMatchObject({
      code: "unreadable",
      message: "The file is not text, whatever its name says. It can be opened at https://contoso.sharepoint.com/a.txt",
    });
  });
});

test("a kind of file without text is refused", async () => {
  await expect(read("a.png", "x", { contentType: "image/png" })).rejects.toMatchObject({
    name: "ToolError",
    code: "unreadable",
    message: "Text can be read of Word, Excel, PowerPoint, PDF, HTML and plain text files, and this is another kind.",
  });
});

test("an HTML page is read as its reader sees it", async () => {
  const page = `<!doctype html><html><head><title>T</title><style>p{}</style><script>var a = "<p>";</script></head><body>
    <h1>Caf&eacute;  &amp;
    bar</h1><!-- a comment --><p>One <b>two</b><br>three</p>
    <p hidden>no</p><p style="DISPLAY : none">no <i>no</i></p><span style="font-size:0">no</span>
    <table><tr><td>a</td><td>b</td></tr></table><img src="http://127.0.0.1:1/x"><ul><li>x<li>y</ul></body></html>`;

  expect(await read("a.html", page)).toBe("Café & bar\n\nOne two\nthree\n\n\ta\tb\n\nx\n\ny");
  expect(await read("a", "<p>x", { contentType: "text/html" })).toBe("x");
});

describe("a Word document", () => {
  test("is read with its tables", async () => {
    expect(await read("a.docx", docx(["First & last", ["Store", "Sales"], ["Seattle", "7"], "End"]))).toBe(
      "First & last\nStore\tSales\nSeattle\t7\nEnd",
    );
  });

  test("keeps tabs and line breaks, and loses deleted, hidden and repeated text", async () => {
    const run = (inner: string, properties = "") => `<w:r><w:rPr>${properties}</w:rPr>${inner}</w:r>`;
    const bytes = wordFile(
      `<w:p><w:pPr><w:tabs><w:tab w:val="left"/></w:tabs></w:pPr>${run("<w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t xml:space='preserve'> c</w:t>")}
      <w:del>${run("<w:delText>gone</w:delText>")}</w:del>${run("<w:t>secret</w:t>", "<w:vanish/>")}${run("<w:t>d</w:t>", '<w:vanish w:val="false"/>')}
      <mc:AlternateContent><mc:Choice>${run("<w:t>box</w:t>")}</mc:Choice><mc:Fallback>${run("<w:t>box</w:t>")}</mc:Fallback></mc:AlternateContent></w:p>`,
    );

    expect(await read("a.docx", bytes)).toBe("a\tb\n cdbox");
  });

  test("is read with footnotes, from wherever its main part is", async () => {
    const story = (root: string, text: string) => `<${root}><w:p><w:r><w:t>${text}</w:t></w:r></w:p></${root}>`;
    const bytes = officeFile("/other/doc2.xml", {
      "other/doc2.xml": story("w:document", "Body"),
      "other/_rels/doc2.xml.rels": relationships([["footnotes", "../notes/foot%20notes.xml"]]),
      "notes/foot notes.xml": story("w:footnotes", "Note"),
    });

    expect(await read("a.docm", bytes)).toBe("Body\nNote");
  });
});

describe("a workbook", () => {
  test("is read sheet by sheet, empty cells kept", async () => {
    expect(
      await read(
        "a.xlsx",
        xlsx({
          "Q1 & Q2": [
            ["Store", "Units"],
            ["Seattle", 3.5],
          ],
          Notes: [["a\nb"]],
        }),
      ),
    ).toBe("# Q1 & Q2\nStore\tUnits\nSeattle\t3.5\n\n# Notes\na b");
    expect(await read("a.xlsx", workbookFile(`<row><c r="B1"><v>1</v></c><c r="E1"><v>2</v></c></row><row/>`))).toBe(
      "# Data\n\t1\t\t\t2",
    );
  });

  test("shows dates as dates, and results of formulas", async () => {
    const bytes = workbookFile(
      `<row><c s="1"><v>46023</v></c><c s="2"><v>46023.75</v></c><c s="3"><v>0.5</v></c><c s="4"><v>12</v></c><c><f>1+1</f><v>2</v></c><c t="str"><v>x</v></c><c t="b"><v>1</v></c><c t="inlineStr"><is><t>in</t></is></c><c t="e"><v>#DIV/0!</v></c></row>`,
      {
        "xl/styles.xml": `<styleSheet><numFmts><numFmt numFmtId="170" formatCode="dd/mm/yyyy hh:mm"/><numFmt numFmtId="171" formatCode="[Red]0.0 &quot;days&quot;"/></numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="170"/><xf numFmtId="20"/><xf numFmtId="171"/></cellXfs></styleSheet>`,
      },
    );

    expect(await read("a.xlsx", bytes)).toBe(
      "# Data\n2026-01-01\t2026-01-01 18:00:00\t12:00:00\t12\t2\tx\tTRUE\tin\t#DIV/0!",
    );
  });

  test("leaves out hidden sheets and the pronunciation of words", async () => {
    const bytes = workbookFile(`<row><c t="s"><v>0</v></c></row>`, {
      "xl/workbook.xml": `<workbook><workbookPr date1904="1"/><sheets><sheet name="Secret" state="veryHidden" r:id="rId1"/><sheet name="Shown" r:id="rId1"/></sheets></workbook>`,
      "xl/sharedStrings.xml": "<sst><si><r><t>東</t></r><r><t>京</t></r><rPh><t>トウキョウ</t></rPh></si></sst>",
    });

    expect(await read("a.xlsx", bytes)).toBe("# Shown\n東京");
  });
});

test("a presentation is read slide by slide, with its notes", async () => {
  expect(await read("a.pptx", pptx([["One", "two"], ["Three"]]))).toBe("# Slide 1\nOne\ntwo\n\n# Slide 2\nThree");

  const text = (root: string, words: string) =>
    `<p:${root}><a:p><a:r><a:t>${words}</a:t></a:r><a:fld><a:t>7</a:t></a:fld></a:p></p:${root}>`;
  const bytes = officeFile("ppt/presentation.xml", {
    "ppt/presentation.xml": `<p:presentation><p:sldIdLst><p:sldId r:id="rId2"/><p:sldId r:id="rId1"/></p:sldIdLst></p:presentation>`,
    "ppt/_rels/presentation.xml.rels": relationships([
      ["slide", "slides/a.xml"],
      ["slide", "slides/b.xml"],
    ]),
    "ppt/slides/a.xml": text("sld", "second"),
    "ppt/slides/b.xml": text("sld", "first"),
    "ppt/slides/_rels/b.xml.rels": relationships([["notesSlide", "../notes/n.xml"]]),
    "ppt/notes/n.xml": text("notes", "say hello"),
  });
  expect(await read("a.pptx", bytes)).toBe("# Slide 1\nfirst\n\nNotes:\nsay hello\n\n# Slide 2\nsecond");
});

test("a PDF is read page by page", async () => {
  expect(await read("a.pdf", pdf([["One (two)", "three"], ["Four"]]))).toBe("One (two)\nthree\n\nFour");
});
