import { Parser } from "htmlparser2";
import { hostAfter } from "../safety/links.ts";
import { readStyleSheet, type StyleSheet } from "../safety/style-sheet.ts";
import { isSeen, type Look, lookInside, PAGE } from "../safety/visibility.ts";
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
const MAX_DEPTH = 2_000;
const MAX_LINK_WORDS = 500;
/** Without the byte order mark, which is removed and not a blank. */
const BLANKS = /[^\S\ufeff]+/g;
const CHUNK_CHARS = 64 * 1024;

/** How an HTML page is to be read. */
export interface HtmlOptions {
  readonly truncated: boolean;
  /** Elements inside each other; a page with more of them is `excessive`. */
  readonly maxDepth?: number;
}

interface Link {
  readonly target: string;
  words: string;
}

/**
 * Reads a page as its reader sees it: no scripts, styles and comments, nothing that its own markup hides. Behind a link
 * stands the host that it leads to.
 */
export function readHtml(
  bytes: Uint8Array,
  { truncated, maxDepth = MAX_DEPTH }: HtmlOptions,
  { add }: Collector,
): void {
  const html = decodeText(bytes, { truncated });
  const sheet = styleSheetOf(html);
  // For each open element, how text in it looks.
  const open: Look[] = [PAGE];
  let link: Link | undefined;
  let preformatted = 0;
  let afterBlank = true;
  const put = (words: string): void => {
    if (words === "") return;
    add(words);
    afterBlank = /\s$/.test(words);
  };
  const parser = new Parser({
    onopentag(name, attributes) {
      if (LINES.has(name)) put("\n");
      if (name === "td" || name === "th") put("\t");
      if (name === "pre") preformatted += 1;
      if (VOID.has(name)) return;
      if (open.length > maxDepth) throw new Unreadable("excessive");
      const look = lookInside(open.at(-1) ?? PAGE, { name, attributes }, sheet);
      open.push(SILENT.has(name) ? { ...look, gone: true } : look);
      if (name === "a" && attributes["href"] !== undefined) link = { target: attributes["href"], words: "" };
    },
    ontext(text) {
      if (!isSeen(open.at(-1) ?? PAGE)) return;
      const words = preformatted > 0 ? text : text.replace(BLANKS, " ");
      put(afterBlank && preformatted === 0 ? words.trimStart() : words);
      if (link && link.words.length < MAX_LINK_WORDS) link.words += words;
    },
    onclosetag(name) {
      if (!VOID.has(name)) open.pop();
      if (name === "a" && link) {
        if (link.words.trim() !== "") put(hostAfter(link.words, link.target));
        link = undefined;
      }
      if (name === "pre") preformatted -= 1;
      if (LINES.has(name) && !VOID.has(name)) put("\n");
    },
  });
  feed(parser, html);
}

/** The rules of every style element, wherever it is: they hold for what stands before it too. */
function styleSheetOf(html: string): StyleSheet {
  if (!/<style/i.test(html)) return new Map();
  const css: string[] = [];
  let inside = false;
  const parser = new Parser({
    onopentagname(name) {
      inside = name === "style";
    },
    ontext(text) {
      if (inside) css.push(text);
    },
    onclosetag() {
      inside = false;
    },
  });
  feed(parser, html);
  return readStyleSheet(css.join(""));
}

function feed(parser: Parser, html: string): void {
  for (let start = 0; start < html.length; start += CHUNK_CHARS) parser.write(html.slice(start, start + CHUNK_CHARS));
  parser.end();
}
