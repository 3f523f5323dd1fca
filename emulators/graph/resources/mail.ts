import { setTimeout as sleep } from "node:timers/promises";
import type { Mailbox, MailFolder, MailMessage } from "../../mailbox.ts";
import type { Answer } from "../answer.ts";
import { badRequest, GraphFailure } from "../failure.ts";
import { parseKql } from "../kql.ts";
import { folderById, itemNotFound, mailboxOf, messageById, preferencesOf } from "../mailbox.ts";
import { checkFilter, matches, walkFilter } from "../odata/filter.ts";
import { type Filter, type Operand, parseFilter } from "../odata/filter-parser.ts";
import { formatQueryOptions, wholeNumber } from "../odata/options.ts";
import { parseOrder } from "../odata/order.ts";
import type { Row, Schema } from "../odata/schema.ts";
import { contextSelection, parseSelect, project } from "../odata/select.ts";
import { type Call, defineRoute, type Route } from "../route.ts";
import {
  ATTACHMENT,
  attachmentEntity,
  attachmentId,
  DEFAULT_MESSAGE_SELECTION,
  MESSAGE,
  messageEntity,
  messageFacts,
  searchableMessage,
} from "./message-entity.ts";

const DEFAULT_PAGE_SIZE = 10;
const MAX_PAGE_SIZE = 1000;
const MAX_SEARCH_RESULTS = 1000;
const MAX_CONCURRENT = 4;
const NEWEST_FIRST = /^\s*receivedDateTime\s+desc\s*$/;

const FOLDER: Schema = {
  type: "microsoft.graph.mailFolder",
  properties: new Set([
    "id",
    "displayName",
    "parentFolderId",
    "childFolderCount",
    "unreadItemCount",
    "totalItemCount",
    "sizeInBytes",
    "isHidden",
  ]),
};

const refused = (code: string, message: string) => new GraphFailure(400, code, message);

/** Names of the properties in a filter, in the order in which they are written. */
function propertiesIn(filter: Filter): string[] {
  const names = new Set<string>();
  const add = (operand: Operand) => {
    if (operand.kind === "path") names.add(operand.path.join("/"));
  };
  walkFilter(filter, (node) => {
    if (node.kind === "compare") [node.left, node.right].forEach(add);
    else if (node.kind === "in") add(node.operand);
    else if (node.kind === "call") add(node.subject);
    else if (node.kind === "any" || node.kind === "all") names.add(node.path.join("/"));
  });
  return [...names];
}

/** What is sorted by must come first in the filter, in the same order. */
function checkEfficiency(filter: Filter, order: string): void {
  const ordered = order.split(",").map((clause) => clause.trim().split(/\s+/)[0]);
  const written = propertiesIn(filter);
  if (ordered.some((name, index) => written[index] !== name)) {
    throw refused("InefficientFilter", "The restriction or sort order is too complex for this operation.");
  }
}

function* filtered(messages: Iterable<MailMessage>, filter: Filter): Iterable<MailMessage> {
  for (const message of messages) if (matches(filter, messageFacts(message))) yield message;
}

function* found(messages: Iterable<MailMessage>, search: string): Iterable<MailMessage> {
  const quoted = /^"(.*)"$/s.exec(search)?.[1];
  const test = parseKql(quoted === undefined ? search : quoted.replaceAll(/\\(.)/gs, "$1"));
  let count = 0;
  for (const message of messages) {
    if (!test(searchableMessage(message))) continue;
    yield message;
    count += 1;
    if (count === MAX_SEARCH_RESULTS) return;
  }
}

function* within(messages: Iterable<MailMessage>, { id }: MailFolder): Iterable<MailMessage> {
  for (const message of messages) if (message.folder === id) yield message;
}

function narrow({ options }: Call, messages: Iterable<MailMessage>): Iterable<MailMessage> {
  const [filterText, search, order] = ["$filter", "$search", "$orderby"].map((name) => options.get(name));
  if (search !== undefined) {
    for (const [name, code] of [
      ["$filter", "SearchWithFilter"],
      ["$orderBy", "SearchWithOrderBy"],
    ] as const) {
      if (!options.has(name.toLowerCase())) continue;
      throw refused(code, `The query parameter '${name}' is not supported with '$search'.`);
    }
    return found(messages, search);
  }
  let narrowed = messages;
  if (filterText !== undefined) {
    const filter = parseFilter(filterText);
    checkFilter(filter, MESSAGE);
    if (order !== undefined) checkEfficiency(filter, order);
    narrowed = filtered(messages, filter);
  }
  if (order === undefined || NEWEST_FIRST.test(order)) return narrowed;
  const compare = parseOrder(order, MESSAGE);
  return [...narrowed].sort((a, b) => compare(messageFacts(a), messageFacts(b)));
}

