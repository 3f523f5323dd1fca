import type { Attachment, Message, Recipient } from "@microsoft/microsoft-graph-types";
import * as z from "zod";
import { bodyFile } from "../graph/body.ts";
import { line, preview } from "../graph/confirm-text.ts";
import type { Graph, GraphCollection } from "../graph/graph.ts";
import { findMailFolder } from "../graph/mail-folder.ts";
import { path } from "../graph/path.ts";
import { prefer } from "../graph/prefer.ts";
import { addressOf, mailAddresses, ownAddresses, recipientsNotice } from "../graph/recipients.ts";
import { sentLine, sentText } from "../mcp/sent-text.ts";
import { defineTool, type ToolContext, ToolError } from "../mcp/tool.ts";
import { trusted } from "../safety/untrusted.ts";

const ORIGINAL = "subject,isDraft,from,replyTo,toRecipients,ccRecipients";
const DRAFT = "subject,isDraft,changeKey,from,replyTo,toRecipients,ccRecipients,bccRecipients,body";
const IMMUTABLE = prefer({ immutableIds: true });
const MAX_ATTACHMENTS = 50;

/** A message to be written: a new one, or with a mode one that answers or forwards another and quotes it. */
const letter = z.strictObject({
  mode: z.enum(["reply", "reply_all", "forward"]).optional(),
  message_id: z.string().max(1024).optional(),
  to: mailAddresses,
  cc: mailAddresses,
  bcc: mailAddresses,
  subject: sentLine(255).optional(),
  body: sentText(20_000).optional().describe("Plain text"),
});

type Letter = z.output<typeof letter>;

const MODE_RULE = { path: ["mode"], message: "mode and message_id go together: leave out both for a new message" };

const createDraft = defineTool({
  name: "create_draft",
  title: "Write a draft",
  description: "Save a draft of a new message or, with mode, of an answer with its people and thread. Nothing is sent.",
  effect: "write",
  permissions: ["Mail.ReadWrite", "User.Read"],
  input: letter.refine(({ mode, message_id }) => (mode === undefined) === (message_id === undefined), MODE_RULE),
  output: z.object({ id: trusted(), web_link: trusted().optional() }),
  async handler(input, { graph }) {
    const { id, webLink } = await saveDraft(input, graph);
    return { id: id ?? "", web_link: webLink ?? undefined };
  },
});

const sendMail = defineTool({
  name: "send_mail",
  title: "Send mail",
  description: "Send a new message, an answer, or a draft as it is. The user is asked first.",
  effect: "destructive",
  permissions: ["Mail.Send", "Mail.ReadWrite", "User.Read"],
  input: z
    .strictObject({ ...letter.shape, mode: z.enum(["reply", "reply_all", "forward", "draft"]).optional() })
    .refine(({ mode, message_id }) => (mode === undefined) === (message_id === undefined), MODE_RULE)
    .refine(
      ({ mode, message_id: _id, ...text }) => mode !== "draft" || Object.values(text).every((value) => !value?.length),
      {
        path: ["mode"],
        message: "A draft is sent as it is: give only mode and message_id",
      },
    ),
  output: z.object({ sent: z.boolean() }),
  async confirm({ mode, ...input }, { graph, extractText }) {
    return mode === "draft"
      ? aboutDraft(input.message_id ?? "", { graph, extractText })
      : { message: await aboutLetter({ mode, ...input }, graph) };
  },
  async handler({ mode, ...input }, { graph }) {
    if (mode === undefined) {
      await graph.post(path`/me/sendMail`, { body: { message: newMessage(input) }, repeatable: false });
      return { sent: true };
    }
    // An answer is sent as a draft: Graph would choose its people anew, and these are those that were approved.
    const id = mode === "draft" ? input.message_id : (await saveDraft({ mode, ...input }, graph)).id;
    await graph.post(path`/me/messages/${id ?? ""}/send`, { repeatable: false });
    return { sent: true };
  },
});

const category = z.string().refine(({ length }) => length > 0 && length <= 255, "1 to 255 characters");

