import type { Part } from "./package-part.ts";
import { readXml } from "./xml.ts";

/** A fallback repeats what the drawing before it says; a field of a slide is its number or the date. */
const SKIPPED = new Set(["Fallback", "fld"]);

/**
 * Reads the text of a part of a document or a slide, for which Word and PowerPoint have the same names: a line for each
 * paragraph and each row of a table, tabs between cells. Runs that are formatted as hidden are left out.
 */
export function readParagraphs({ bytes }: Part, root: string, add: (text: string) => void): void {
  let skipped = 0;
  let inRun = false;
  let inText = false;
  let hidden = false;
  let cellDepth = 0;
  let cellsInRow = 0;
  let gap = false;
  readXml(bytes, root, {
    open(name, attributes) {
      if (SKIPPED.has(name)) skipped += 1;
      else if (name === "r") inRun = true;
      else if (name === "t") inText = true;
      else if (name === "vanish") hidden = !/^(?:0|false|off)$/.test(attributes["w:val"] ?? "");
      // Outside a run it sets the place of a tab.
      else if (name === "tab" && inRun) add("\t");
      else if (name === "br" || name === "cr") add("\n");
      else if (name === "tr") cellsInRow = 0;
      else if (name === "tc") {
        if (cellsInRow > 0) add("\t");
        cellsInRow += 1;
        cellDepth += 1;
        gap = false;
      }
    },
    text(text) {
      if (!inText || hidden || skipped > 0) return;
      if (gap) add(" ");
      gap = false;
      add(text);
    },
    close(name) {
      if (SKIPPED.has(name)) skipped -= 1;
      else if (name === "t") inText = false;
      else if (name === "r") {
        inRun = false;
        hidden = false;
      } else if (name === "tc") {
        cellDepth -= 1;
        gap = false;
      } else if (name === "p" || name === "tr") {
        // Inside a cell paragraphs, and tables in it, share its line.
        if (cellDepth > 0) gap = true;
        else add("\n");
      }
    },
  });
}
