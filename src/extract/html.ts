import { Parser } from "htmlparser2";
import type { Collector } from "./collector.ts";
import { decodeText } from "./plain-text.ts";
import { Unreadable } from "./unreadable.ts";

const SILENT = new Set([
  "script",
  "style",
  "template",
  "noscript",
  "svg",
  "math",
  "iframe",
  "object",
  "select",
  "title",
]);
const LINES = new Set(
  "address article aside blockquote br dd div dl dt figure footer form h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section table tr ul".split(
    " ",
  ),
);
const VOID = new Set("area base br col embed hr img input link meta source track wbr".split(" "));
const HIDING = /(?:display\s*:\s*none|visibility\s*:\s*hidden|opacity\s*:\s*0(?![.\d])|font-size\s*:\s*0(?![.\d]))/i;
const MAX_DEPTH = 2_000;
const CHUNK_CHARS = 64 * 1024;

/** Reads a page as its reader sees it: no scripts, styles and comments, nothing that its own markup hides. */
export function readHtml(bytes: Uint8Array, truncated: boolean, { add }: Collector): void {
  const html = decodeText(bytes, { truncated });
  // For each open element, whether it or one around it is hidden.
  const open: boolean[] = [];
  const parser = new Parser({
    onopentag(name, attributes) {
      if (LINES.has(name)) add("\n");
      if (name === "td" || name === "th") add("\t");
      if (VOID.has(name)) return;
      if (open.length >= MAX_DEPTH) throw new Unreadable("excessive");
      open.push(open.at(-1) === true || SILENT.has(name) || isHidden(attributes));
    },
    ontext(text) {
      if (open.at(-1) !== true) add(text.replace(/\s+/g, " "));
    },
    onclosetag(name) {
      if (!VOID.has(name)) open.pop();
      if (LINES.has(name) && !VOID.has(name)) add("\n");
    },
  });
  for (let start = 0; start < html.length; start += CHUNK_CHARS) parser.write(html.slice(start, start + CHUNK_CHARS));
  parser.end();
}

function isHidden(attributes: Readonly<Record<string, string>>): boolean {
  return "hidden" in attributes || attributes["aria-hidden"] === "true" || HIDING.test(attributes["style"] ?? "");
}
