import { badRequest } from "../failure.ts";

/** A piece of a `$filter` expression and where it begins. */
export type Token =
  | { readonly kind: "text"; readonly value: string; readonly at: number }
  | { readonly kind: "number"; readonly value: number; readonly at: number }
  | { readonly kind: "instant"; readonly value: string; readonly at: number }
  | { readonly kind: "word"; readonly value: string; readonly at: number }
  | { readonly kind: "mark"; readonly value: string; readonly at: number };

const PATTERN =
  /(?:'(?<text>(?:[^']|'')*)'|(?<instant>\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d))?)|(?<number>-?\d+(?:\.\d+)?)|(?<word>[A-Za-z_][\w./@-]*)|(?<mark>[(),:]))/y;

/** Index of the first character from `start` on that is not white space. */
export const skipSpace = (text: string, start: number) => text.length - text.slice(start).trimStart().length;

/** Begins every message about a filter, as Graph's do. */
export const invalidFilter = (problem: string) => badRequest(`Invalid filter clause: ${problem}`);

/** Splits a `$filter` expression; in string literals a doubled quote becomes a single one. */
export function tokenize(filter: string): Token[] {
  const tokens: Token[] = [];
  let at = skipSpace(filter, 0);
  while (at < filter.length) {
    PATTERN.lastIndex = at;
    const { text, instant, number, word, mark } = PATTERN.exec(filter)?.groups ?? {};
    if (text !== undefined) tokens.push({ kind: "text", value: text.replaceAll("''", "'"), at });
    else if (instant !== undefined) tokens.push({ kind: "instant", value: instant, at });
    else if (number !== undefined) tokens.push({ kind: "number", value: Number(number), at });
    else if (word !== undefined) tokens.push({ kind: "word", value: word, at });
    else if (mark !== undefined) tokens.push({ kind: "mark", value: mark, at });
    else throw invalidFilter(`Syntax error at position ${at} in '${filter.slice(0, 200)}'.`);
    at = skipSpace(filter, PATTERN.lastIndex);
  }
  return tokens;
}
