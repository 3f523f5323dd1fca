import type * as z from "zod";
import { type Origin, originOf } from "./untrusted.ts";

/** Where one string of a result is. */
export interface Place {
  /** For example `messages[3].subject`. */
  readonly path: string;
  /** The same for every item of a list: `messages[].subject`. */
  readonly field: string;
  readonly origin: Exclude<Origin, "trusted">;
}

type Replace = (text: string, place: Place) => string;

/** Schemas that only say that a value may be absent or is not to be changed. */
const WRAPPERS = new Set(["optional", "nullable", "default", "readonly", "nonoptional"]);
const WITHOUT_STRINGS = new Set(["number", "int", "boolean", "null", "enum", "literal"]);

/**
 * Copies `value` with every string that is not declared trusted replaced by what `replace` makes of it.
 *
 * What the schema does not declare counts as a line from outside: an author who forgets gets less readable results,
 * not less safe ones.
 */
export function replaceStrings(
  schema: z.ZodObject,
  value: Readonly<Record<string, unknown>>,
  replace: Replace,
): Record<string, unknown> {
  return replaceIn(schema, value, { path: "", field: "" }, replace) as Record<string, unknown>;
}

function replaceIn(
  declared: z.ZodType | undefined,
  value: unknown,
  { path, field }: Omit<Place, "origin">,
  replace: Replace,
): unknown {
  const schema = declared && unwrap(declared);
  if (typeof value === "string") {
    const origin = schema ? originOfString(schema) : "line";
    return origin === "trusted" ? value : replace(value, { path, field, origin });
  }
  if (Array.isArray(value)) {
    const element = schema?.type === "array" ? (schema as z.ZodArray<z.ZodType>).element : undefined;
    return value.map((item, index) =>
      replaceIn(element, item, { path: `${path}[${index}]`, field: `${field}[]` }, replace),
    );
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      const at = path === "" ? { path: key, field: key } : { path: `${path}.${key}`, field: `${field}.${key}` };
      return [key, replaceIn(schema && propertyOf(schema, key), item, at, replace)];
    }),
  );
}

/** Names the strings of an output schema whose origin nobody declared, and whatever else could hold one. */
export function undeclaredStrings(declared: z.ZodType, at = ""): string[] {
  const schema = unwrap(declared);
  if (WITHOUT_STRINGS.has(schema.type)) return [];
  if (schema.type === "string") return originOf(schema) === undefined ? [at] : [];
  if (schema.type === "array") return undeclaredStrings((schema as z.ZodArray<z.ZodType>).element, `${at}[]`);
  if (schema.type === "object") {
    return Object.entries((schema as z.ZodObject).shape).flatMap(([key, property]) =>
      undeclaredStrings(property as z.ZodType, at === "" ? key : `${at}.${key}`),
    );
  }
  if (schema.type === "record") {
    const { keyType, valueType } = schema as z.ZodRecord<z.ZodString, z.ZodType>;
    return [...undeclaredStrings(keyType, `${at}.(key)`), ...undeclaredStrings(valueType, `${at}.*`)];
  }
  return [at];
}

function originOfString(schema: z.ZodType): Origin {
  return WITHOUT_STRINGS.has(schema.type) ? "trusted" : (originOf(schema) ?? "line");
}

function propertyOf(schema: z.ZodType, key: string): z.ZodType | undefined {
  if (schema.type === "record") return (schema as z.ZodRecord<z.ZodString, z.ZodType>).valueType;
  if (schema.type !== "object") return undefined;
  const { shape } = schema as z.ZodObject;
  return Object.hasOwn(shape, key) ? (shape[key] as z.ZodType) : undefined;
}

function unwrap(schema: z.ZodType): z.ZodType {
  let inner = schema;
  while (WRAPPERS.has(inner.type)) inner = (inner as z.ZodOptional<z.ZodType>).unwrap();
  return inner;
}
