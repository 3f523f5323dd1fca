import { existsSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ChatMessage } from "../../emulators/chat.ts";
import { createCrowdedMailbox, createMailboxes } from "../../emulators/contoso/mail.ts";
import { people } from "../../emulators/contoso/users.ts";
import { exchangeId, type Mailbox } from "../../emulators/mailbox.ts";
import type { Task, TaskList } from "../../emulators/todo.ts";
import type { McpClient } from "../support/mcp-clients.ts";
import { connectAs } from "../support/outside-traffic.ts";
import { YES } from "../support/rounds.ts";
import { type Stack, startStack } from "../support/stack.ts";

const MB = 1024 * 1024;
const SPRING = "19:2da4c29f6d7041eca70b638b43d45437@thread.v2";
const IDEAS = { drive_id: "b!ADeleVance-OneDrive_0001", item_id: `01ADEL${"8".padStart(28, "0")}` };
const LOG_OF_50_MB = { drive_id: "b!ADeleVance-OneDrive_0001", item_id: `01ADEL${"13".padStart(28, "0")}` };
const LONG = exchangeId("AAkALgA", "long");
const DRAFT = exchangeId("AAkALgA", "long draft");

let stack: Stack;
let adele: McpClient;
let questions: string[] = [];
/** MiB that the server held before it met any of this. */
let before: number;
beforeAll(async () => {
  stack = await startStack("easy-auth", { ALLOW_WRITES: "true", TOOLSETS: "mail,calendar,files,tasks,teams" });
  adele = await connectAs(stack, "AdeleV", {
    elicit({ message }) {
      questions.push(message);
      return YES;
    },
  });
  fillMailbox();
  fillChats();
  fillTasks();
  // So that its worker runs and its caches are warm.
  for (let calls = 0; calls < 10; calls += 1) await adele.call("read_file", IDEAS);
  before = peak();
});
afterAll(async () => {
  await adele.close();
  await stack.close();
});

/** 100,000 messages, and before them two whose bodies are 2 MB long. */
function fillMailbox(): void {
  const { messages } = createMailboxes().get(people.normal.id) as Mailbox;
  const [template] = messages;
  if (!template) throw new Error("Adele has no mail.");
  const content = "A line of a very long message, and so on.\n".repeat((2 * MB) / 42);
  const long = { ...template, id: LONG, quoted: "", body: { contentType: "text", content } as const, attachments: [] };
  const own = [long, { ...long, id: DRAFT, isDraft: true }];
  const crowd = createCrowdedMailbox(100_000);
  stack.tenant.mailboxes.set(people.normal.id, {
    ...crowd,
    messages: {
      *[Symbol.iterator]() {
        yield* own;
        yield* crowd.messages;
      },
    },
  });
}

/** A chat of 2,000 messages as long as Teams takes them, among 2,000 chats. */
function fillChats(): void {
  const chats = stack.tenant.chats;
  const chat = chats.find(({ id }) => id === SPRING);
  const [template] = chat?.messages.filter(({ event, deleted }) => event === undefined && !deleted) ?? [];
  if (!chat || !template) throw new Error("Adele has no chat.");
  const body = { contentType: "text", content: "So much to say. ".repeat(1_750) } as const;
  const message = (index: number): ChatMessage => ({ ...template, id: String(1_700_000_000_000 + index), body });
  chats.push(...Array.from({ length: 2_000 }, (_, index) => ({ ...chat, id: `19:${index}@thread.v2`, messages: [] })));
  chat.messages.splice(0, chat.messages.length, ...Array.from({ length: 2_000 }, (_, index) => message(index)));
}

/** 300 lists, the default one with 2,000 tasks whose notes are 10,000 characters long. */
function fillTasks(): void {
  const lists = stack.tenant.taskLists.get(people.normal.id) ?? [];
  const [list] = lists;
  const [template] = list?.tasks ?? [];
  if (!list || !template) throw new Error("Adele has no tasks.");
  const task = (index: number): Task => ({
    ...template,
    id: `${template.id}${index}`,
    note: "Remember. ".repeat(1_000),
  });
  list.tasks.push(...Array.from({ length: 2_000 }, (_, index) => task(index)));
  const another = (index: number): TaskList => ({ ...list, id: `l${index}`, wellKnownName: "none", tasks: [] });
  lists.push(...Array.from({ length: 300 }, (_, index) => another(index)));
}

/** The most memory that the server's process ever held, in MiB; Linux tells. */
function peak(): number {
  const status = `/proc/${stack.server.pid}/status`;
  return existsSync(status) ? Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(status, "utf8"))?.[1]) / 1024 : 0;
}

const CALLS: readonly [what: string, tool: string, args: Record<string, unknown>, bytes: number][] = [
  ["100,000 messages", "search_messages", { limit: 25 }, 25_000],
  ["a body of 2 MB", "get_message", { message_id: LONG, max_chars: 20_000 }, 25_000],
  ["an answer to 2 MB", "create_draft", { mode: "reply", message_id: LONG, body: "Fine." }, 1_000],
  ["a draft of 2 MB", "send_mail", { mode: "draft", message_id: DRAFT }, 200],
  ["a file of 50 MB", "read_file", { ...LOG_OF_50_MB, max_chars: 20_000 }, 25_000],
  ["2,000 long messages", "list_chat_messages", { chat_id: SPRING, limit: 25 }, 30_000],
  ["2,000 chats", "list_chats", { limit: 50 }, 40_000],
  ["300 lists, 2,000 long notes", "list_tasks", { limit: 50 }, 100_000],
];

test.each(CALLS)("%s: the result of %s is of the promised size", async (_what, tool, args, bytes) => {
  questions = [];
  const result = await adele.callMarked(tool, args);

  expect(result.isError).toBeUndefined();
  expect(Buffer.byteLength(JSON.stringify(result.structuredContent))).toBeLessThan(bytes);
  for (const question of questions) expect(question.length).toBeLessThan(1_000);
});

test("all of it again and again, at the same time, takes a bounded memory", async () => {
  fillMailbox();
  for (let round = 0; round < 10; round += 1) {
    const calls = CALLS.filter(([, tool]) => tool !== "send_mail");
    const results = await Promise.all(calls.map(([, tool, args]) => adele.call(tool, args)));
    expect(results.map(({ isError }) => isError)).toEqual(calls.map(() => undefined));
  }
  expect(peak() - before).toBeLessThan(300);
}, 60_000);
