import type { Comparison, Filter, Operand, TextFunction } from "./filter-parser.ts";
import { type Row, requireProperty, type Schema } from "./schema.ts";

/** Visits a filter and everything inside it, outermost first. */
export function walkFilter(filter: Filter, visit: (node: Filter) => void): void {
  visit(filter);
  if (filter.kind === "and" || filter.kind === "or") {
    walkFilter(filter.left, visit);
    walkFilter(filter.right, visit);
  } else if (filter.kind === "not") walkFilter(filter.operand, visit);
  else if (filter.kind === "any" || filter.kind === "all") walkFilter(filter.predicate, visit);
}

function operandsOf(filter: Filter): readonly Operand[] {
  if (filter.kind === "compare") return [filter.left, filter.right];
  if (filter.kind === "in") return [filter.operand, ...filter.values];
  if (filter.kind === "call") return [filter.subject, filter.value];
  if (filter.kind === "any" || filter.kind === "all") return [{ kind: "path", path: filter.path }];
  return [];
}

/** Refuses a filter on properties that the resource does not have. */
export function checkFilter(filter: Filter, schema: Schema): void {
  const variables = new Set<string>();
  walkFilter(filter, (node) => {
    for (const operand of operandsOf(node)) {
      const root = operand.kind === "path" ? operand.path[0] : undefined;
      if (root !== undefined && !variables.has(root)) requireProperty(schema, root, "Invalid filter clause");
    }
    if (node.kind === "any" || node.kind === "all") variables.add(node.variable);
  });
}

function read(operand: Operand, row: Row): unknown {
  if (operand.kind === "literal") return operand.value;
  if (operand.kind === "instant") return new Date(operand.value);
  return operand.path.reduce<unknown>(
    (value, name) => (typeof value === "object" && value !== null ? (value as Row)[name] : undefined),
    row,
  );
}

/** Text is compared without case, instants by time; the order of what cannot be compared is NaN. */
function order(left: unknown, right: unknown): number {
  if (left instanceof Date || right instanceof Date) {
    return new Date(left as string | Date).getTime() - new Date(right as string | Date).getTime();
  }
  if (typeof left === "number" && typeof right === "number") return left - right;
  if (typeof left === "string" && typeof right === "string") {
    const [a, b] = [left.toLowerCase(), right.toLowerCase()];
    return a === b ? 0 : a < b ? -1 : 1;
  }
  return left === right ? 0 : Number.NaN;
}

const HOLDS: Readonly<Record<Comparison, (difference: number) => boolean>> = {
  eq: (difference) => difference === 0,
  ne: (difference) => difference !== 0,
  gt: (difference) => difference > 0,
  ge: (difference) => difference >= 0,
  lt: (difference) => difference < 0,
  le: (difference) => difference <= 0,
};

const compare = (operator: Comparison, left: unknown, right: unknown): boolean =>
  HOLDS[operator](order(left ?? null, right ?? null));

const FUNCTIONS: Readonly<Record<TextFunction, (text: string, part: string) => boolean>> = {
  startswith: (text, part) => text.startsWith(part),
  endswith: (text, part) => text.endsWith(part),
  contains: (text, part) => text.includes(part),
};

function callFunction(name: TextFunction, subject: unknown, value: unknown): boolean {
  if (typeof subject !== "string" || typeof value !== "string") return false;
  return FUNCTIONS[name](subject.toLowerCase(), value.toLowerCase());
}

/** Whether a row satisfies a filter. */
export function matches(filter: Filter, row: Row): boolean {
  if (filter.kind === "and") return matches(filter.left, row) && matches(filter.right, row);
  if (filter.kind === "or") return matches(filter.left, row) || matches(filter.right, row);
  if (filter.kind === "not") return !matches(filter.operand, row);
  if (filter.kind === "compare") return compare(filter.operator, read(filter.left, row), read(filter.right, row));
  if (filter.kind === "call") return callFunction(filter.name, read(filter.subject, row), read(filter.value, row));
  if (filter.kind === "in") {
    const value = read(filter.operand, row);
    return filter.values.some((candidate) => compare("eq", value, read(candidate, row)));
  }
  const collection = read({ kind: "path", path: filter.path }, row);
  if (!Array.isArray(collection)) return filter.kind === "all";
  const test = (item: unknown) => matches(filter.predicate, { ...row, [filter.variable]: item });
  return filter.kind === "any" ? collection.some(test) : collection.every(test);
}
