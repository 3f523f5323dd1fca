import { badRequest, directoryBadRequest } from "../failure.ts";
import { skipSpace } from "./filter-tokens.ts";
import type { Row } from "./schema.ts";

interface Clause {
  readonly property: string;
  readonly text: string;
}

/** Clauses joined by AND, which binds tighter, and OR. */
type Alternatives = readonly (readonly Clause[])[];

const fold = (text: string) => text.normalize("NFC").toLowerCase();

const words = (text: string) => text.match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];

/** Words, and the parts of words that change case or turn into digits: `MailBox2` also gives `Mail`, `Box` and `2`. */
function indexTerms(text: string): string[] {
  const whole = words(text.normalize("NFC"));
  const parts = whole.flatMap((word) => word.match(/\p{N}+|\p{Lu}+(?!\p{Ll})|\p{Lu}?\p{Ll}+/gu) ?? []);
  return [...whole, ...parts].map(fold);
}

function parse(search: string, searchable: ReadonlySet<string>): Alternatives {
  const pattern = /(?:"(?<quoted>(?:[^"\\]|\\.)*)"|(?<operator>AND|OR)(?=[\s"]|$))/y;
  const alternatives: Clause[][] = [[]];
  let operand = true;
  let at = skipSpace(search, 0);
  while (at < search.length) {
    pattern.lastIndex = at;
    const { quoted, operator } = pattern.exec(search)?.groups ?? {};
    if ((operand ? quoted : operator) === undefined) {
      throw badRequest(
        `Syntax error: character '${search.charAt(at)}' is not valid at position ${at} in '${search.slice(0, 200)}'.`,
      );
    }
    if (quoted !== undefined) {
      const [, property = "", text = ""] = /^([^:]*):(.*)$/su.exec(quoted.replaceAll(/\\(.)/gsu, "$1")) ?? [];
      if (!searchable.has(property)) {
        throw directoryBadRequest(`Property '${property.slice(0, 100)}' is not supported in $search.`);
      }
      alternatives.at(-1)?.push({ property, text: text.trim() });
    } else if (operator === "OR") alternatives.push([]);
    operand = !operand;
    at = skipSpace(search, pattern.lastIndex);
  }
  if (operand) throw badRequest(`Syntax error: unexpected end of '${search.slice(0, 200)}'.`);
  return alternatives;
}

function satisfies({ property, text }: Clause, row: Row, tokenized: ReadonlySet<string>): boolean {
  const value = row[property];
  if (typeof value !== "string") return false;
  if (!tokenized.has(property)) return fold(value).startsWith(fold(text));
  const terms = indexTerms(value);
  return words(text).every((word) => terms.some((term) => term.startsWith(fold(word))));
}

/** The properties a directory search may name, and those among them that are split into words. */
export interface SearchRules {
  readonly searchable: ReadonlySet<string>;
  readonly tokenized: ReadonlySet<string>;
}

/**
 * Parses a directory `$search` into a test of rows.
 *
 * A clause on a tokenized property matches where each of its words begins one of the property's; on any other
 * property it matches the beginning of the value.
 */
export function parseDirectorySearch(search: string, { searchable, tokenized }: SearchRules): (row: Row) => boolean {
  const alternatives = parse(search, searchable);
  return (row) => alternatives.some((clauses) => clauses.every((clause) => satisfies(clause, row, tokenized)));
}