const updateMessage = defineTool({
  name: "update_message",
  title: "Update a message",
  description: "Mark, flag, categorise or move a message; move it to deleteditems to delete it.",
  effect: "destructive",
  idempotent: true,
  permissions: ["Mail.ReadWrite"],
  input: z
    .strictObject({
      message_id: z.string().max(1024),
      is_read: z.boolean().optional(),
      flag: z.enum(["flagged", "complete", "notFlagged"]).optional(),
      importance: z.enum(["low", "normal", "high"]).optional(),
      categories: z.array(category).max(25).optional().describe("All of them"),
      folder: z.string().trim().min(1).max(256).optional().describe("Also by name"),
    })
    .refine(({ message_id: _id, ...changes }) => Object.values(changes).some((change) => change !== undefined), {
      message: "Say what to change",
    }),
  output: z.object({ id: trusted() }),
  async handler({ message_id, folder, is_read, flag, ...same }, { graph }) {
    const destinationId = folder && (await findMailFolder(folder, graph));
    const changes = { ...same, isRead: is_read, flag: flag && { flagStatus: flag } };
    const request = { headers: IMMUTABLE, repeatable: true };
    const target = path`/me/messages/${message_id}`;
    const changed = Object.values(changes).some((change) => change !== undefined)
      ? await graph.patch<Message>(target, { ...request, body: changes })
      : undefined;
    const moved = destinationId
      ? await graph.post<Message>(path`/me/messages/${message_id}/move`, { ...request, body: { destinationId } })
      : undefined;
    return { id: (moved ?? changed)?.id ?? message_id };
  },
});

/** What makes the draft of an answer, with the thread in it. */
const ACTIONS = { reply: "createReply", reply_all: "createReplyAll", forward: "createForward" } as const;

/** Everybody a message goes to. */
interface People {
  readonly to: readonly Recipient[];
  readonly cc: readonly Recipient[];
  readonly bcc: readonly Recipient[];
}

/** Saves a letter as a draft that is complete. */
async function saveDraft(input: Letter, graph: Graph): Promise<Message> {
  const { mode, message_id, subject, body = "" } = input;
  if (mode === undefined || message_id === undefined) {
    return graph.post(path`/me/messages`, { headers: IMMUTABLE, body: newMessage(input), repeatable: false });
  }
  const people = await peopleOf(input, await readOriginal(message_id, graph), graph);
  const draft = await graph.post<Message>(path`/me/messages/${message_id}/${ACTIONS[mode]}`, {
    headers: IMMUTABLE,
    repeatable: false,
  });
  const content = writeAbove(draft.body?.content ?? "", body);
  return graph.patch(path`/me/messages/${draft.id ?? ""}`, {
    headers: IMMUTABLE,
    body: { subject, body: { contentType: "html", content }, ...toRecipients(people) },
    repeatable: true,
  });
}

function newMessage({ subject = "", body = "", ...people }: Letter) {
  return { subject, body: { contentType: "text", content: body }, ...toRecipients(named(people)) };
}

function toRecipients({ to, cc, bcc }: People) {
  return { toRecipients: to, ccRecipients: cc, bccRecipients: bcc };
}

function named({ to, cc, bcc }: Pick<Letter, keyof People>): People {
  const recipients = (list: readonly string[] = []) =>
    list.map((address): Recipient => ({ emailAddress: { address } }));
  return { to: recipients(to), cc: recipients(cc), bcc: recipients(bcc) };
}

/** Puts a text at the beginning of an HTML page: Exchange quotes the thread in what it calls the body. */
function writeAbove(html: string, text: string): string {
  const escaped = text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const written = `<div>${escaped.replace(/\r\n?|\n/g, "<br>")}</div>`;
  const [start = ""] = /^.*?<body[^>]*>/is.exec(html) ?? [];
  return `${start}${written}${html.slice(start.length)}`;
}

/** The message that a letter answers or forwards. */
async function readOriginal(id: string, graph: Graph): Promise<Message> {
  const original = await graph.get<Message>(path`/me/messages/${id}`, {
    query: { $select: ORIGINAL },
    headers: IMMUTABLE,
  });
  if (!original.isDraft) return original;
  throw new ToolError("invalid_arguments", "This is a draft, which cannot be answered or forwarded. Send it instead.");
}

