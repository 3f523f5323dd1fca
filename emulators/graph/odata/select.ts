import type { QueryOptions } from "./options.ts";
import { type Row, requireProperty, type Schema } from "./schema.ts";

/** Reads `$select`; undefined when the request leaves the choice to the service. */
export function parseSelect(options: QueryOptions, schema: Schema): readonly string[] | undefined {
  const names = (options.get("$select") ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter(Boolean);
  for (const name of names) requireProperty(schema, name, "Parsing OData Select and Expand failed");
  return names.length > 0 ? names : undefined;
}

/** Keeps the named properties of a row, behind its annotations. */
export function project(row: Row, names: readonly string[], annotations: Row = {}): Row {
  return { ...annotations, ...Object.fromEntries(names.map((name) => [name, row[name]])) };
}

/** The part of `@odata.context` that repeats an explicit selection. */
export const contextSelection = (names: readonly string[] | undefined) => (names ? `(${names.join(",")})` : "");
