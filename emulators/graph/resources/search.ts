import type { Chat, ChatMessage } from "../../chat.ts";
import { exchangeId } from "../../mailbox.ts";
import { driveItem } from "../drive-entity.ts";
import { mayRead, type Place } from "../drives.ts";
import { badRequest, GraphFailure } from "../failure.ts";
import { parseKql, type Searchable } from "../kql.ts";
import type { Row } from "../odata/schema.ts";
import { type Call, defineRoute, type Route } from "../route.ts";
import { chatMessageText } from "./chat-entity.ts";
import { ownChats } from "./chats.ts";

const DEFAULT_SIZE = 25;
const MAX_SIZE = 1000;
const SUMMARY_WORDS = 12;

/** One kind of thing that can be searched. */
interface Kind {
  readonly permissions: readonly string[];
  find(call: Call, query: string): Hit[];
  /** `total` counts the hits of the page, and not all of them. */
  readonly totalOfPage?: true;
}

interface Hit {
  readonly hitId: string;
  readonly summary: string;
  readonly resource: Row;
}

interface SearchRequest {
  readonly kind: Kind;
  readonly query: string;
  readonly from: number;
  readonly size: number;
}

const KINDS: Readonly<Record<string, Kind>> = {
  driveItem: {
    permissions: ["Files.Read.All", "Files.ReadWrite.All", "Sites.Read.All", "Sites.ReadWrite.All"],
    find: (call, query) => {
      const test = parseKql(query);
      return call.tenant.drives
        .flatMap((drive) => drive.entries.map((entry): Place => ({ drive, entry })))
        .filter((place) => !place.entry?.shortcutTo && mayRead(call, place) && test(searchable(call, place)))
        .map((place) => driveHit(call, place, query));
    },
  },
  chatMessage: {
    permissions: ["Chat.Read", "Chat.ReadWrite", "ChannelMessage.Read.All"],
    totalOfPage: true,
    find(call, query) {
      const test = parseKql(query);
      return ownChats(call)
        .flatMap((chat) => chat.messages.map((message): Post => ({ chat, message })))
        .filter((post) => post.message.from && !post.message.deleted && test(searchablePost(post)))
        .sort((a, b) => Number(b.message.id) - Number(a.message.id))
        .map((post) => postHit(post, query));
    },
  },
};

/** A message in its chat. */
interface Post {
  readonly chat: Chat;
  readonly message: ChatMessage;
}

function searchablePost({ chat, message }: Post): Searchable {
  const { from, attachments, mentions, created } = message;
  const who = ({ displayName, email }: { readonly displayName: string; readonly email: string | null }) =>
    `${displayName} ${email ?? ""}`;
  const others = chat.members.filter(({ userId }) => userId !== from?.userId);
  return {
    text: [from?.displayName, chatMessageText(message), ...attachments.map(({ name }) => name)].join(" "),
    properties: {
      from: from ? who(from) : "",
      to: others.map(who).join(" "),
      sent: created,
      hasattachment: String(attachments.length > 0),
      mentions: mentions.map(({ userId }) => userId.replaceAll("-", "")).join(" "),
    },
  };
}

/** Search knows the sender by address, and less of a message than Teams does. */
function postHit({ chat, message }: Post, query: string): Hit {
  const hitId = exchangeId("AAMkAGI", `${chat.id} ${message.id}`);
  return {
    hitId,
    summary: summaryOf(chatMessageText(message), query),
    resource: {
      "@odata.type": "#microsoft.graph.chatMessage",
      id: message.id,
      createdDateTime: message.created,
      lastModifiedDateTime: message.modified,
      subject: "",
      importance: "normal",
      webLink: `https://outlook.office365.com/owa/?ItemID=${encodeURIComponent(hitId)}&exvsurl=1&viewmodel=ReadMessageItem`,
      from: { emailAddress: { name: message.from?.displayName, address: message.from?.email } },
      channelIdentity: {},
      etag: message.id,
      chatId: chat.id,
    },
  };
}

