/** What a search looks at in one item: the text that bare words are looked for in, and the values of its properties. */
export interface Searchable {
  readonly text: string;
  /** Keys in lower case; an ISO date is compared as one. */
  readonly properties: Readonly<Record<string, string>>;
}

type Test = (item: Searchable) => boolean;

type Token = { readonly mark: "(" | ")" | "AND" | "OR" | "NOT" } | Term;

interface Term {
  readonly mark: "term";
  readonly property: string | undefined;
  readonly operator: string;
  readonly value: string;
}

const PATTERN =
  /\s*(?:(?<mark>[()])|(?:(?<property>[a-z]+)(?<operator>[:<>]=?|=))?(?:"(?<phrase>[^"]*)"?|(?<word>[^\s()"]+)))/giuy;

const MAX_DEPTH = 50;

function tokenize(query: string): Token[] {
  return [...query.matchAll(PATTERN)].map(({ groups = {} }): Token => {
    const { mark, property, operator = ":", phrase, word = "" } = groups;
    if (mark === "(" || mark === ")") return { mark };
    if (property === undefined && phrase === undefined && (word === "AND" || word === "OR" || word === "NOT")) {
      return { mark: word };
    }
    return { mark: "term", property: property?.toLowerCase(), operator, value: phrase ?? word };
  });
}

/** Words of a text as the index keeps them. */
const indexed = (text: string) =>
  ` ${(
    text
      .normalize("NFC")
      .toLowerCase()
      .match(/[\p{L}\p{M}\p{N}]+/gu) ?? []
  ).join(" ")} `;

/** Whether these words stand in the text one after the other; a star ends the last one anywhere. */
function contains(text: string, words: string): boolean {
  const wanted = indexed(words);
  return wanted.trim() !== "" && indexed(text).includes(words.endsWith("*") ? wanted.trimEnd() : wanted);
}

function compares(value: string, operator: string, wanted: string): boolean {
  const day = /^\d{4}-\d\d-\d\d$/.test(wanted);
  const left = Date.parse(day ? value.slice(0, 10) : value);
  const right = Date.parse(wanted);
  if (Number.isNaN(right)) return false;
  if (operator === ">=") return left >= right;
  if (operator === "<=") return left <= right;
  if (operator === ">") return left > right;
  if (operator === "<") return left < right;
  return left === right;
}

function termTest({ property, operator, value }: Term): Test {
  return ({ text, properties }) => {
    if (property === undefined) return contains(text, value);
    const held = properties[property];
    // KQL takes a property that it does not know as text.
    if (held === undefined) return contains(text, `${property} ${value}`);
    return /^\d{4}-\d\d-\d\dT/.test(held) ? compares(held, operator, value) : contains(held, value);
  };
}

/**
 * Parses keyword query language into a test of items: words, phrases, `word*`, `property:value`, comparisons of dates,
 * AND (also between neighbours), OR, NOT and parentheses. What is malformed is read as far as it makes sense.
 */
export function parseKql(query: string): Test {
  const tokens = tokenize(query);
  let position = 0;
  let depth = 0;

  const accept = (mark: Token["mark"]): boolean => {
    if (tokens[position]?.mark !== mark) return false;
    position += 1;
    return true;
  };

  function primary(): Test {
    if (accept("NOT")) {
      const negated = primary();
      return (item) => !negated(item);
    }
    if (accept("(") && depth < MAX_DEPTH) {
      depth += 1;
      const inner = disjunction();
      depth -= 1;
      accept(")");
      return inner;
    }
    const token = tokens[position];
    position += 1;
    return token?.mark === "term" ? termTest(token) : () => false;
  }

  function conjunction(): Test {
    const tests = [primary()];
    while (position < tokens.length && tokens[position]?.mark !== "OR" && tokens[position]?.mark !== ")") {
      accept("AND");
      tests.push(primary());
    }
    return (item) => tests.every((test) => test(item));
  }

  function disjunction(): Test {
    const tests = [conjunction()];
    while (accept("OR")) tests.push(conjunction());
    return (item) => tests.some((test) => test(item));
  }

  return disjunction();
}
