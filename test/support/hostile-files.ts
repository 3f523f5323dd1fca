import { strToU8, type Zippable, zipSync } from "fflate";

const SCHEMAS = "http://schemas.openxmlformats.org";

/** Parts of an Office file: text, or bytes. */
export type OfficeParts = Readonly<Record<string, string | Uint8Array>>;

/** Relationships of a part, as pairs of the last word of their type and their target. */
export function relationships(targets: readonly (readonly [type: string, target: string, more?: string])[]): string {
  const items = targets.map(
    ([type, target, more = ""], index) =>
      `<Relationship Id="rId${index + 1}" Type="${SCHEMAS}/officeDocument/2006/relationships/${type}" Target="${target}" ${more}/>`,
  );
  return `<Relationships xmlns="${SCHEMAS}/package/2006/relationships">${items.join("")}</Relationships>`;
}

/** Packs an Office file whose main part is `main`. */
export function officeFile(main: string, parts: OfficeParts): Uint8Array {
  const all: OfficeParts = { "_rels/.rels": relationships([["officeDocument", main]]), ...parts };
  const bytes: Zippable = Object.fromEntries(
    Object.entries(all).map(([name, part]) => [name, typeof part === "string" ? strToU8(part) : part]),
  );
  return zipSync(bytes, { level: 1 });
}

/** A Word document whose body is this XML, with what stands before the root element. */
export function wordFile(body: string, prolog = ""): Uint8Array {
  return officeFile("word/document.xml", {
    "word/document.xml": `${prolog}<w:document xmlns:w="${SCHEMAS}/wordprocessingml/2006/main"><w:body>${body}</w:body></w:document>`,
  });
}

/** A workbook with one sheet of these rows, and the parts beside it. */
export function workbookFile(rows: string, parts: OfficeParts = {}): Uint8Array {
  return officeFile("xl/workbook.xml", {
    "xl/workbook.xml": `<workbook><sheets><sheet name="Data" sheetId="1" r:id="rId1"/></sheets></workbook>`,
    "xl/_rels/workbook.xml.rels": relationships([
      ["worksheet", "worksheets/sheet1.xml"],
      ["sharedStrings", "sharedStrings.xml"],
      ["styles", "styles.xml"],
    ]),
    "xl/worksheets/sheet1.xml": `<worksheet><sheetData>${rows}</sheetData></worksheet>`,
    ...parts,
  });
}
