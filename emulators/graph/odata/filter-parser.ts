import { invalidFilter, type Token, tokenize } from "./filter-tokens.ts";

/** A value written into a filter. */
export type Literal = string | number | boolean | null;

/** What a comparison compares: a property path or a literal; an `instant` is compared as a point in time. */
export type Operand =
  | { readonly kind: "path"; readonly path: readonly string[] }
  | { readonly kind: "literal"; readonly value: Literal }
  | { readonly kind: "instant"; readonly value: string };

/** Comparison operators of OData. */
export type Comparison = "eq" | "ne" | "gt" | "ge" | "lt" | "le";

/** Boolean functions of OData that the evaluator knows, in lower case. */
export type TextFunction = "startswith" | "endswith" | "contains";

/** A parsed `$filter`. */
export type Filter =
  | { readonly kind: "and"; readonly left: Filter; readonly right: Filter }
  | { readonly kind: "or"; readonly left: Filter; readonly right: Filter }
  | { readonly kind: "not"; readonly operand: Filter }
  | { readonly kind: "compare"; readonly operator: Comparison; readonly left: Operand; readonly right: Operand }
  | { readonly kind: "in"; readonly operand: Operand; readonly values: readonly Operand[] }
  | { readonly kind: "call"; readonly name: TextFunction; readonly subject: Operand; readonly value: Operand }
  | {
      readonly kind: "any" | "all";
      readonly path: readonly string[];
      readonly variable: string;
      readonly predicate: Filter;
    };

const COMPARISONS: readonly string[] = ["eq", "ne", "gt", "ge", "lt", "le"] satisfies Comparison[];
const FUNCTIONS: readonly string[] = ["startswith", "endswith", "contains"] satisfies TextFunction[];
const CONSTANTS = new Map<string, Literal>([
  ["true", true],
  ["false", false],
  ["null", null],
]);

// A url of 16 KB can nest deeper than the stack allows.
const MAX_DEPTH = 100;

/** Parses a `$filter` expression. Throws a GraphFailure 400 that names the position of the error. */
export function parseFilter(filter: string): Filter {
  const tokens = tokenize(filter);
  let position = 0;
  let depth = 0;

  const peek = (): Token | undefined => tokens[position];
  const fail = (): never => {
    throw invalidFilter(`Syntax error at position ${peek()?.at ?? filter.length} in '${filter.slice(0, 200)}'.`);
  };
  const accept = (kind: Token["kind"], value: string): boolean => {
    const token = peek();
    if (token?.kind !== kind || token.value !== value) return false;
    position += 1;
    return true;
  };
  const expect = (mark: string): void => {
    if (!accept("mark", mark)) fail();
  };
  const nested = (parse: () => Filter): Filter => {
    depth += 1;
    if (depth > MAX_DEPTH) throw invalidFilter("Recursion depth exceeded allowed limit.");
    const parsed = parse();
    depth -= 1;
    return parsed;
  };

  function operand(): Operand {
    const token = peek() ?? fail();
    position += 1;
    if (token.kind === "text" || token.kind === "number") return { kind: "literal", value: token.value };
    if (token.kind === "instant") return { kind: "instant", value: token.value };
    if (token.kind === "word") {
      const constant = CONSTANTS.get(token.value);
      return constant === undefined
        ? { kind: "path", path: token.value.split("/") }
        : { kind: "literal", value: constant };
    }
    position -= 1;
    return fail();
  }

  function call(name: TextFunction): Filter {
    expect("(");
    const subject = operand();
    expect(",");
    const value = operand();
    expect(")");
    return { kind: "call", name, subject, value };
  }

  function quantified(path: readonly string[], kind: "any" | "all"): Filter {
    expect("(");
    const variable = operand();
    if (variable.kind !== "path" || variable.path.length !== 1) return fail();
    expect(":");
    const predicate = nested(disjunction);
    expect(")");
    return { kind, path, variable: variable.path[0] ?? "", predicate };
  }

  function comparison(): Filter {
    const left = operand();
    const operator = peek();
    position += 1;
    if (operator?.kind === "word" && COMPARISONS.includes(operator.value)) {
      return { kind: "compare", operator: operator.value as Comparison, left, right: operand() };
    }
    if (operator?.kind === "word" && operator.value === "in") {
      expect("(");
      const values = [operand()];
      while (accept("mark", ",")) values.push(operand());
      expect(")");
      return { kind: "in", operand: left, values };
    }
    position -= 1;
    return fail();
  }

  function primary(): Filter {
    if (accept("word", "not")) return { kind: "not", operand: nested(primary) };
    if (accept("mark", "(")) {
      const inner = nested(disjunction);
      expect(")");
      return inner;
    }
    const token = peek();
    const next = tokens[position + 1];
    if (token?.kind === "word" && next?.kind === "mark" && next.value === "(") {
      position += 1;
      const name = token.value.toLowerCase();
      if (FUNCTIONS.includes(name)) return call(name as TextFunction);
      const path = token.value.split("/");
      const last = path.pop();
      if (path.length > 0 && (last === "any" || last === "all")) return quantified(path, last);
      throw invalidFilter(`An unknown function with name '${token.value.slice(0, 100)}' was found.`);
    }
    return comparison();
  }

  function conjunction(): Filter {
    let left = primary();
    while (accept("word", "and")) left = { kind: "and", left, right: primary() };
    return left;
  }

  function disjunction(): Filter {
    let left = conjunction();
    while (accept("word", "or")) left = { kind: "or", left, right: conjunction() };
    return left;
  }

  const parsed = disjunction();
  if (peek()) fail();
  return parsed;
}
