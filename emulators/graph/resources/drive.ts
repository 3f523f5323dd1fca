import type { Drive } from "../../drive.ts";
import type { Answer } from "../answer.ts";
import { DOWNLOAD_URL, DRIVE_ITEM, driveItem, entityTag } from "../drive-entity.ts";
import { createFile, replaceContent, WRITE_FILES } from "../drive-writes.ts";
import {
  childrenOf,
  driveById,
  mayRead,
  ownDrive,
  type Place,
  placeById,
  placeByShare,
  READ_FILES,
} from "../drives.ts";
import { badRequest, GraphFailure } from "../failure.ts";
import { formatQueryOptions, wholeNumber } from "../odata/options.ts";
import { parseOrder } from "../odata/order.ts";
import type { Row } from "../odata/schema.ts";
import { contextSelection, parseSelect } from "../odata/select.ts";
import { type Call, defineRoute, type Route } from "../route.ts";

const DEFAULT_PAGE_SIZE = 200;
const MAX_PAGE_SIZE = 1000;

const collection = ["$select", "$orderby", "$top", "$skiptoken"] as const;

/** Properties that an item does not have stay absent, selected or not. */
function shape(call: Call, place: Place): Row {
  const selection = parseSelect(call.options, DRIVE_ITEM);
  const all: Row = {
    ...(place.entry?.file && { [DOWNLOAD_URL]: issue(call, place) }),
    ...driveItem(call, place),
  };
  const kept = Object.entries(all).filter(([name]) => !selection || name === "@odata.etag" || selection.includes(name));
  return Object.fromEntries(kept);
}

function issue(call: Call, place: Place): string {
  const { file } = place.entry ?? {};
  if (!file) throw new GraphFailure(400, "invalidRequest", "You cannot get content for a folder");
  return call.issueDownload({ content: file, entityTag: entityTag(place) });
}

function entity(call: Call, place: Place, status: 200 | 201 = 200): Answer {
  const selection = contextSelection(parseSelect(call.options, DRIVE_ITEM));
  const context = `${call.origin}/v1.0/$metadata#drives('${encodeURIComponent(place.drive.id)}')/items${selection}/$entity`;
  return { status, body: { "@odata.context": context, ...shape(call, place) } };
}

function content(call: Call, place: Place): Answer {
  const location = issue(call, place);
  if (call.headers.get("if-none-match") === entityTag(place)) return { status: 304 };
  return { status: 302, headers: { Location: location } };
}

function list(call: Call, places: readonly Place[], drive: Drive): Answer {
  const { options, origin, path, switches } = call;
  const top = wholeNumber(options, "$top") ?? DEFAULT_PAGE_SIZE;
  if (top < 1 || top > MAX_PAGE_SIZE) throw badRequest(`Invalid value '${top}' for $top query option.`);
  const order = options.get("$orderby");
  const sorted =
    order === undefined ? places : sortBy(places, (place) => driveItem(call, place), parseOrder(order, DRIVE_ITEM));
  const token = options.get("$skiptoken");
  const start = token === undefined ? 0 : readToken(token);
  const end = token === undefined && switches["graph.emptyPage"] ? 0 : start + top;
  const next = formatQueryOptions(new Map([...options, ["$skiptoken", createToken(end)]]));
  const selection = contextSelection(parseSelect(options, DRIVE_ITEM));
  return {
    status: 200,
    body: {
      "@odata.context": `${origin}/v1.0/$metadata#drives('${encodeURIComponent(drive.id)}')/items${selection}`,
      ...(token === undefined && { "@odata.count": places.length }),
      ...(end < places.length && { "@odata.nextLink": `${origin}/v1.0${path}?${next}` }),
      value: sorted.slice(start, end).map((place) => shape(call, place)),
    },
  };
}

function sortBy(places: readonly Place[], toRow: (place: Place) => Row, compare: (a: Row, b: Row) => number): Place[] {
  return places
    .map((place) => ({ place, row: toRow(place) }))
    .sort((a, b) => compare(a.row, b.row))
    .map(({ place }) => place);
}

