import { ToolError } from "../mcp/tool-error.ts";

declare const safe: unique symbol;

/** A path below `/v1.0` in which every value is one encoded segment. Only {@link path} makes one. */
export type GraphPath = string & { readonly [safe]: true };

/**
 * Builds a path: what the code wrote stays, what came from outside becomes exactly one percent-encoded segment.
 *
 * Throws {@link ToolError} `invalid_arguments` for values that would not stay in their place: empty, `.` and `..`,
 * which URL parsers resolve even when encoded, and text that is no valid Unicode.
 */
export function path(literals: TemplateStringsArray, ...values: readonly string[]): GraphPath {
  return String.raw({ raw: literals }, ...values.map(segment)) as GraphPath;
}

function segment(value: string): string {
  if (value === "" || value === "." || value === ".." || !value.isWellFormed()) {
    throw new ToolError("invalid_arguments", "An id in the arguments is not valid. Use an id from an earlier result.");
  }
  return encodeURIComponent(value);
}
