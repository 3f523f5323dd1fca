import { createHash } from "node:crypto";

/** A person as mail names them. */
export interface MailAddress {
  readonly name: string;
  readonly address: string;
}

/** A folder; top-level without `parent`. */
export interface MailFolder {
  /** Never changes, and is no immutable id: folders have none. */
  readonly id: string;
  readonly displayName: string;
  /** Name that stands for the id in every mailbox: `inbox`. */
  readonly wellKnownName?: string;
  /** Id of the folder around it. */
  readonly parent?: string;
}

/** What hangs on a message: bytes, another message, or a link to a file in the cloud. */
export type MailAttachment = {
  readonly name: string;
  /** Shown within the body, such as a logo. */
  readonly isInline?: boolean;
} & (
  | { readonly kind: "file"; readonly contentType: string; readonly bytes: Uint8Array }
  | { readonly kind: "item"; readonly subject: string; readonly mime: string }
  | { readonly kind: "reference"; readonly sourceUrl: string }
);

/** One message in a mailbox. */
export interface MailMessage {
  /** The immutable id; the other one follows from it and the folder. */
  readonly id: string;
  /** Id of its folder. */
  readonly folder: string;
  readonly conversationId: string;
  readonly subject: string;
  readonly from: MailAddress;
  /** Where its author wants answers; empty: at {@link from}. */
  readonly replyTo: readonly MailAddress[];
  readonly to: readonly MailAddress[];
  readonly cc: readonly MailAddress[];
  readonly bcc: readonly MailAddress[];
  /** ISO instant in UTC, to the second. */
  readonly received: string;
  readonly isRead: boolean;
  readonly isDraft: boolean;
  readonly importance: "low" | "normal" | "high";
  readonly flag: "notFlagged" | "flagged" | "complete";
  readonly categories: readonly string[];
  /** Counts its changes: another number makes another change key. */
  readonly version: number;
  /** What its author wrote. */
  readonly body: { readonly contentType: "html" | "text"; readonly content: string };
  /** The earlier messages of the thread, quoted below the body, in the same format. */
  readonly quoted: string;
  readonly attachments: readonly MailAttachment[];
}

/** The mail of one user: what the sample data says and the Graph emulator serves. */
export interface Mailbox {
  /** Besides the {@link standardFolders}. */
  readonly folders: readonly MailFolder[];
  /** Newest first; may be made while it is read, so a mailbox of any size costs nothing. */
  readonly messages: Iterable<MailMessage>;
}

/** What a new message begins with. */
export const blankMessage = {
  subject: "",
  replyTo: [],
  to: [],
  cc: [],
  bcc: [],
  isRead: true,
  isDraft: true,
  importance: "normal",
  flag: "notFlagged",
  categories: [],
  version: 0,
  body: { contentType: "text", content: "" },
  quoted: "",
  attachments: [],
} as const satisfies Partial<MailMessage>;

/** A subject without the marks of answers and forwarding. */
export const topicOf = (subject: string): string => subject.replace(/^(?:(?:RE|FW): )+/, "");

/** What stands below an answer: the message before it, with what that quotes. */
export function quote({ from, received, subject, body, quoted }: MailMessage): string {
  const lines = [`From: ${from.name} <${from.address}>`, `Sent: ${received}`, `Subject: ${subject}`];
  return body.contentType === "html"
    ? `<hr><p>${lines.map((line) => line.replaceAll("<", "&lt;")).join("<br>")}</p>${body.content}${quoted}`
    : `\n\n________________________________\n${lines.join("\n")}\n\n${body.content}${quoted}`;
}

/** An id in the alphabet of Exchange, with the plus signs, slashes and equals signs that it has. */
export const exchangeId = (prefix: string, seed: string): string =>
  `${prefix}${createHash("sha512").update(seed).digest("base64")}`;

const STANDARD = {
  inbox: "Inbox",
  drafts: "Drafts",
  sentitems: "Sent Items",
  deleteditems: "Deleted Items",
  junkemail: "Junk Email",
  archive: "Archive",
  outbox: "Outbox",
} as const;

/** Ids of the folders that every mailbox has, by well-known name. */
export const standardFolderIds = Object.fromEntries(
  Object.keys(STANDARD).map((name) => [name, exchangeId("AQMkAGF", name)]),
) as Readonly<Record<keyof typeof STANDARD, string>>;

/** The folders that every mailbox has. */
export const standardFolders: readonly MailFolder[] = Object.entries(STANDARD).map(([wellKnownName, displayName]) => ({
  id: standardFolderIds[wellKnownName as keyof typeof STANDARD],
  displayName,
  wellKnownName,
}));
