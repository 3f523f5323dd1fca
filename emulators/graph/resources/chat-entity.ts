import type { Chat, ChatMember, ChatMessage } from "../../chat.ts";
import type { Row } from "../odata/schema.ts";
import type { Call } from "../route.ts";

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', nbsp: "\u00a0" };

/** What is written in a message, without its markup. */
export function chatMessageText({ body }: ChatMessage): string {
  if (body.contentType === "text") return body.content;
  return body.content
    .replaceAll(/<[^>]*>/g, " ")
    .replaceAll(/&(amp|lt|gt|quot|nbsp);/g, (_entity, name: string) => ENTITIES[name] ?? "")
    .replaceAll(/\s+/g, " ")
    .trim();
}

/** A chat as Graph returns it, without its members. */
export function chatEntity({ id, type, topic, created, updated, members }: Chat, { tenant, caller }: Call): Row {
  const own = members.find(({ userId }) => userId === caller.objectId);
  return {
    id,
    topic,
    createdDateTime: created,
    lastUpdatedDateTime: updated,
    chatType: type,
    webUrl: `https://teams.microsoft.com/l/chat/${encodeURIComponent(id)}/0?tenantId=${tenant.id}`,
    tenantId: tenant.id,
    onlineMeetingInfo: null,
    viewpoint: own && { isHidden: false, lastMessageReadDateTime: updated },
  };
}

/** A member as Graph returns it; its id belongs to the membership, not to the person. */
export const memberEntity = (chat: Chat, { userId, displayName, email, tenantId }: ChatMember): Row => ({
  "@odata.type": "#microsoft.graph.aadUserConversationMember",
  id: Buffer.from(`MCMjMiMj##${chat.id}##${userId}`).toString("base64"),
  roles: chat.type === "meeting" && email === null ? ["guest"] : ["owner"],
  displayName,
  visibleHistoryStartDateTime: "0001-01-01T00:00:00Z",
  userId,
  email,
  tenantId,
});

const identity = ({ userId, displayName }: Pick<ChatMember, "userId" | "displayName">) => ({
  application: null,
  device: null,
  user: { id: userId, displayName, userIdentityType: "aadUser" },
});

/** A message as Graph returns it. What Teams itself made is of an unknown type until the caller asks for new ones. */
export function chatMessageEntity(chat: Chat, message: ChatMessage, { headers }: Call): Row {
  const { id, created, modified, edited, deleted, from, body, mentions, attachments, event } = message;
  const knowsEvents = /include-unknown-enum-members/i.test(headers.get("prefer") ?? "");
  return {
    id,
    replyToId: null,
    etag: String(Date.parse(modified)),
    messageType: event === undefined ? "message" : knowsEvents ? "systemEventMessage" : "unknownFutureValue",
    createdDateTime: created,
    lastModifiedDateTime: modified,
    lastEditedDateTime: edited ?? null,
    deletedDateTime: deleted ?? null,
    subject: null,
    summary: null,
    chatId: chat.id,
    importance: "normal",
    locale: "en-us",
    webUrl: null,
    channelIdentity: null,
    policyViolation: null,
    eventDetail: event === undefined ? null : { "@odata.type": `#microsoft.graph.${event}EventMessageDetail` },
    from: from ? identity(from) : null,
    body,
    attachments: attachments.map((attachment) => ({
      id: attachment.id,
      contentType: attachment.contentType,
      contentUrl: attachment.contentUrl,
      content: attachment.content,
      name: attachment.name,
      thumbnailUrl: null,
      teamsAppId: null,
    })),
    mentions: mentions.map((mentioned, index) => ({
      id: index,
      mentionText: mentioned.displayName,
      mentioned: identity(mentioned),
    })),
    reactions: [],
    messageHistory: [],
  };
}
