import { randomUUID } from "node:crypto";
import { exchangeId, type MailAddress, type Mailbox, type MailMessage, standardFolderIds } from "../../mailbox.ts";
import { badRequest, GraphFailure } from "../failure.ts";
import { mailboxOf } from "../mailbox.ts";
import type { Row } from "../odata/schema.ts";
import type { Call } from "../route.ts";
import { MESSAGE } from "./message-entity.ts";
import { me } from "./users.ts";

const invalid = (what: string) => new GraphFailure(400, "ErrorInvalidRequest", what);

const isRow = (value: unknown): value is Row => typeof value === "object" && value !== null && !Array.isArray(value);

const rowIn = (value: unknown): Row => (isRow(value) ? value : {});

/** The JSON object in a request; empty for an action without arguments. */
export function argumentsOf({ body }: Call): Row {
  if (body === undefined) return {};
  if (isRow(body)) return body;
  throw badRequest("The request body is not a JSON object.");
}

/** Now, as Exchange writes it. */
export const now = () => new Date().toISOString().replace(/\.\d+/, "");

/** An id for a new message. */
export const newMessageId = () => exchangeId("AAkALgA", randomUUID());

/** The user as mail names them. */
export function selfOf(call: Call): MailAddress {
  const { displayName, mail } = me(call);
  return { name: displayName, address: mail ?? "" };
}

/** Reads recipients; whom the directory knows gets the name that it has there. */
function recipients(value: unknown, { tenant }: Call): readonly MailAddress[] {
  if (!Array.isArray(value)) throw badRequest("A collection of recipients was expected.");
  return value.map((item: unknown) => {
    const { address, name } = rowIn(isRow(item) ? item["emailAddress"] : undefined);
    if (typeof address !== "string") throw invalid("The recipient has no address.");
    const user = tenant.users.find(({ mail }) => mail?.toLowerCase() === address.toLowerCase());
    return { name: user?.displayName ?? (typeof name === "string" ? name : address), address: user?.mail ?? address };
  });
}

function choice<Value extends string>(value: unknown, choices: readonly Value[]): Value {
  const found = choices.find((candidate) => candidate.toLowerCase() === String(value).toLowerCase());
  if (found !== undefined) return found;
  throw badRequest("Cannot convert the literal to the expected type 'Edm.Enum'.");
}

function body(value: unknown): MailMessage["body"] {
  const { contentType = "text", content = "" } = rowIn(value);
  const text = String(content);
  if (choice(contentType, ["text", "html"]) === "text") return { contentType: "text", content: text };
  // What is kept is what stands in the frame that every answer has.
  return { contentType: "html", content: /<body[^>]*>(.*)<\/body>/is.exec(text)?.[1] ?? text };
}

function strings(value: unknown): readonly string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw badRequest("A collection of strings was expected.");
}

/** How each property that can be written changes a message. */
const WRITERS: Readonly<Record<string, (value: unknown, call: Call) => Partial<MailMessage>>> = {
  subject: (value) => ({ subject: String(value) }),
  body: (value) => ({ body: body(value), quoted: "" }),
  toRecipients: (value, call) => ({ to: recipients(value, call) }),
  ccRecipients: (value, call) => ({ cc: recipients(value, call) }),
  bccRecipients: (value, call) => ({ bcc: recipients(value, call) }),
  replyTo: (value, call) => ({ replyTo: recipients(value, call) }),
  importance: (value) => ({ importance: choice(value, ["low", "normal", "high"]) }),
  isRead: (value) => ({ isRead: value === true }),
  categories: (value) => ({ categories: strings(value) }),
  flag: (value) => ({
    flag: choice(rowIn(value)["flagStatus"], ["notFlagged", "flagged", "complete"]),
  }),
};

/** What of a message can be changed only until it is sent. */
const OF_DRAFTS = new Set(["subject", "body", "replyTo"]);

/** What the properties in a request make of a message. Throws {@link GraphFailure} for others. */
export function propertiesOf(
  row: unknown,
  call: Call,
  { isDraft }: Pick<MailMessage, "isDraft">,
): Partial<MailMessage> {
  if (!isRow(row)) throw badRequest("A message was expected.");
  return Object.assign(
    {},
    ...Object.entries(row).map(([name, value]) => {
      if (!MESSAGE.properties.has(name)) {
        throw new GraphFailure(
          400,
          "RequestBodyRead",
          `The property '${name}' does not exist on type 'microsoft.graph.message'. Make sure to only use property names that are defined by the type.`,
        );
      }
      const write = WRITERS[name];
      if (!write || (OF_DRAFTS.has(name) && !isDraft)) {
        throw new GraphFailure(400, "ErrorInvalidPropertySet", "Set action is invalid for property.");
      }
      return write(value, call);
    }),
  ) as Partial<MailMessage>;
}

/** Puts another state in the place of a user's mail. */
function change(
  { tenant }: Call,
  userId: string,
  messages: (current: Mailbox["messages"]) => Mailbox["messages"],
): void {
  const { folders, messages: current } = tenant.mailboxes.get(userId) ?? { folders: [], messages: [] };
  tenant.mailboxes.set(userId, { folders, messages: messages(current) });
}

/** Adds a message to the signed-in user's mail. */
export function add(call: Call, message: MailMessage): MailMessage {
  mailboxOf(call);
  change(call, me(call).id, (messages) => [message, ...messages]);
  return message;
}

/** Changes a message of the signed-in user, which then has another change key. */
export function update(call: Call, message: MailMessage, properties: Partial<MailMessage>): MailMessage {
  const changed = { ...message, ...properties, version: message.version + 1 };
  change(call, me(call).id, (messages) => Array.from(messages, (other) => (other === message ? changed : other)));
  return changed;
}

/** Takes a message out of the signed-in user's mail. */
export function remove(call: Call, message: MailMessage): void {
  change(call, me(call).id, (messages) => [...messages].filter((other) => other !== message));
}

/** Puts a sent message into the inboxes of those of its recipients who have one here; nobody sees the blind copies. */
export function deliver(call: Call, message: MailMessage): void {
  const addresses = new Set([...message.to, ...message.cc, ...message.bcc].map(({ address }) => address.toLowerCase()));
  for (const user of call.tenant.users) {
    if (!user.mailbox || !addresses.has(user.mail?.toLowerCase() ?? "")) continue;
    const received = { ...message, id: newMessageId(), folder: standardFolderIds.inbox, bcc: [], isRead: false };
    change(call, user.id, (messages) => [received, ...messages]);
  }
}