/** One page of a collection of Outlook, whose links count with `$skip`. */
export function page<Item>(call: Call, items: Iterable<Item>, context: string, toRow: (item: Item) => Row): Answer {
  const { options, origin, path, headers, switches } = call;
  const top = wholeNumber(options, "$top") ?? DEFAULT_PAGE_SIZE;
  if (top < 1 || top > MAX_PAGE_SIZE) {
    throw badRequest(`Invalid value '${top}' for $top query option: it must be between 1 and ${MAX_PAGE_SIZE}.`);
  }
  const skip = wholeNumber(options, "$skip") ?? 0;
  const end = !options.has("$skip") && switches["graph.emptyPage"] ? 0 : skip + top;
  const value: Row[] = [];
  let index = 0;
  let more = false;
  for (const item of items) {
    more = index === end;
    if (more) break;
    if (index >= skip) value.push(toRow(item));
    index += 1;
  }
  const next = formatQueryOptions(new Map([...options, ["$skip", String(end)]]));
  return {
    status: 200,
    headers: preferencesOf(headers).headers,
    body: {
      "@odata.context": `${origin}/v1.0/$metadata#${context}`,
      ...(more && { "@odata.nextLink": `${origin}/v1.0${path}?${next}` }),
      value,
    },
  };
}

function entity({ origin, headers }: Call, context: string, row: Row, status = 200): Answer {
  return {
    status,
    headers: preferencesOf(headers).headers,
    body: { "@odata.context": `${origin}/v1.0/$metadata#${context}/$entity`, ...row },
  };
}

const root = ({ caller }: Call) => `users('${caller.objectId}')`;

function messageRow(call: Call, message: MailMessage, selection: readonly string[] | undefined): Row {
  const row = messageEntity(message, preferencesOf(call.headers));
  return project(row, ["id", ...(selection ?? DEFAULT_MESSAGE_SELECTION)], { "@odata.etag": row["@odata.etag"] });
}

/** One message as the answer to a request that read or made it. */
export function messageAnswer(call: Call, message: MailMessage, status = 200): Answer {
  const selection = parseSelect(call.options, MESSAGE);
  const context = `${root(call)}/messages${contextSelection(selection)}`;
  return entity(call, context, messageRow(call, message, selection), status);
}

function listMessages(call: Call, messages: Iterable<MailMessage>, collection: string): Answer {
  const selection = parseSelect(call.options, MESSAGE);
  const context = `${root(call)}/${collection}${contextSelection(selection)}`;
  return page(call, narrow(call, messages), context, (message) => messageRow(call, message, selection));
}

function folderRow({ folders, messages }: Mailbox, { id, displayName, parent }: MailFolder): Row {
  let total = 0;
  let unread = 0;
  for (const { isRead } of within(messages, { id, displayName })) {
    total += 1;
    if (!isRead) unread += 1;
  }
  return {
    id,
    displayName,
    parentFolderId: parent ?? "AQMkAGFtc2dmb2xkZXJyb290AAAAAAAAAAAAAAA=",
    childFolderCount: folders.filter((folder) => folder.parent === id).length,
    unreadItemCount: unread,
    totalItemCount: total,
    sizeInBytes: total * 75_000,
    isHidden: false,
  };
}

function listFolders(call: Call, parent: string | undefined): Answer {
  const mailbox = mailboxOf(call);
  const selection = parseSelect(call.options, FOLDER);
  const filterText = call.options.get("$filter");
  const filter = filterText === undefined ? undefined : parseFilter(filterText);
  if (filter) checkFilter(filter, FOLDER);
  const children = mailbox.folders.filter((folder) => folder.parent === parent);
  const rows = children.map((folder) => folderRow(mailbox, folder)).filter((row) => !filter || matches(filter, row));
  return page(call, rows, `${root(call)}/mailFolders${contextSelection(selection)}`, (row) =>
    project(row, ["id", ...(selection ?? FOLDER.properties)]),
  );
}

interface AttachmentKey {
  readonly id: string;
  readonly attachment: string;
}

function attachmentOf(call: Call<keyof AttachmentKey>) {
  const message = messageById(mailboxOf(call), call.parameters.id);
  const index = message.attachments.findIndex(
    (_, place) => attachmentId(message, place) === call.parameters.attachment,
  );
  const attachment = message.attachments[index];
  if (!attachment) throw itemNotFound();
  return { attachment, row: attachmentEntity(message, attachment, index) };
}

/** The properties that were asked for, behind the annotations, which come always. */
function attachmentRow(row: Row, selection: readonly string[] | undefined): Row {
  if (!selection) return row;
  const annotations = Object.entries(row).filter(([name]) => name.startsWith("@odata."));
  return project(row, ["id", ...selection], Object.fromEntries(annotations));
}