const createToken = (offset: number) => Buffer.from(`Paged=TRUE&p_ID=${offset}`).toString("base64url");

function readToken(token: string): number {
  const [, offset] = /^Paged=TRUE&p_ID=(\d{1,9})$/.exec(Buffer.from(token, "base64url").toString()) ?? [];
  if (offset === undefined) throw new GraphFailure(400, "invalidRequest", "The skip token is invalid.");
  return Number(offset);
}

/** Each word must be in the name or the text; the whole drive is searched, and what is shared with its user. */
function search(call: Call, drive: Drive, expression: string): Answer {
  const [, quoted] = /^search\(q='((?:[^']|'')*)'\)$/.exec(expression) ?? [];
  if (quoted === undefined) throw badRequest(`Resource not found for the segment '${expression.slice(0, 100)}'.`);
  const words = quoted.replaceAll("''", "'").toLowerCase().split(/\s+/).filter(Boolean);
  const known = ({ entry }: Place) => `${entry?.name ?? ""} ${entry?.file?.words ?? ""}`.toLowerCase();
  const inside = drive.entries.map((entry): Place => ({ drive, entry }));
  const found = inside.filter((place) => words.every((word) => known(place).includes(word)));
  return list(call, found, drive);
}

/** Drives and what is in them, for users who may read it. */
export const driveRoutes: readonly Route[] = [
  defineRoute({
    method: "GET",
    path: "/me/drive",
    service: "drive",
    permissions: READ_FILES,
    options: ["$select"],
    handle(call) {
      const { id, name, kind, webUrl, ownerId } = ownDrive(call);
      const context = `${call.origin}/v1.0/$metadata#drives/$entity`;
      return {
        status: 200,
        body: { "@odata.context": context, id, name, driveType: kind, webUrl, owner: { user: { id: ownerId } } },
      };
    },
  }),
  ...[
    "/me/drive/root",
    "/me/drive/items/{item}",
    "/drives/{drive}/root",
    "/drives/{drive}/items/{item}",
    "/shares/{share}/driveItem",
  ].flatMap((path): Route[] => [
    {
      method: "GET",
      path,
      service: "drive",
      permissions: READ_FILES,
      options: ["$select"],
      handle: (call) => entity(call, find(call)),
    },
    {
      method: "GET",
      path: `${path}/children`,
      service: "drive",
      permissions: READ_FILES,
      options: collection,
      handle(call) {
        const place = find(call);
        return list(
          call,
          place.entry?.file ? [] : childrenOf(place).filter((child) => mayRead(call, child)),
          place.drive,
        );
      },
    },
    {
      method: "GET",
      path: `${path}/content`,
      service: "drive",
      permissions: READ_FILES,
      options: [],
      handle: (call) => content(call, find(call)),
    },
  ]),
  ...["/me/drive/items/{item}/content", "/drives/{drive}/items/{item}/content"].map(
    (path): Route => ({
      method: "PUT",
      path,
      service: "drive",
      permissions: WRITE_FILES,
      options: [],
      handle: (call) => entity(call, replaceContent(call, find(call))),
    }),
  ),
  defineRoute({
    method: "PUT",
    path: "/me/drive/items/{item}:/{name}:/content",
    service: "drive",
    permissions: WRITE_FILES,
    options: [],
    handle(call) {
      const { place, isNew } = createFile(call, find(call), call.parameters.name);
      return entity(call, place, isNew ? 201 : 200);
    },
  }),
  {
    method: "GET",
    path: "/me/drive/root/{search}",
    service: "drive",
    permissions: READ_FILES,
    options: collection,
    handle: (call) => search(call, ownDrive(call), parameter(call, "search")),
  },
];

/** The values of placeholders, which in a table of routes are not known by name to the compiler. */
const parameter = ({ parameters }: { readonly parameters: Readonly<Record<string, string>> }, name: string) =>
  parameters[name] ?? "";

function find(call: Call): Place {
  const [drive, item, share] = ["drive", "item", "share"].map((name) => parameter(call, name));
  if (share) return placeByShare(call, share);
  return placeById(call, drive ? driveById(call, drive) : ownDrive(call), item || "root");
}