function searchable({ tenant }: Call, { entry }: Place): Searchable {
  const { name = "", file, modified = "", modifiedBy } = entry ?? {};
  const author = tenant.users.find(({ id }) => id === modifiedBy)?.displayName ?? "";
  return {
    text: `${name} ${file?.words ?? ""}`,
    properties: {
      filename: name,
      filetype: /\.([^.]+)$/.exec(name)?.[1] ?? "",
      author,
      lastmodifiedtime: modified,
    },
  };
}

/** Search knows less of an item than its drive does: neither `file` nor the path of its folder. */
function driveHit(call: Call, place: Place, query: string): Hit {
  const { file: _file, folder: _folder, parentReference, ...row } = driveItem(call, place);
  const { driveId, id } = parentReference as { readonly driveId: string; readonly id: string };
  return {
    hitId: String(row["id"]),
    summary: summaryOf(place.entry?.file?.words ?? "", query),
    resource: { "@odata.type": "#microsoft.graph.driveItem", ...row, parentReference: { driveId, id } },
  };
}

/** Some words of the text, those that were looked for marked. */
function summaryOf(text: string, query: string): string {
  const wanted = new Set(query.toLowerCase().match(/[\p{L}\p{N}]+/gu));
  const words = text.split(/\s+/).filter(Boolean);
  const isWanted = (word: string) => wanted.has(word.toLowerCase().replace(/[^\p{L}\p{N}]/gu, ""));
  const start = Math.max(0, words.findIndex(isWanted) - 2);
  const shown = words.slice(start, start + SUMMARY_WORDS).map((word) => (isWanted(word) ? `<c0>${word}</c0>` : word));
  return `${shown.join(" ")}${start + SUMMARY_WORDS < words.length ? " <ddd/>" : ""}`;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isCount = (value: unknown): value is number => Number.isInteger(value) && Number(value) >= 0;

function parse(body: unknown): SearchRequest {
  const requests = isRecord(body) ? body["requests"] : undefined;
  if (!Array.isArray(requests) || requests.length !== 1 || !isRecord(requests[0])) {
    throw badRequest("SearchRequest Invalid (There should be exactly one search request)");
  }
  const { entityTypes, query, from = 0, size = DEFAULT_SIZE } = requests[0];
  const [type] = Array.isArray(entityTypes) ? (entityTypes as unknown[]) : [];
  const kind = KINDS[String(type)];
  if (!kind) throw badRequest("SearchRequest Invalid (EntityTypes)");
  const words = isRecord(query) ? query["queryString"] : undefined;
  if (typeof words !== "string" || words.trim() === "") throw badRequest("SearchRequest Invalid (Query is empty)");
  if (!isCount(from) || !isCount(size) || size < 1 || size > MAX_SIZE) {
    throw badRequest(`SearchRequest Invalid (Paging: size is from 1 to ${MAX_SIZE})`);
  }
  return { kind, query: words, from, size };
}

/** Microsoft Search over what the signed-in user may read. */
export const searchRoutes: readonly Route[] = [
  defineRoute({
    method: "POST",
    path: "/search/query",
    service: "drive",
    permissions: [...new Set(Object.values(KINDS).flatMap(({ permissions }) => permissions))],
    options: [],
    handle(call) {
      const { kind, query, from, size } = parse(call.body);
      if (!kind.permissions.some((permission) => call.caller.permissions.has(permission))) {
        throw new GraphFailure(403, "accessDenied", "Access to the requested entity type is denied.");
      }
      const found = kind.find(call, query);
      const hits = found
        .slice(from, from + size)
        .map(({ hitId, summary, resource }, index) => ({ hitId, rank: from + index + 1, summary, resource }));
      return {
        status: 200,
        body: {
          "@odata.context": `${call.origin}/v1.0/$metadata#Collection(microsoft.graph.searchResponse)`,
          value: [
            {
              searchTerms: query.split(/\s+/),
              hitsContainers: [
                {
                  // Left out where there are none.
                  ...(hits.length > 0 && { hits }),
                  total: kind.totalOfPage ? hits.length : found.length,
                  moreResultsAvailable: from + size < found.length,
                },
              ],
            },
          ],
        },
      };
    },
  }),
];
