import { badRequest } from "../failure.ts";
import { type Row, requireProperty, type Schema } from "./schema.ts";

const compareText = new Intl.Collator("en").compare;

const text = (value: unknown) => (typeof value === "string" ? value : "");

/** Parses `$orderby` into a comparison for `sort`; rows without a value come first. */
export function parseOrder(clauses: string, schema: Schema): (a: Row, b: Row) => number {
  const keys = clauses.split(",").map((clause) => {
    const [name = "", direction = "asc", ...rest] = clause.trim().split(/\s+/);
    requireProperty(schema, name, "Invalid $orderby clause");
    if (rest.length > 0 || (direction !== "asc" && direction !== "desc")) {
      throw badRequest(`Invalid $orderby clause: Syntax error in '${clauses.slice(0, 100)}'.`);
    }
    return { name, sign: direction === "asc" ? 1 : -1 };
  });
  return (a, b) => {
    for (const { name, sign } of keys) {
      const order = compareText(text(a[name]), text(b[name]));
      if (order !== 0) return sign * order;
    }
    return 0;
  };
}
