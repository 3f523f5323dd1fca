import type { Collector } from "./collector.ts";
import { openOfficeFile } from "./package-part.ts";
import { readParagraphs } from "./paragraphs.ts";
import { readXml } from "./xml.ts";

/** Reads a presentation: the slides in their order, each with its speaker notes. */
export function readPptx(bytes: Uint8Array, { add }: Collector): void {
  const main = openOfficeFile(bytes);
  const ids: (string | undefined)[] = [];
  readXml(main.bytes, "presentation", {
    open(name, attributes) {
      if (name === "sldId") ids.push(attributes["r:id"]);
    },
  });
  for (const [index, id] of ids.entries()) {
    const slide = main.byId(id);
    if (!slide) continue;
    add(`\n# Slide ${index + 1}\n`);
    readParagraphs(slide, "sld", add);
    const notes = slide.byType("notesSlide");
    if (!notes) continue;
    add("\nNotes:\n");
    readParagraphs(notes, "notes", add);
  }
}
