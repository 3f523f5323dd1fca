import { badRequest } from "./failure.ts";
import { parseQueryOptions, type QueryOptions } from "./odata/options.ts";

/** What a url asks for: an operation below `/v1.0` and its options. */
export interface Target {
  /** Undecoded, with a leading and without a trailing slash. */
  readonly path: string;
  readonly options: QueryOptions;
}

/** Splits a relative url such as `/me/people?$top=5`. */
export function parseTarget(url: string): Target {
  const mark = url.indexOf("?");
  const [path, query] = mark < 0 ? [url, ""] : [url.slice(0, mark), url.slice(mark + 1)];
  return { path: path.replace(/\/$/, ""), options: parseQueryOptions(query) };
}

/** Splits the url of an HTTP request, which begins with the version. */
export function parseVersionedTarget(url: string): Target {
  const { path, options } = parseTarget(url);
  const [, version = "", rest = ""] = /^\/([^/]*)(.*)$/.exec(path) ?? [];
  if (version !== "v1.0") throw badRequest(`Invalid version: ${version.slice(0, 100)}`);
  return { path: rest, options };
}