function attachmentContent(call: Call<keyof AttachmentKey>): Answer {
  const { attachment } = attachmentOf(call);
  if (attachment.kind === "reference") {
    throw new GraphFailure(405, "ErrorInvalidRequest", "The method is not allowed on a reference attachment.");
  }
  const file = attachment.kind === "file";
  return {
    status: 200,
    headers: { "Content-Type": file ? attachment.contentType : "message/rfc822" },
    body: file ? attachment.bytes : Buffer.from(attachment.mime),
  };
}

/** Requests that are being worked on, by application and mailbox. */
const active = new Map<string, number>();

/** With the switch on, a request occupies its mailbox for a while, and only so many do at once. */
export async function limited(call: Call, work: () => Answer | Promise<Answer>): Promise<Answer> {
  const busyMs = call.switches["graph.mailboxBusyMs"];
  if (busyMs === undefined) return work();
  const key = `${call.origin} ${call.caller.clientAppId} ${call.caller.objectId}`;
  const count = active.get(key) ?? 0;
  if (count >= MAX_CONCURRENT) {
    throw new GraphFailure(429, "ApplicationThrottled", "Application is over its MailboxConcurrency limit.", {
      "Retry-After": "1",
    });
  }
  active.set(key, count + 1);
  try {
    await sleep(busyMs);
    return await work();
  } finally {
    active.set(key, (active.get(key) ?? 1) - 1);
  }
}

/** A route to a mailbox, which takes part in its limit. */
export const mailRoute = <const Path extends string>(route: Route<Path>): Route =>
  defineRoute({ ...route, handle: (call) => limited(call, () => route.handle(call)) });

const read = {
  method: "GET",
  service: "exchange",
  permissions: ["Mail.Read", "Mail.ReadWrite"],
} as const;

const collection = { ...read, options: ["$select", "$filter", "$search", "$orderby", "$top", "$skip"] } as const;
const folders = { ...read, options: ["$select", "$filter", "$top", "$skip"] } as const;
const single = { ...read, options: ["$select"] } as const;

/** Messages, folders and attachments of the signed-in user. */
export const mailRoutes: readonly Route[] = [
  mailRoute({
    ...collection,
    path: "/me/messages",
    handle: (call) => listMessages(call, mailboxOf(call).messages, "messages"),
  }),
  mailRoute({
    ...single,
    path: "/me/messages/{id}",
    handle: (call) => messageAnswer(call, messageById(mailboxOf(call), call.parameters.id)),
  }),
  mailRoute({
    ...read,
    path: "/me/messages/{id}/attachments",
    options: ["$select", "$top", "$skip"],
    handle(call) {
      const selection = parseSelect(call.options, ATTACHMENT);
      const message = messageById(mailboxOf(call), call.parameters.id);
      const rows = message.attachments.map((attachment, index) => attachmentEntity(message, attachment, index));
      const context = `${root(call)}/messages('${encodeURIComponent(call.parameters.id)}')/attachments`;
      return page(call, rows, `${context}${contextSelection(selection)}`, (row) => attachmentRow(row, selection));
    },
  }),
  mailRoute({
    ...single,
    path: "/me/messages/{id}/attachments/{attachment}",
    handle(call) {
      const selection = parseSelect(call.options, ATTACHMENT);
      const { row } = attachmentOf(call);
      const context = `${root(call)}/messages('${encodeURIComponent(call.parameters.id)}')/attachments`;
      return entity(call, `${context}${contextSelection(selection)}`, attachmentRow(row, selection));
    },
  }),
  mailRoute({
    ...read,
    options: [],
    path: "/me/messages/{id}/attachments/{attachment}/$value",
    handle: attachmentContent,
  }),
  mailRoute({ ...folders, path: "/me/mailFolders", handle: (call) => listFolders(call, undefined) }),
  mailRoute({
    ...single,
    path: "/me/mailFolders/{id}",
    handle(call) {
      const mailbox = mailboxOf(call);
      const selection = parseSelect(call.options, FOLDER);
      const row = folderRow(mailbox, folderById(mailbox, call.parameters.id));
      const context = `${root(call)}/mailFolders${contextSelection(selection)}`;
      return entity(call, context, project(row, ["id", ...(selection ?? FOLDER.properties)]));
    },
  }),
  mailRoute({
    ...folders,
    path: "/me/mailFolders/{id}/childFolders",
    handle: (call) => listFolders(call, folderById(mailboxOf(call), call.parameters.id).id),
  }),
  mailRoute({
    ...collection,
    path: "/me/mailFolders/{id}/messages",
    handle(call) {
      const mailbox = mailboxOf(call);
      const folder = folderById(mailbox, call.parameters.id);
      const name = `mailFolders('${encodeURIComponent(call.parameters.id)}')/messages`;
      return listMessages(call, within(mailbox.messages, folder), name);
    },
  }),
];
