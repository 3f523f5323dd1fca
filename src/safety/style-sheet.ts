/** What a style says about the properties that decide whether text is seen; lower case, without `!important`. */
export type Declarations = ReadonlyMap<string, string>;

/** Rules of a page's style sheet by simple selector: `td`, `.note`, `td.note`, `#footer`. */
export type StyleSheet = ReadonlyMap<string, Declarations>;

const PROPERTIES = new Set(
  (
    "background background-color background-image bottom clip clip-path color content-visibility display filter font font-size " +
    "height left margin-left margin-top max-height max-width opacity overflow position right text-indent top transform visibility width"
  ).split(" "),
);
const MAX_VALUE = 200;
const SIMPLE_SELECTOR = /^([a-z][a-z0-9]*)?([.#][\w-]+)?$/i;
/** Of a selector with several parts only the last is looked at, and only when it names a class or an id. */
const NAMED_SELECTOR = /([a-z][a-z0-9]*)?[.#][\w-]+$/i;

/** Reads the declarations of a `style` attribute or of a rule. */
export function readDeclarations(css: string): Declarations {
  const found = new Map<string, string>();
  for (const declaration of decodeEscapes(withoutComments(css)).split(";")) {
    const colon = declaration.indexOf(":");
    const name = declaration.slice(0, Math.max(colon, 0)).trim().toLowerCase();
    if (!PROPERTIES.has(name)) continue;
    const value = declaration
      .slice(colon + 1, colon + 1 + MAX_VALUE)
      .toLowerCase()
      .replace("!important", "")
      .trim();
    found.set(name, value);
  }
  return found;
}

/** Reads the rules that hold on every screen; what depends on the screen's size or medium is left out. */
export function readStyleSheet(css: string): StyleSheet {
  const rules = new Map<string, Declarations>();
  const text = withoutComments(css);
  let at = 0;
  while (at < text.length) {
    const open = text.indexOf("{", at);
    if (open < 0) break;
    const before = text.slice(at, open);
    // A statement such as @import ends before the next rule begins.
    const selectors = before.slice(before.lastIndexOf(";") + 1).trim();
    const close = endOfBlock(text, open);
    if (!selectors.startsWith("@")) {
      const declarations = readDeclarations(text.slice(open + 1, close));
      for (const selector of selectors.split(",")) addRule(rules, selector.trim(), declarations);
    }
    at = close + 1;
  }
  return rules;
}

function addRule(rules: Map<string, Declarations>, selector: string, declarations: Declarations): void {
  const key = SIMPLE_SELECTOR.test(selector) ? selector : NAMED_SELECTOR.exec(selector.slice(-100))?.[0];
  if (!key || declarations.size === 0) return;
  const name = key.replace(/^[a-z0-9]+/i, (tag) => tag.toLowerCase());
  rules.set(name, new Map([...(rules.get(name) ?? []), ...declarations]));
}

function endOfBlock(text: string, open: number): number {
  let depth = 0;
  for (let index = open; index < text.length; index += 1) {
    if (text[index] === "{") depth += 1;
    else if (text[index] === "}") depth -= 1;
    if (depth === 0) return index;
  }
  return text.length;
}

/** By hand, because a pattern would search the rest of the text again for each comment that nobody ends. */
function withoutComments(css: string): string {
  const parts: string[] = [];
  let at = 0;
  for (;;) {
    const start = css.indexOf("/*", at);
    if (start < 0) break;
    parts.push(css.slice(at, start));
    const end = css.indexOf("*/", start + 2);
    at = end < 0 ? css.length : end + 2;
  }
  return `${parts.join("")}${css.slice(at)}`.replaceAll(/<!--|-->/g, "");
}

function decodeEscapes(css: string): string {
  return css.replace(/\\([0-9a-f]{1,6})\s?/gi, (_escape, digits: string) => {
    const code = Number.parseInt(digits, 16);
    return code > 0 && code <= 0x10_ffff ? String.fromCodePoint(code) : "";
  });
}
