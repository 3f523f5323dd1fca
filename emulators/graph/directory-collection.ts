import { createHash } from "node:crypto";
import type { Answer } from "./answer.ts";
import { directoryBadRequest, GraphFailure, unsupportedQuery } from "./failure.ts";
import { parseDirectorySearch, type SearchRules } from "./odata/directory-search.ts";
import { checkFilter, matches, walkFilter } from "./odata/filter.ts";
import { type Filter, parseFilter } from "./odata/filter-parser.ts";
import { formatQueryOptions, type QueryOptions, wantsCount, wholeNumber } from "./odata/options.ts";
import { parseOrder } from "./odata/order.ts";
import type { Row, Schema } from "./odata/schema.ts";
import { contextSelection, parseSelect, project } from "./odata/select.ts";
import type { Call } from "./route.ts";

const DEFAULT_PAGE_SIZE = 100;
const MAX_PAGE_SIZE = 999;

/** A directory collection before the query of a call is applied to it. */
export interface DirectoryCollection {
  readonly rows: readonly Row[];
  readonly schema: Schema & SearchRules;
  readonly defaultSelection: readonly string[];
  /** What follows `$metadata#` in `@odata.context`. */
  readonly context: string;
  /** Annotations put on every item. */
  readonly annotations: Row;
}

/** Advanced queries run on an eventually consistent index, which the caller must accept by header. */
const acceptsEventual = (headers: Headers) => headers.get("consistencylevel")?.toLowerCase() === "eventual";

function checkSupport(filter: Filter, advanced: boolean): void {
  walkFilter(filter, (node) => {
    if (node.kind === "call" && node.name === "contains") {
      const property = node.subject.kind === "path" ? node.subject.path.join("/") : "";
      throw unsupportedQuery(
        `Unsupported or invalid query filter clause specified for property '${property}' of resource 'User'.`,
      );
    }
    const needsIndex =
      node.kind === "not" ||
      (node.kind === "compare" && node.operator === "ne") ||
      (node.kind === "call" && node.name === "endswith");
    if (needsIndex && !advanced) throw unsupportedQuery("Unsupported Query.");
  });
}

function narrow({ options, headers }: Call, { rows, schema }: DirectoryCollection): readonly Row[] {
  const [filterText, searchText, orderText] = ["$filter", "$search", "$orderby"].map((name) => options.get(name));
  const eventual = acceptsEventual(headers);
  const counted = wantsCount(options);
  if (searchText !== undefined && !eventual) {
    throw unsupportedQuery(
      "Request with $search query parameter only works through MSGraph with a special request header: 'ConsistencyLevel: eventual'",
    );
  }
  if (counted && !eventual) throw directoryBadRequest("$count is not currently supported.");
  const advanced = eventual && counted;
  if (filterText !== undefined && orderText !== undefined && !advanced) {
    throw unsupportedQuery("Sorting not supported for current query.");
  }
  let kept = [...rows];
  if (filterText !== undefined) {
    const filter = parseFilter(filterText);
    checkFilter(filter, schema);
    checkSupport(filter, advanced);
    kept = kept.filter((row) => matches(filter, row));
  }
  if (searchText !== undefined) kept = kept.filter(parseDirectorySearch(searchText, schema));
  return orderText === undefined ? kept : kept.sort(parseOrder(orderText, schema));
}

function pageSize(options: QueryOptions): number {
  const top = wholeNumber(options, "$top") ?? DEFAULT_PAGE_SIZE;
  if (top >= 1 && top <= MAX_PAGE_SIZE) return top;
  throw unsupportedQuery(`Invalid page size specified: '${top}'. Must be between 1 and ${MAX_PAGE_SIZE} inclusive.`);
}

const withoutToken = (options: QueryOptions) => [...options].filter(([name]) => name !== "$skiptoken");

/** A token belongs to one query. The order of options is free: Microsoft's client changes it when it follows a link. */
const fingerprint = (options: QueryOptions) =>
  createHash("sha256")
    .update(JSON.stringify(withoutToken(options).toSorted(([a], [b]) => (a < b ? -1 : 1))))
    .digest("base64url");

function createToken(offset: number, options: QueryOptions): string {
  return Buffer.from(`${offset} ${fingerprint(options)}`).toString("base64url");
}

function readToken(token: string, options: QueryOptions): number {
  const [offset = "", print] = Buffer.from(token, "base64url").toString().split(" ");
  if (/^\d{1,9}$/.test(offset) && print === fingerprint(options)) return Number(offset);
  throw new GraphFailure(
    400,
    "Directory_ExpiredPageToken",
    "The specified page token value has expired and can no longer be included in your request.",
  );
}

/** Answers a directory collection: search, filter, order, count, one page, selection. */
export function listDirectoryObjects(call: Call, collection: DirectoryCollection): Answer {
  const { options, origin, path, switches } = call;
  const { schema, defaultSelection, context, annotations } = collection;
  const selection = parseSelect(options, schema);
  const size = pageSize(options);
  const rows = narrow(call, collection);
  const token = options.get("$skiptoken");
  const offset = token === undefined ? 0 : readToken(token, options);
  const end = token === undefined && switches["graph.emptyPage"] ? 0 : offset + size;
  const nextLink = () => {
    const next = formatQueryOptions([...withoutToken(options), ["$skiptoken", createToken(end, options)]]);
    return `${origin}/v1.0${path}?${next}`;
  };
  return {
    status: 200,
    body: {
      "@odata.context": `${origin}/v1.0/$metadata#${context}${contextSelection(selection)}`,
      ...(token === undefined && wantsCount(options) && { "@odata.count": rows.length }),
      ...(end < rows.length && { "@odata.nextLink": nextLink() }),
      value: rows.slice(offset, end).map((row) => project(row, selection ?? defaultSelection, annotations)),
    },
  };
}
