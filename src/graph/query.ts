import { ToolError } from "../mcp/tool-error.ts";

/** OData query options; undefined ones are left out. */
export type GraphQuery = Readonly<Record<string, string | number | true | undefined>>;

/**
 * Renders query options as `name=value` pairs; each value is percent-encoded, so it cannot add an option.
 *
 * Throws {@link ToolError} `invalid_arguments` for text that is no valid Unicode and so has no encoding.
 */
export function renderQuery(query: GraphQuery): string {
  return Object.entries(query)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encode(String(value))}`)
    .join("&");
}

function encode(value: string): string {
  if (value.isWellFormed()) return encodeURIComponent(value);
  throw new ToolError("invalid_arguments", "The words in the arguments are not valid Unicode text.");
}

/**
 * Quotes words for one clause of a directory `$search`, such as `"displayName:ann"`.
 *
 * Backslash and double quote are escaped; a search term cannot end its clause.
 */
export function searchClause(property: string, words: string): string {
  return `"${property}:${words.replace(/[\\"]/g, "\\$&")}"`;
}
