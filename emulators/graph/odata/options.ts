import { badRequest } from "../failure.ts";

/** OData system query options that some operation of the emulator takes. */
export type SystemOption =
  | "$select"
  | "$expand"
  | "$filter"
  | "$search"
  | "$orderby"
  | "$top"
  | "$skip"
  | "$skiptoken"
  | "$count";

/** Query options by name; names of system options are in lower case. */
export type QueryOptions = ReadonlyMap<string, string>;

/** Parses a query string, without its question mark. Refuses broken percent-encoding and repeated system options. */
export function parseQueryOptions(query: string): QueryOptions {
  try {
    decodeURIComponent(query);
  } catch {
    throw badRequest("Bad Request - Error in query syntax.");
  }
  const options = new Map<string, string>();
  for (const [sent, value] of new URLSearchParams(query)) {
    const name = sent.startsWith("$") ? sent.toLowerCase() : sent;
    if (name.startsWith("$") && options.has(name)) {
      throw badRequest(`Query option '${name}' was specified more than once, but it must be specified at most once.`);
    }
    options.set(name, value);
  }
  return options;
}

/** Reads an option that is a whole number; undefined when absent. */
export function wholeNumber(options: QueryOptions, name: "$top" | "$skip"): number | undefined {
  const value = options.get(name);
  if (value === undefined) return undefined;
  if (!/^\d{1,9}$/.test(value)) {
    throw badRequest(
      `Invalid value '${value.slice(0, 100)}' for ${name} query option found. ` +
        `The ${name} query option requires a non-negative integer value.`,
    );
  }
  return Number(value);
}

/** Reads `$count`. */
export function wantsCount(options: QueryOptions): boolean {
  const value = options.get("$count") ?? "false";
  if (value !== "true" && value !== "false") {
    throw badRequest(
      `Invalid value '${value.slice(0, 100)}' for $count query option found. Valid values are 'true' and 'false'.`,
    );
  }
  return value === "true";
}

/** Writes a query string the way Graph writes it into links: option names keep their dollar sign. */
export function formatQueryOptions(options: Iterable<readonly [name: string, value: string]>): string {
  return [...options]
    .map(([name, value]) => `${encodeURIComponent(name).replace("%24", "$")}=${encodeURIComponent(value)}`)
    .join("&");
}
