import { badRequest } from "../failure.ts";

/** One entity or person as JSON; property values by name. */
export type Row = Readonly<Record<string, unknown>>;

/** What can be selected, filtered and sorted on a resource. */
export interface Schema {
  /** Qualified name, as it appears in errors: `microsoft.graph.user`. */
  readonly type: string;
  readonly properties: ReadonlySet<string>;
}

/** Refuses a property that the resource does not have; `clause` begins Graph's message. */
export function requireProperty(schema: Schema, name: string, clause: string): void {
  if (schema.properties.has(name)) return;
  throw badRequest(`${clause}: Could not find a property named '${name.slice(0, 100)}' on type '${schema.type}'.`);
}
