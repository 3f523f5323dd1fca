/** The vocabulary of Teams: the chats of a tenant. Plain data. */

/** One chat with all that was ever written in it. */
export interface Chat {
  /** As Teams makes them: `19:…@thread.v2`, or of two people `19:…@unq.gbl.spaces`. */
  readonly id: string;
  readonly type: "oneOnOne" | "group" | "meeting";
  /** Null in chats of two, and in groups that nobody named. */
  readonly topic: string | null;
  readonly created: string;
  /** When it was renamed or its members changed: messages do not count. */
  readonly updated: string;
  readonly members: ChatMember[];
  /** Newest first. */
  readonly messages: ChatMessage[];
}

/** Who takes part in a chat. */
export interface ChatMember {
  readonly userId: string;
  readonly displayName: string;
  /** Null for some people of other organisations. */
  readonly email: string | null;
  /** Of a guest the tenant that invited them, of a federated user their own. */
  readonly tenantId: string;
}

/** One message of a chat, written or made by Teams itself. */
export interface ChatMessage {
  /** Milliseconds since the epoch, unique within its chat. */
  readonly id: string;
  readonly created: string;
  /** Later than `created` when it was edited, deleted or reacted to. */
  readonly modified: string;
  readonly edited?: string;
  readonly deleted?: string;
  /** Absent in what Teams itself made. */
  readonly from?: Pick<ChatMember, "userId" | "displayName" | "email">;
  readonly body: { readonly contentType: "html" | "text"; readonly content: string };
  /** Who is named in it; the place in this list is the `id` of the `<at>` in the body. */
  readonly mentions: readonly Pick<ChatMember, "userId" | "displayName">[];
  readonly attachments: readonly ChatAttachment[];
  /** What Teams reports, for example `membersAdded`. */
  readonly event?: string;
}

/** What hangs on a message: a file elsewhere, or an earlier message that is quoted. */
export interface ChatAttachment {
  readonly id: string;
  readonly contentType: "reference" | "messageReference";
  readonly contentUrl: string | null;
  readonly content: string | null;
  readonly name: string | null;
}
