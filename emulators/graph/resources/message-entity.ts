import { exchangeId, type MailAddress, type MailAttachment, type MailMessage } from "../../mailbox.ts";
import type { Searchable } from "../kql.ts";
import { mutableId } from "../mailbox.ts";
import type { Row, Schema } from "../odata/schema.ts";

/** What Graph returns of a message that was asked for without `$select`. */
export const DEFAULT_MESSAGE_SELECTION = [
  "id",
  "createdDateTime",
  "lastModifiedDateTime",
  "changeKey",
  "categories",
  "receivedDateTime",
  "sentDateTime",
  "hasAttachments",
  "internetMessageId",
  "subject",
  "bodyPreview",
  "importance",
  "parentFolderId",
  "conversationId",
  "isDeliveryReceiptRequested",
  "isReadReceiptRequested",
  "isRead",
  "isDraft",
  "webLink",
  "inferenceClassification",
  "body",
  "sender",
  "from",
  "toRecipients",
  "ccRecipients",
  "bccRecipients",
  "replyTo",
  "flag",
];

/** What can be asked of a message. */
export const MESSAGE: Schema = {
  type: "microsoft.graph.message",
  properties: new Set([...DEFAULT_MESSAGE_SELECTION, "uniqueBody"]),
};

/** What can be asked of an attachment whatever its kind. */
export const ATTACHMENT: Schema = {
  type: "microsoft.graph.attachment",
  properties: new Set(["id", "lastModifiedDateTime", "name", "contentType", "size", "isInline"]),
};

/** How a message is to be shown. */
export interface MessageView {
  readonly text: boolean;
  readonly immutableIds: boolean;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', nbsp: "\u00a0" };

/** What Exchange makes of HTML where text is preferred. */
function toText(html: string): string {
  return html
    .replaceAll(/<(style|script|head)\b.*?<\/\1>|<!--.*?-->/gis, "")
    .replaceAll(/<br\s*\/?>|<\/(?:p|div|h\d|li|tr|blockquote)>/gi, "\r\n")
    .replaceAll(/<[^>]*>/g, "")
    .replaceAll(/&(amp|lt|gt|quot|nbsp);/g, (_entity, name: string) => ENTITIES[name] ?? "")
    .trim();
}

const toHtml = (text: string) =>
  `<div class="PlainText">${text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("\n", "<br>\n")}</div>`;

function itemBody(content: string, { body }: MailMessage, { text }: MessageView) {
  if (text) return { contentType: "text", content: body.contentType === "text" ? content : toText(content) };
  const html = body.contentType === "html" ? content : toHtml(content);
  return { contentType: "html", content: `<html><head></head><body>${html}</body></html>` };
}

const recipient = ({ name, address }: MailAddress) => ({ emailAddress: { name, address } });

const isVisible = ({ isInline = false }: MailAttachment) => !isInline;

/** Size of what is kept of an attachment, as Exchange reports it: a little more than its content. */
function sizeOf(attachment: MailAttachment): number {
  if (attachment.kind === "file") return attachment.bytes.length + 256;
  return Buffer.byteLength(attachment.kind === "item" ? attachment.mime : attachment.sourceUrl) + 256;
}

function hasAttachments({ attachments }: MailMessage): boolean {
  return attachments.some(isVisible);
}

/** The properties that cost little: enough to filter and sort by. */
export function messageFacts(message: MailMessage): Row {
  const { received, isRead, isDraft, importance, subject, conversationId, from, folder } = message;
  return {
    createdDateTime: received,
    lastModifiedDateTime: received,
    receivedDateTime: received,
    sentDateTime: received,
    hasAttachments: hasAttachments(message),
    subject,
    importance,
    parentFolderId: folder,
    conversationId,
    isRead,
    isDraft,
    sender: recipient(from),
    from: recipient(from),
  };
}

/** The message with everything, as this request is to see it. */
export function messageEntity(message: MailMessage, view: MessageView): Row {
  const { id, body, quoted, to, cc, bcc, replyTo, categories, flag } = message;
  const shownId = view.immutableIds ? id : mutableId(message);
  const changeKey = exchangeId("CQAAABY", `${id} ${message.version}`).slice(0, 40);
  return {
    "@odata.etag": `W/"${changeKey}"`,
    ...messageFacts(message),
    id: shownId,
    changeKey,
    categories,
    internetMessageId: `<${id.slice(8, 24).replaceAll(/[^A-Za-z0-9]/g, "")}@contoso.com>`,
    bodyPreview: (body.contentType === "text" ? body.content : toText(body.content)).slice(0, 255),
    isDeliveryReceiptRequested: false,
    isReadReceiptRequested: false,
    webLink: `https://outlook.office365.com/owa/?ItemID=${encodeURIComponent(shownId)}&exvsurl=1&viewmodel=ReadMessageItem`,
    inferenceClassification: "focused",
    body: itemBody(body.content + quoted, message, view),
    uniqueBody: itemBody(body.content, message, view),
    toRecipients: to.map(recipient),
    ccRecipients: cc.map(recipient),
    bccRecipients: bcc.map(recipient),
    replyTo: replyTo.map(recipient),
    flag: { flagStatus: flag },
  };
}

/** The message as a search looks at it. */
export function searchableMessage(message: MailMessage): Searchable {
  const { subject, from, to, cc, body, quoted, received, attachments, importance } = message;
  const people = (addresses: readonly MailAddress[]) =>
    addresses.map(({ name, address }) => `${name} ${address}`).join(" ");
  const content = body.contentType === "text" ? body.content + quoted : toText(body.content + quoted);
  return {
    text: `${people([from])} ${subject} ${content}`,
    properties: {
      subject,
      from: people([from]),
      to: people(to),
      cc: people(cc),
      recipients: people([...to, ...cc]),
      participants: people([from, ...to, ...cc]),
      body: content,
      attachment: attachments.map(({ name }) => name).join(" "),
      hasattachments: String(hasAttachments(message)),
      importance,
      received,
      sent: received,
    },
  };
}

/** The id of an attachment, by its place in the message. */
export const attachmentId = ({ id }: MailMessage, index: number) => exchangeId("AAMkAGA", `${id} ${index}`);

const KINDS = {
  file: "#microsoft.graph.fileAttachment",
  item: "#microsoft.graph.itemAttachment",
  reference: "#microsoft.graph.referenceAttachment",
} as const;

/** The attachment at this place of its message, with everything. */
export function attachmentEntity(message: MailMessage, attachment: MailAttachment, index: number): Row {
  return {
    "@odata.type": KINDS[attachment.kind],
    ...(attachment.kind === "file" && { "@odata.mediaContentType": attachment.contentType }),
    id: attachmentId(message, index),
    lastModifiedDateTime: message.received,
    name: attachment.name,
    contentType: attachment.kind === "file" ? attachment.contentType : null,
    size: sizeOf(attachment),
    isInline: attachment.isInline ?? false,
    ...(attachment.kind === "file" && {
      contentId: attachment.isInline ? `${attachment.name}@contoso.com` : null,
      contentLocation: null,
      contentBytes: Buffer.from(attachment.bytes).toString("base64"),
    }),
  };
}
