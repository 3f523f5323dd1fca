import type { Part } from "./package-part.ts";
import { readXml } from "./xml.ts";

/** Numbers of the built-in formats that show a date or a time (ISO 29500-1, 18.8.30). */
const BUILT_IN = new Set([14, 15, 16, 17, 18, 19, 20, 21, 22, 45, 46, 47]);
const DAY_MS = 86_400_000;

/** Reads from a workbook's styles which of them show their number as a date. */
export function dateStylesOf(part: Part | undefined): (style: number) => boolean {
  const formats = new Map<number, string>();
  const styles: number[] = [];
  let inCells = false;
  if (part) {
    readXml(part.bytes, "styleSheet", {
      open(name, attributes) {
        const format = Number(attributes["numFmtId"]);
        if (name === "numFmt") formats.set(format, attributes["formatCode"] ?? "");
        else if (name === "cellXfs") inCells = true;
        else if (name === "xf" && inCells) styles.push(format);
      },
      close(name) {
        if (name === "cellXfs") inCells = false;
      },
    });
  }
  return (style) => {
    const format = styles[style] ?? 0;
    // Colours, currencies and quoted words are no part of the pattern.
    const pattern = formats.get(format)?.replace(/"[^"]*"|\[[^\]]*\]|\\./g, "") ?? "";
    return BUILT_IN.has(format) || /[ymdhs]/i.test(pattern);
  };
}

/** Shows a spreadsheet's day number as an ISO date, with the time where it has one. */
export function toDate(serial: number, since1904: boolean): string {
  const start = since1904 ? Date.UTC(1904, 0, 1) : Date.UTC(1899, 11, 30);
  const date = new Date(start + Math.round(serial * DAY_MS));
  if (Number.isNaN(date.getTime())) return String(serial);
  const [day = "", time = ""] = date.toISOString().slice(0, 19).split("T");
  if (serial < 1) return time;
  return Number.isInteger(serial) ? day : `${day} ${time}`;
}
