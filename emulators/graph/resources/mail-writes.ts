import {
  blankMessage,
  exchangeId,
  type MailAddress,
  type MailMessage,
  quote,
  standardFolderIds,
  topicOf,
} from "../../mailbox.ts";
import type { Answer } from "../answer.ts";
import { badRequest, GraphFailure } from "../failure.ts";
import { folderById, mailboxOf, messageById } from "../mailbox.ts";
import type { Call, Route } from "../route.ts";
import { mailRoute, messageAnswer } from "./mail.ts";
import { add, argumentsOf, deliver, newMessageId, now, propertiesOf, remove, selfOf, update } from "./mail-change.ts";

/** The actions that answer a message or hand it on, and those that make a draft of the same. */
const ANSWERS = [
  ["reply", "createReply"],
  ["replyAll", "createReplyAll"],
  ["forward", "createForward"],
] as const;
type AnswerKind = (typeof ANSWERS)[number][0];

const ACCEPTED: Answer = { status: 202 };

const messageOf = (call: Call<"id">) => messageById(mailboxOf(call), call.parameters.id);

const isSame = (one: MailAddress, other: MailAddress) => one.address.toLowerCase() === other.address.toLowerCase();

function newMessage(call: Call, properties: unknown): MailMessage {
  const id = newMessageId();
  const base = {
    ...blankMessage,
    id,
    folder: standardFolderIds.drafts,
    conversationId: exchangeId("AAQkAGI", id),
    from: selfOf(call),
    received: now(),
  };
  return { ...base, ...propertiesOf(properties, call, base) };
}

/** Who gets the answer, as Exchange chooses. */
function recipientsOf(kind: AnswerKind, { from, replyTo, to, cc }: MailMessage, self: MailAddress) {
  const author = replyTo.length > 0 ? replyTo : [from];
  const others = (people: readonly MailAddress[]) => people.filter((person) => !isSame(person, self));
  if (kind === "forward") return { to: [], cc: [] };
  return kind === "reply" ? { to: author, cc: [] } : { to: [...author, ...others(to)], cc: others(cc) };
}

const bothGiven = (what: string) => new GraphFailure(400, "ErrorInvalidRequest", `${what}: specify one, not both.`);

/** The draft of an answer, with its original quoted below what is new in it. */
function respond(kind: AnswerKind, call: Call<"id">): MailMessage {
  const original = messageOf(call);
  const { comment = "", message = {}, toRecipients, ...unknown } = argumentsOf(call);
  const [stranger] = Object.keys(unknown);
  if (stranger !== undefined) throw badRequest(`The parameter '${stranger}' in the request payload is not valid.`);
  const draft = newMessage(call, {});
  const properties = propertiesOf(message, call, draft);
  if (comment !== "" && properties.body) throw bothGiven("comment and the body of message");
  if (toRecipients !== undefined && properties.to) throw bothGiven("toRecipients and those of message");
  const { contentType } = original.body;
  return {
    ...draft,
    ...recipientsOf(kind, original, draft.from),
    conversationId: original.conversationId,
    subject: `${kind === "forward" ? "FW" : "RE"}: ${topicOf(original.subject)}`,
    body: { contentType, content: String(comment) },
    quoted: quote(original),
    attachments: kind === "forward" ? original.attachments : [],
    ...properties,
    ...(toRecipients !== undefined && propertiesOf({ toRecipients }, call, draft)),
  };
}

function checkRecipients({ to, cc, bcc }: MailMessage): void {
  const everybody = [...to, ...cc, ...bcc];
  if (everybody.length > 0 && everybody.every(({ address }) => /^[^\s@]+@[^\s@]+$/.test(address))) return;
  throw new GraphFailure(400, "ErrorInvalidRecipients", "At least one recipient isn't valid.");
}

/** Sends a message that is in no folder yet, and keeps it. */
function sendNew(call: Call, message: MailMessage, keep: boolean): Answer {
  checkRecipients(message);
  const sent = { ...message, folder: standardFolderIds.sentitems, isDraft: false };
  if (keep) add(call, sent);
  deliver(call, sent);
  return ACCEPTED;
}

function sendMail(call: Call): Answer {
  const { message, saveToSentItems = true } = argumentsOf(call);
  return sendNew(call, newMessage(call, message), saveToSentItems === true);
}

function sendDraft(call: Call<"id">): Answer {
  const draft = messageOf(call);
  if (!draft.isDraft) throw new GraphFailure(400, "ErrorInvalidRequest", "The message was sent before.");
  checkRecipients(draft);
  const id = call.switches["graph.sentDraftKeepsId"] ? draft.id : newMessageId();
  remove(call, draft);
  const sent = {
    ...draft,
    id,
    folder: standardFolderIds.sentitems,
    isDraft: false,
    received: now(),
    version: draft.version + 1,
  };
  deliver(call, add(call, sent));
  return ACCEPTED;
}

function move(call: Call<"id">): Answer {
  const message = messageOf(call);
  const { destinationId } = argumentsOf(call);
  if (typeof destinationId !== "string") throw badRequest("The parameter 'destinationId' is missing.");
  const folder = folderById(mailboxOf(call), destinationId).id;
  return messageAnswer(call, update(call, message, { folder }), 201);
}

const post = { method: "POST", service: "exchange", options: [] } as const;
const write = { ...post, permissions: ["Mail.ReadWrite"] } as const;
const send = { ...post, permissions: ["Mail.Send"] } as const;

/** Drafts, sending and changes of the signed-in user's messages. */
export const mailWriteRoutes: readonly Route[] = [
  mailRoute({
    ...write,
    path: "/me/messages",
    handle: (call) => messageAnswer(call, add(call, newMessage(call, argumentsOf(call))), 201),
  }),
  mailRoute({
    ...write,
    method: "PATCH",
    path: "/me/messages/{id}",
    handle(call) {
      const message = messageOf(call);
      return messageAnswer(call, update(call, message, propertiesOf(argumentsOf(call), call, message)));
    },
  }),
  mailRoute({ ...write, path: "/me/messages/{id}/move", handle: move }),
  ...ANSWERS.flatMap(([kind, createKind]) => [
    mailRoute({
      ...write,
      path: `/me/messages/{id}/${createKind}`,
      handle: (call) => messageAnswer(call, add(call, respond(kind, call)), 201),
    }),
    mailRoute({
      ...send,
      path: `/me/messages/{id}/${kind}`,
      handle: (call) => sendNew(call, respond(kind, call), true),
    }),
  ]),
  mailRoute({ ...send, path: "/me/sendMail", handle: sendMail }),
  mailRoute({ ...send, path: "/me/messages/{id}/send", handle: sendDraft }),
];
