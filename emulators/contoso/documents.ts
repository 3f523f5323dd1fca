import { strToU8, zipSync } from "fflate";

/** Parts of an Office file by their names. */
type Parts = Readonly<Record<string, string>>;

const SCHEMAS = "http://schemas.openxmlformats.org";
const RELATIONSHIPS = `${SCHEMAS}/officeDocument/2006/relationships`;
/** Zip files carry a time, and the same sample is to have the same bytes whenever it is made. */
const MADE = new Date(2026, 0, 1);

const escape = (text: string) => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

const xml = (body: string) => `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n${body}`;

function relationships(targets: readonly (readonly [type: string, target: string])[]): string {
  const items = targets.map(
    ([type, target], index) =>
      `<Relationship Id="rId${index + 1}" Type="${RELATIONSHIPS}/${type}" Target="${target}"/>`,
  );
  return xml(`<Relationships xmlns="${SCHEMAS}/package/2006/relationships">${items.join("")}</Relationships>`);
}

function pack(main: string, parts: Parts, types: Parts): Uint8Array {
  const overrides = Object.entries(types).map(
    ([name, type]) =>
      `<Override PartName="/${name}" ContentType="application/vnd.openxmlformats-officedocument.${type}+xml"/>`,
  );
  const all: Parts = {
    "[Content_Types].xml": xml(
      `<Types xmlns="${SCHEMAS}/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>${overrides.join("")}</Types>`,
    ),
    "_rels/.rels": relationships([["officeDocument", main]]),
    ...parts,
  };
  return zipSync(Object.fromEntries(Object.entries(all).map(([name, text]) => [name, strToU8(text)])), { mtime: MADE });
}

/** Makes a Word document of paragraphs; a list of cells is a row of a table. */
export function docx(blocks: readonly (string | readonly string[])[]): Uint8Array {
  const paragraph = (text: string) => `<w:p><w:r><w:t xml:space="preserve">${escape(text)}</w:t></w:r></w:p>`;
  const body = blocks.map((block) =>
    typeof block === "string"
      ? paragraph(block)
      : `<w:tbl><w:tr>${block.map((cell) => `<w:tc>${paragraph(cell)}</w:tc>`).join("")}</w:tr></w:tbl>`,
  );
  return pack(
    "word/document.xml",
    {
      "word/document.xml": xml(
        `<w:document xmlns:w="${SCHEMAS}/wordprocessingml/2006/main"><w:body>${body.join("")}</w:body></w:document>`,
      ),
    },
    { "word/document.xml": "wordprocessingml.document.main" },
  );
}

/** Makes a workbook of sheets with rows of texts and numbers. */
export function xlsx(sheets: Readonly<Record<string, readonly (readonly (string | number)[])[]>>): Uint8Array {
  const strings: string[] = [];
  const cell = (value: string | number, reference: string) =>
    typeof value === "number"
      ? `<c r="${reference}"><v>${value}</v></c>`
      : `<c r="${reference}" t="s"><v>${strings.push(value) - 1}</v></c>`;
  const names = Object.keys(sheets);
  const parts = Object.values(sheets).map((rows, index) => {
    const data = rows.map(
      (row, line) =>
        `<row r="${line + 1}">${row.map((value, column) => cell(value, `${String.fromCharCode(65 + column)}${line + 1}`)).join("")}</row>`,
    );
    const sheet = `<worksheet xmlns="${SCHEMAS}/spreadsheetml/2006/main"><sheetData>${data.join("")}</sheetData></worksheet>`;
    return [`xl/worksheets/sheet${index + 1}.xml`, xml(sheet)] as const;
  });
  const list = names.map(
    (name, index) => `<sheet name="${escape(name)}" sheetId="${index + 1}" r:id="rId${index + 1}"/>`,
  );
  return pack(
    "xl/workbook.xml",
    {
      "xl/workbook.xml": xml(
        `<workbook xmlns="${SCHEMAS}/spreadsheetml/2006/main" xmlns:r="${RELATIONSHIPS}"><sheets>${list.join("")}</sheets></workbook>`,
      ),
      "xl/_rels/workbook.xml.rels": relationships([
        ...names.map((_name, index) => ["worksheet", `worksheets/sheet${index + 1}.xml`] as const),
        ["sharedStrings", "sharedStrings.xml"],
      ]),
      ...Object.fromEntries(parts),
      "xl/sharedStrings.xml": xml(
        `<sst xmlns="${SCHEMAS}/spreadsheetml/2006/main">${strings.map((text) => `<si><t xml:space="preserve">${escape(text)}</t></si>`).join("")}</sst>`,
      ),
    },
    {
      "xl/workbook.xml": "spreadsheetml.sheet.main",
      "xl/sharedStrings.xml": "spreadsheetml.sharedStrings",
      ...Object.fromEntries(parts.map(([name]) => [name, "spreadsheetml.worksheet"])),
    },
  );
}

