import type { Collector } from "./collector.ts";
import { openOfficeFile, type Part } from "./package-part.ts";
import { dateStylesOf, toDate } from "./spreadsheet-dates.ts";
import { readXml } from "./xml.ts";

interface Workbook {
  readonly sheets: readonly { readonly name: string; readonly id: string | undefined }[];
  /** Whether days are counted from 1904, as on old Macs. */
  readonly since1904: boolean;
}

/** Reads a workbook: each visible sheet, a row per line, cells between tabs, formulas by their last result. */
export function readXlsx(bytes: Uint8Array, { add }: Collector): void {
  const main = openOfficeFile(bytes);
  const { sheets, since1904 } = readWorkbook(main);
  const strings = readStrings(main.byType("sharedStrings"));
  const isDate = dateStylesOf(main.byType("styles"));
  for (const { name, id } of sheets) {
    const sheet = main.byId(id);
    if (!sheet) continue;
    add(`\n# ${name}\n`);
    readSheet(sheet, add, ({ type, style, value }) => {
      if (type === "s") return strings[Number(value)] ?? "";
      if (type === "b") return value === "1" ? "TRUE" : "FALSE";
      if (type === undefined || type === "n") return isDate(style) ? toDate(Number(value), since1904) : value;
      return value;
    });
  }
}

interface Cell {
  readonly type: string | undefined;
  readonly style: number;
  readonly value: string;
}

function readWorkbook({ bytes }: Part): Workbook {
  const sheets: { name: string; id: string | undefined }[] = [];
  let since1904 = false;
  readXml(bytes, "workbook", {
    open(element, attributes) {
      if (element === "workbookPr") since1904 = /^(?:1|true)$/.test(attributes["date1904"] ?? "");
      const { name = "", state = "visible" } = attributes;
      if (element === "sheet" && state === "visible") sheets.push({ name, id: attributes["r:id"] });
    },
  });
  return { sheets, since1904 };
}

function readStrings(part: Part | undefined): readonly string[] {
  const strings: string[] = [];
  if (!part) return strings;
  let current = "";
  let inText = false;
  let inPhonetic = false;
  readXml(part.bytes, "sst", {
    open(name) {
      if (name === "si") current = "";
      else if (name === "t") inText = true;
      else if (name === "rPh") inPhonetic = true;
    },
    text(text) {
      if (inText && !inPhonetic) current += text;
    },
    close(name) {
      if (name === "si") strings.push(current);
      else if (name === "t") inText = false;
      else if (name === "rPh") inPhonetic = false;
    },
  });
  return strings;
}

function readSheet({ bytes }: Part, add: (text: string) => void, show: (cell: Cell) => string): void {
  let column = 0;
  let written = 0;
  let type: string | undefined;
  let style = 0;
  let value = "";
  let inValue = false;
  readXml(bytes, "worksheet", {
    open(name, attributes) {
      if (name === "row") {
        column = 0;
        written = 0;
      } else if (name === "c") {
        column = columnOf(attributes["r"]) ?? column + 1;
        type = attributes["t"];
        style = Number(attributes["s"] ?? 0);
        value = "";
      } else if (name === "v" || name === "t") inValue = true;
    },
    text(text) {
      if (inValue) value += text;
    },
    close(name) {
      if (name === "v" || name === "t") inValue = false;
      else if (name === "row" && written > 0) add("\n");
      else if (name === "c" && value !== "") {
        add("\t".repeat(Math.max(0, column - Math.max(written, 1))));
        add(show({ type, style, value }).replace(/\s+/g, " "));
        written = column;
      }
    },
  });
}

/** The number of a cell's column, from 1: `AB12` is 28. */
function columnOf(reference: string | undefined): number | undefined {
  const [letters] = /^[A-Z]{1,3}/.exec(reference ?? "") ?? [];
  if (letters === undefined) return undefined;
  return Array.from(letters).reduce((sum, letter) => sum * 26 + letter.charCodeAt(0) - 64, 0);
}
