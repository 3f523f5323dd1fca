/** OData query options; undefined ones are left out. */
export type GraphQuery = Readonly<Record<string, string | number | true | undefined>>;

/** Renders query options as `name=value` pairs; each value is percent-encoded, so it cannot add an option. */
export function renderQuery(query: GraphQuery): string {
  return Object.entries(query)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`)
    .join("&");
}

/**
 * Quotes words for one clause of a directory `$search`, such as `"displayName:ann"`.
 *
 * Backslash and double quote are escaped; a search term cannot end its clause.
 */
export function searchClause(property: string, words: string): string {
  return `"${property}:${words.replace(/[\\"]/g, "\\$&")}"`;
}
