import type { Chat, ChatMessage } from "../../chat.ts";
import type { Answer } from "../answer.ts";
import { badRequest, GraphFailure } from "../failure.ts";
import { checkFilter, matches, walkFilter } from "../odata/filter.ts";
import { type Filter, parseFilter } from "../odata/filter-parser.ts";
import { formatQueryOptions, wholeNumber } from "../odata/options.ts";
import type { Row, Schema } from "../odata/schema.ts";
import { type Call, defineRoute, type Route } from "../route.ts";
import { chatEntity, chatMessageEntity, memberEntity } from "./chat-entity.ts";
import { me } from "./users.ts";

const DEFAULT_PAGE_SIZE = 20;
const MAX_PAGE_SIZE = 50;
const MAX_MEMBERS = 100;
const MAX_MESSAGE_BYTES = 28 * 1024;
/** The tenant of everybody's personal account. */
const CONSUMERS = "9188040d-6c67-4c5b-b112-36a304b66dad";

const READ_BASIC = ["Chat.ReadBasic", "Chat.Read", "Chat.ReadWrite"];

const CHAT: Schema = {
  type: "microsoft.graph.chat",
  properties: new Set(["id", "topic", "chatType", "createdDateTime", "lastUpdatedDateTime", "members"]),
};

const forbidden = (message: string) => new GraphFailure(403, "Forbidden", message);

/** Chats of the signed-in user. Personal accounts have none. */
export function ownChats(call: Call): Chat[] {
  if (call.tenant.id === CONSUMERS) throw forbidden("No authorization information present on the request.");
  const { id } = me(call);
  return call.tenant.chats.filter(({ members }) => members.some(({ userId }) => userId === id));
}

function chatById(call: Call<"id">): Chat {
  const { id } = call.parameters;
  const own = ownChats(call);
  if (!/^19:[\w-]+@(?:thread\.v2|unq\.gbl\.spaces)$/.test(id)) throw badRequest("Invalid ThreadId.");
  const chat = own.find((candidate) => candidate.id === id);
  if (chat) return chat;
  throw call.tenant.chats.some((candidate) => candidate.id === id)
    ? forbidden("InsufficientPrivileges")
    : new GraphFailure(404, "NotFound", "NotFound");
}

/** One page, whose links hold an opaque token. */
function page(call: Call, rows: readonly Row[], context: string, size: number): Answer {
  const { options, origin, path, switches } = call;
  const token = options.get("$skiptoken");
  const offset = token === undefined ? 0 : Number(Buffer.from(token, "base64url").toString());
  if (!Number.isInteger(offset)) throw badRequest("Invalid skip token.");
  const end = token === undefined && switches["graph.emptyPage"] ? 0 : offset + size;
  const value = rows.slice(offset, end);
  const next = new Map([...options, ["$skiptoken", Buffer.from(String(end)).toString("base64url")]]);
  return {
    status: 200,
    body: {
      "@odata.context": `${origin}/v1.0/$metadata#${context}`,
      "@odata.count": value.length,
      ...(end < rows.length && { "@odata.nextLink": `${origin}/v1.0${path}?${formatQueryOptions(next)}` }),
      value,
    },
  };
}

function pageSize({ options }: Call): number {
  const top = wholeNumber(options, "$top") ?? DEFAULT_PAGE_SIZE;
  if (top >= 1 && top <= MAX_PAGE_SIZE) return top;
  throw badRequest(
    `The limit of '${MAX_PAGE_SIZE}' for Top query has been exceeded. The value from the incoming request is '${top}'.`,
  );
}

function listChats(call: Call): Answer {
  const chats = ownChats(call);
  const size = pageSize(call);
  const expand = call.options.get("$expand");
  if (expand !== undefined && expand !== "members")
    throw badRequest("Query option 'Expand' is only allowed for members.");
  const text = call.options.get("$filter");
  const filter = text === undefined ? undefined : parseFilter(text.replaceAll(/\/displayname\b/gi, "/displayName"));
  if (filter) checkFilter(filter, CHAT);
  const rows = chats.flatMap((chat) => {
    const members = chat.members.map((member) => memberEntity(chat, member));
    const row = chatEntity(chat, call);
    if (filter && !matches(filter, { ...row, members })) return [];
    return [expand === undefined ? row : { ...row, members }];
  });
  return page(call, rows, expand === undefined ? "chats" : "chats(members())", size);
}

const ORDERED = {
  lastModifiedDateTime: ({ modified }: ChatMessage) => modified,
  createdDateTime: ({ created }: ChatMessage) => created,
};

