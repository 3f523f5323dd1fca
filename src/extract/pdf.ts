import { getDocumentProxy } from "unpdf";
import type { Collector } from "./collector.ts";
import { Unreadable } from "./unreadable.ts";

const MAX_PAGES = 500;

/** Reads a PDF page by page: at most 500 pages, and none more once `partialAfterMs` are over. */
export async function readPdf(bytes: Uint8Array, partialAfterMs: number, { add, note }: Collector): Promise<void> {
  const stopAt = performance.now() + partialAfterMs;
  const pdf = await getDocumentProxy(bytes, { verbosity: 0 }).catch((cause: unknown) => {
    throw new Unreadable(cause instanceof Error && cause.name === "PasswordException" ? "protected" : "damaged", {
      cause,
    });
  });
  let read = 0;
  let empty = true;
  while (read < Math.min(pdf.numPages, MAX_PAGES) && performance.now() < stopAt) {
    read += 1;
    const page = await pdf.getPage(read);
    const { items } = await page.getTextContent();
    for (const item of items) {
      if (!("str" in item)) continue;
      empty &&= item.str.trim() === "";
      add(item.hasEOL ? `${item.str}\n` : item.str);
    }
    add("\n\n");
    page.cleanup();
  }
  if (empty) note("No text was found: the pages may be pictures.");
  if (read < pdf.numPages) note(`The file has ${pdf.numPages} pages: only the first ${read} were read.`);
}
