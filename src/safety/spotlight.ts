import { randomBytes } from "node:crypto";

/** How one result shows what is not its own words. */
export interface Spotlight {
  /** Puts a long text between delimiters that its author could not know. */
  readonly delimit: (text: string, source: string) => string;
  /** The sentence for the reader about the delimiters, empty while none was used. */
  readonly explain: () => string;
}

const NONCE_BYTES = 8;
/** Stands for each blank of a text that is datamarked. */
const MARK = "^";

/**
 * Makes the delimiters of one result, with a nonce of its own; with `datamark` also every blank between two of them is
 * marked. Source: Hines et al., "Defending Against Indirect Prompt Injection Attacks With Spotlighting" (2024).
 */
export function createSpotlight({ datamark }: { readonly datamark: boolean }): Spotlight {
  const tag = `untrusted-${randomBytes(NONCE_BYTES).toString("hex")}`;
  let used = false;
  return {
    delimit(text, source) {
      if (text === "") return text;
      used = true;
      const body = datamark ? text.replace(/[^\S\n]+/g, MARK) : text;
      return `<${tag} source=${source}>\n${body}\n</${tag}>`;
    },
    explain: () =>
      used ? ` Long text stands between <${tag}> marks${datamark ? `, with ${MARK} for each blank` : ""}.` : "",
  };
}

/** Makes harmless what looks like our delimiters or like the marks between the turns of a chat. */
export function defuse(text: string): string {
  return text.replace(/<(?=[\s/]{0,8}untrusted)|<(?=\|[\w \t-]{1,40}\|>)/gi, "‹");
}