/** Makes a presentation; each slide is its lines. */
export function pptx(slides: readonly (readonly string[])[]): Uint8Array {
  const namespaces = `xmlns:p="${SCHEMAS}/presentationml/2006/main" xmlns:a="${SCHEMAS}/drawingml/2006/main" xmlns:r="${RELATIONSHIPS}"`;
  const parts = slides.map((lines, index) => {
    const text = lines.map((line) => `<a:p><a:r><a:t>${escape(line)}</a:t></a:r></a:p>`).join("");
    const shape = `<p:sp><p:txBody><a:bodyPr/>${text}</p:txBody></p:sp>`;
    return [
      `ppt/slides/slide${index + 1}.xml`,
      xml(`<p:sld ${namespaces}><p:cSld><p:spTree>${shape}</p:spTree></p:cSld></p:sld>`),
    ] as const;
  });
  const list = slides.map((_lines, index) => `<p:sldId id="${256 + index}" r:id="rId${index + 1}"/>`);
  return pack(
    "ppt/presentation.xml",
    {
      "ppt/presentation.xml": xml(
        `<p:presentation ${namespaces}><p:sldIdLst>${list.join("")}</p:sldIdLst></p:presentation>`,
      ),
      "ppt/_rels/presentation.xml.rels": relationships(
        slides.map((_lines, index) => ["slide", `slides/slide${index + 1}.xml`] as const),
      ),
      ...Object.fromEntries(parts),
    },
    {
      "ppt/presentation.xml": "presentationml.presentation.main",
      ...Object.fromEntries(parts.map(([name]) => [name, "presentationml.slide"])),
    },
  );
}

/** Makes a PDF (1.4) in Helvetica; each page is its lines, in Latin-1. */
export function pdf(pages: readonly (readonly string[])[]): Uint8Array {
  const first = 4;
  const objects = [
    "<< /Type /Catalog /Pages 2 0 R >>",
    `<< /Type /Pages /Count ${pages.length} /Kids [${pages.map((_lines, index) => `${first + 2 * index} 0 R`).join(" ")}] >>`,
    "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ...pages.flatMap((lines, index) => {
      const shown = lines.map((line) => `(${line.replace(/[()\\]/g, "\\$&")}) Tj 0 -18 Td`).join("\n");
      const stream = `BT /F1 12 Tf 50 780 Td\n${shown}\nET`;
      return [
        `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> /Contents ${first + 2 * index + 1} 0 R >>`,
        `<< /Length ${stream.length} >>\nstream\n${stream}\nendstream`,
      ];
    }),
  ];
  const places: number[] = [];
  let text = "%PDF-1.4\n";
  for (const [index, object] of objects.entries()) {
    places.push(text.length);
    text += `${index + 1} 0 obj\n${object}\nendobj\n`;
  }
  const table = places.map((place) => `${String(place).padStart(10, "0")} 00000 n \n`).join("");
  const size = objects.length + 1;
  const trailer = `trailer\n<< /Size ${size} /Root 1 0 R >>\nstartxref\n${text.length}\n%%EOF\n`;
  return Buffer.from(`${text}xref\n0 ${size}\n0000000000 65535 f \n${table}${trailer}`, "latin1");
}
