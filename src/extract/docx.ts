import type { Collector } from "./collector.ts";
import { openOfficeFile } from "./package-part.ts";
import { readParagraphs } from "./paragraphs.ts";

/** Reads a Word document, with its footnotes and endnotes at the end. */
export function readDocx(bytes: Uint8Array, { add }: Collector): void {
  const main = openOfficeFile(bytes);
  readParagraphs(main, "document", add);
  for (const notes of ["footnotes", "endnotes"]) {
    const part = main.byType(notes);
    if (part) readParagraphs(part, notes, add);
  }
}