/** Everybody a letter goes to. Who answers a message of their own writes to those whom that went to. */
async function peopleOf(input: Letter, original: Message, graph: Graph): Promise<People> {
  const added = named(input);
  if (input.mode === "forward") return added;
  const own = await ownAddresses(graph);
  const isOwn = (recipient: Recipient) => own.includes(addressOf(recipient).toLowerCase());
  const { from, replyTo, toRecipients, ccRecipients } = original;
  const author = replyTo?.length ? replyTo : [from ?? {}];
  const mine = isOwn(from ?? {});
  const everybody = input.mode === "reply_all";
  const to = [...(mine ? [] : author), ...(mine || everybody ? (toRecipients ?? []) : [])];
  const cc = everybody ? (ccRecipients ?? []) : [];
  const others = (recipients: readonly Recipient[]) => recipients.filter((recipient) => mine || !isOwn(recipient));
  return { to: [...others(to), ...added.to], cc: [...others(cc), ...added.cc], bcc: added.bcc };
}

async function aboutLetter(input: Letter, graph: Graph): Promise<string> {
  const { mode, message_id, subject = "", body = "" } = input;
  if (mode === undefined || message_id === undefined) {
    const facts = [`Subject: ${line(subject) || "none"}`, preview(body)];
    return question(graph, { title: "Send this mail?", people: named(input), facts });
  }
  const original = await readOriginal(message_id, graph);
  const people = await peopleOf(input, original, graph);
  const topic = line(original.subject ?? "") || "a message without a subject";
  const forward = mode === "forward";
  return question(graph, {
    title: forward ? "Forward this message?" : "Send this answer?",
    people,
    facts: [
      subject && `Subject: ${line(subject)}`,
      `${forward ? "Forwards" : "Answers"}: ${topic}`,
      forward ? await attachmentsOf(message_id, graph) : "",
      preview(body),
      "Below it the whole thread is quoted.",
    ],
  });
}

async function aboutDraft(id: string, { graph, extractText }: Pick<ToolContext, "graph" | "extractText">) {
  const draft = await graph.get<Message>(path`/me/messages/${id}`, {
    query: { $select: DRAFT },
    headers: prefer({ text: true, immutableIds: true }),
  });
  if (!draft.isDraft) {
    throw new ToolError("invalid_arguments", "This message is no draft. Use mode reply, reply_all or forward.");
  }
  const { from, replyTo, toRecipients, ccRecipients, bccRecipients, subject, changeKey } = draft;
  const author = addressOf(from ?? {});
  const own = (await ownAddresses(graph)).includes(author.toLowerCase());
  const message = await question(graph, {
    title: "Send this draft?",
    people: { to: toRecipients ?? [], cc: ccRecipients ?? [], bcc: bccRecipients ?? [] },
    facts: [
      author && !own ? await recipientsNotice(graph, [author], "From") : "",
      await recipientsNotice(graph, (replyTo ?? []).map(addressOf), "Answers go to"),
      `Subject: ${line(subject ?? "") || "none"}`,
      await attachmentsOf(id, graph),
      preview(await extractText(bodyFile(draft.body))),
    ],
  });
  return { message, version: changeKey ?? undefined };
}

/** A line that names what is attached; empty when nothing is. */
async function attachmentsOf(id: string, graph: Graph): Promise<string> {
  const { value, ...page } = await graph.get<GraphCollection<Attachment>>(path`/me/messages/${id}/attachments`, {
    query: { $select: "name", $top: MAX_ATTACHMENTS },
    headers: IMMUTABLE,
  });
  const names = value.map(({ name }) => line(name ?? "") || "without a name");
  const more = page["@odata.nextLink"] === undefined ? "" : ", and more";
  return names.length > 0 ? `Attachments: ${names.join(", ")}${more}` : "";
}

interface Sending {
  readonly title: string;
  readonly people: People;
  /** What is sent, line by line. */
  readonly facts: readonly string[];
}

/** What the person is asked before something is sent. Throws {@link ToolError} where nobody would get it. */
async function question(graph: Graph, { title, people, facts }: Sending): Promise<string> {
  const { to, cc, bcc } = people;
  if ([...to, ...cc, ...bcc].length === 0) {
    throw new ToolError("invalid_arguments", "There is no recipient. Give an address in to, cc or bcc.");
  }
  const recipients = [
    await recipientsNotice(graph, to.map(addressOf)),
    await recipientsNotice(graph, cc.map(addressOf), "Cc"),
    await recipientsNotice(graph, bcc.map(addressOf), "Bcc"),
  ];
  return [title, ...recipients, ...facts].filter(Boolean).join("\n");
}

export default [createDraft, sendMail, updateMessage];