/** What messages are sorted by: newest first, and by no other property. */
function orderOf({ options }: Call): keyof typeof ORDERED {
  const [, name = "", direction] =
    /^\s*(\w+)(?:\s+(\w+))?\s*$/.exec(options.get("$orderby") ?? "lastModifiedDateTime desc") ?? [];
  if ((name === "lastModifiedDateTime" || name === "createdDateTime") && direction === "desc") return name;
  throw badRequest(
    "QueryOptions to order by is only supported for lastModifiedDateTime and createdDateTime in descending direction.",
  );
}

/** Only ranges of the times by which messages are sorted are looked at; any other filter does nothing. */
function filterOf({ options }: Call, order: keyof typeof ORDERED): Filter | undefined {
  const text = options.get("$filter");
  if (text === undefined || !options.has("$orderby")) return undefined;
  const filter = parseFilter(text);
  let applies = true;
  walkFilter(filter, (node) => {
    if (node.kind === "and") return;
    const range = node.kind === "compare" && node.left.kind === "path" ? node : undefined;
    const operators = order === "createdDateTime" ? ["lt"] : ["gt", "lt"];
    if (range?.left.kind !== "path" || range.left.path.join("/") !== order) applies = false;
    else if (!operators.includes(range.operator)) {
      throw badRequest(`The operator '${range.operator}' is not supported for ${order}.`);
    }
  });
  return applies ? filter : undefined;
}

const messagesContext = ({ id }: Chat) => `chats('${encodeURIComponent(id)}')/messages`;

function listMessages(call: Call<"id">): Answer {
  const chat = chatById(call);
  const size = pageSize(call);
  const order = orderOf(call);
  const filter = filterOf(call, order);
  const rows = chat.messages
    .toSorted((a, b) => Date.parse(ORDERED[order](b)) - Date.parse(ORDERED[order](a)))
    .map((message) => chatMessageEntity(chat, message, call))
    .filter((row) => filter === undefined || matches(filter, row));
  return page(call, rows, messagesContext(chat), size);
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function send(call: Call<"id">): Answer {
  const chat = chatById(call);
  const body = isRecord(call.body) && isRecord(call.body["body"]) ? call.body["body"] : {};
  const { content, contentType = "text" } = body;
  if (typeof content !== "string" || content === "") throw badRequest("Missing body content.");
  if (contentType !== "text" && contentType !== "html") throw badRequest("Invalid body content type.");
  if (Buffer.byteLength(content) > MAX_MESSAGE_BYTES) {
    throw new GraphFailure(413, "RequestEntityTooLarge", "The message is too large.");
  }
  const { id: userId, displayName, mail: email } = me(call);
  // Two messages of one millisecond still have ids of their own.
  const at = Math.max(Date.now(), ...chat.messages.map(({ id }) => Number(id) + 1));
  const created = new Date(at).toISOString();
  const message: ChatMessage = {
    id: String(at),
    created,
    modified: created,
    from: { userId, displayName, email },
    body: { contentType, content },
    mentions: [],
    attachments: [],
  };
  chat.messages.unshift(message);
  const context = `${call.origin}/v1.0/$metadata#${messagesContext(chat)}/$entity`;
  return { status: 201, body: { "@odata.context": context, ...chatMessageEntity(chat, message, call) } };
}

const read = { method: "GET", service: "teams" } as const;

/** The chats of the signed-in user, their members and messages. */
export const chatRoutes: readonly Route[] = [
  defineRoute({
    ...read,
    path: "/me/chats",
    permissions: READ_BASIC,
    options: ["$expand", "$filter", "$top", "$skiptoken"],
    handle: listChats,
  }),
  defineRoute({
    ...read,
    path: "/chats/{id}",
    permissions: READ_BASIC,
    options: [],
    handle(call) {
      const context = `${call.origin}/v1.0/$metadata#chats/$entity`;
      return { status: 200, body: { "@odata.context": context, ...chatEntity(chatById(call), call) } };
    },
  }),
  defineRoute({
    ...read,
    path: "/chats/{id}/members",
    permissions: ["ChatMember.Read", "ChatMember.ReadWrite", ...READ_BASIC],
    options: ["$skiptoken"],
    handle(call) {
      const chat = chatById(call);
      const rows = chat.members.map((member) => memberEntity(chat, member));
      return page(call, rows, `chats('${encodeURIComponent(chat.id)}')/members`, MAX_MEMBERS);
    },
  }),
  defineRoute({
    ...read,
    path: "/chats/{id}/messages",
    permissions: ["Chat.Read", "Chat.ReadWrite"],
    options: ["$top", "$orderby", "$filter", "$skiptoken"],
    handle: listMessages,
  }),
  defineRoute({
    method: "POST",
    service: "teams",
    path: "/chats/{id}/messages",
    permissions: ["ChatMessage.Send", "Chat.ReadWrite"],
    options: [],
    handle: send,
  }),
];
