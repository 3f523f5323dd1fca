import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createMailboxes } from "../../emulators/contoso/mail.ts";
import { people } from "../../emulators/contoso/users.ts";
import { exchangeId, type MailMessage, standardFolderIds } from "../../emulators/mailbox.ts";
import { auditLine } from "../support/audit-lines.ts";
import { failureOf } from "../support/failures.ts";
import type { FormAnswer, McpClient } from "../support/mcp-clients.ts";
import { connectAs, watch } from "../support/outside-traffic.ts";
import { createRounds, YES } from "../support/rounds.ts";
import { type Stack, startStack } from "../support/stack.ts";
import { startWireTap, type WireTap } from "../support/wire-tap.ts";

const PREFER = 'IdType="ImmutableId"';
const ORIGINAL = "?$select=subject,isDraft,from,replyTo,toRecipients,ccRecipients";
const DRAFT = "?$select=subject,isDraft,changeKey,from,replyTo,toRecipients,ccRecipients,bccRecipients,body";
const ATTACHMENTS = "/attachments?$select=name&$top=50";
const REPLIED = "RE: Spring launch budget";
const DRAFTED = "Project Alpine: questions";

let stack: Stack;
let tap: WireTap;
let adele: McpClient;
let questions: string[] = [];
let answer: () => FormAnswer = () => YES;

beforeAll(async () => {
  stack = await startStack("easy-auth", { ALLOW_WRITES: "true", TOOLSETS: "mail", CALLS_PER_MINUTE: "6000" });
  tap = startWireTap();
  adele = await connectAs(stack, "AdeleV", {
    elicit({ message }) {
      questions.push(message);
      return answer();
    },
  });
  // Her own addresses are remembered from here on.
  await adele.call("create_draft", { mode: "reply", message_id: idOf(REPLIED) });
});
afterAll(async () => {
  tap.stop();
  await adele.close();
  await stack.close();
});
beforeEach(() => {
  questions = [];
  answer = () => YES;
  for (const [id, mailbox] of createMailboxes()) stack.tenant.mailboxes.set(id, mailbox);
});
afterEach(() => stack.graph.traffic.recover());

const mail = (): MailMessage[] => [...(stack.tenant.mailboxes.get(people.normal.id)?.messages ?? [])];
const inFolder = (name: keyof typeof standardFolderIds) =>
  mail().filter(({ folder }) => folder === standardFolderIds[name]);

function idOf(subject: string): string {
  return mail().find((message) => message.subject === subject)?.id ?? "";
}

/** Somebody changes a message of Adele's, in Outlook for example. */
function change(subject: string, properties: Partial<MailMessage>): void {
  const folders = stack.tenant.mailboxes.get(people.normal.id)?.folders ?? [];
  const messages = mail();
  const index = messages.findIndex((message) => message.subject === subject);
  const message = messages[index];
  if (message) messages[index] = { ...message, ...properties, version: message.version + 1 };
  stack.tenant.mailboxes.set(people.normal.id, { folders, messages });
}

/** The result of a call, its requests to Graph, and those of them that were not reads. */
async function watchCall(name: string, args: Record<string, unknown>, client = adele) {
  tap.clear();
  const { result, traffic } = await watch(stack, () => client.call(name, args));
  const changes = tap.requests
    .filter(({ method, url }) => method !== "GET" && url.startsWith("/v1.0/"))
    .map(({ method, url, headers, body }) => ({
      request: `${method} ${decodeURIComponent(url)}`,
      prefer: headers["prefer"],
      body: body() === "" ? undefined : (JSON.parse(body()) as unknown),
    }));
  return { result, graph: traffic.graph.map(decodeURIComponent), changes };
}

const address = (text: string, name?: string) => ({ emailAddress: { ...(name && { name }), address: text } });
const addressesIn = (list: MailMessage["to"] | undefined) => list?.map((person) => person.address);

const BAD_ID = "An id in the arguments is not valid. Use an id from an earlier result.";

const HOSTILE_IDS = [
  ["a climb", "../mailFolders", "..%2FmailFolders"],
  ["an encoded climb", "%2e%2e/drafts", "%252e%252e%2Fdrafts"],
  ["another path", "x/send", "x%2Fsend"],
  ["a query", "x?$select=body", "x%3F%24select%3Dbody"],
  ["a fragment", "x#y", "x%23y"],
  ["base64", "AAk+/x==", "AAk%2B%2Fx%3D%3D"],
] as const;

describe("create_draft", () => {
  test("saves a new draft with one request and no question, and sends nothing", async () => {
    const { result, graph, changes } = await watchCall("create_draft", {
      to: ["LeeG@contoso.com"],
      cc: ["kim@fabrikam.com"],
      subject: "Lunch",
      body: "At <noon>?\nAdele",
    });

    const [draft] = inFolder("drafts");
    expect(result.structuredContent).toEqual({
      id: draft?.id,
      web_link: expect.stringMatching(/^https:\/\/outlook\.office365\.com\/owa\/\?ItemID=AAkALgA/),
    });
    expect(draft).toMatchObject({ subject: "Lunch", isDraft: true });
    expect(graph).toEqual(["POST /v1.0/me/messages"]);
    expect(changes).toEqual([
      {
        request: "POST /v1.0/me/messages",
        prefer: PREFER,
        body: {
          subject: "Lunch",
          body: { contentType: "text", content: "At <noon>?\nAdele" },
          toRecipients: [address("LeeG@contoso.com")],
          ccRecipients: [address("kim@fabrikam.com")],
          bccRecipients: [],
        },
      },
    ]);
    expect(inFolder("sentitems")).toHaveLength(1);
    expect(questions).toEqual([]);
  });

  test("answers to the author, with the text above the thread, as text", async () => {
    const id = idOf(REPLIED);
    const { result, graph, changes } = await watchCall("create_draft", {
      mode: "reply",
      message_id: id,
      body: "Thanks <b>Lee</b> & all,\r\n\nAdele",
    });

    const [draft] = inFolder("drafts");
    expect(result.structuredContent).toMatchObject({ id: draft?.id });
    expect(graph).toEqual([
      `GET /v1.0/me/messages/${id}${ORIGINAL}`,
      `POST /v1.0/me/messages/${id}/createReply`,
      `PATCH /v1.0/me/messages/${draft?.id}`,
    ]);
    expect(changes).toEqual([
      { request: `POST /v1.0/me/messages/${id}/createReply`, prefer: PREFER, body: undefined },
      {
        request: `PATCH /v1.0/me/messages/${draft?.id}`,
        prefer: PREFER,
        body: {
          body: {
            contentType: "html",
            content: expect.stringMatching(
              /^<html><head><\/head><body><div>Thanks &lt;b&gt;Lee&lt;\/b&gt; &amp; all,<br><br>Adele<\/div>.*revised numbers.*<\/body><\/html>$/s,
            ),
          },
          toRecipients: [address("LeeG@contoso.com", "Lee Gu")],
          ccRecipients: [],
          bccRecipients: [],
        },
      },
    ]);
    expect(draft).toMatchObject({ subject: REPLIED, isDraft: true });
    expect(draft?.conversationId).toBe(mail().find((message) => message.id === id)?.conversationId);
  });

  test("answers to all but oneself, and to whoever is added, under another subject if there is one", async () => {
    await adele.call("create_draft", {
      mode: "reply_all",
      message_id: idOf(REPLIED),
      to: ["BenW@contoso.com"],
      bcc: ["kim@fabrikam.com"],
      subject: "Budget: done",
    });

    const [draft] = inFolder("drafts");
    expect(draft?.subject).toBe("Budget: done");
    expect(addressesIn(draft?.to)).toEqual(["LeeG@contoso.com", "BenW@contoso.com"]);
    expect(addressesIn(draft?.cc)).toEqual(["MiriamG@contoso.com", "AlexW@contoso.com"]);
    expect(addressesIn(draft?.bcc)).toEqual(["kim@fabrikam.com"]);
  });

  test("keeps nothing that nobody sees, also in the subject of an answer", async () => {
    const args = { mode: "reply", message_id: idOf(REPLIED), subject: "Re:\u200b A\nB", body: "Fine\u{e0041}\u202e." };
    const { changes } = await watchCall("create_draft", args);

    expect(changes[1]?.body).toMatchObject({
      subject: "Re: A B",
      body: { content: expect.stringContaining("<div>Fine.</div>") },
    });
  });

  test("answers to where the author wants answers", async () => {
    change(REPLIED, { replyTo: [{ name: "Desk", address: "desk@fabrikam.com" }] });
    await adele.call("create_draft", { mode: "reply", message_id: idOf(REPLIED) });

    expect(addressesIn(inFolder("drafts")[0]?.to)).toEqual(["desk@fabrikam.com"]);
  });

  test.each([
    ["reply", ["LeeG@contoso.com"], []],
    ["reply_all", ["LeeG@contoso.com"], ["MiriamG@contoso.com"]],
  ])("with %s to a message of one's own writes to those whom that went to", async (mode, to, cc) => {
    await adele.call("create_draft", { mode, message_id: inFolder("sentitems")[0]?.id });

    const [draft] = inFolder("drafts");
    expect([addressesIn(draft?.to), addressesIn(draft?.cc)]).toEqual([to, cc]);
  });

  test("forwards with the attachments, and may leave open to whom", async () => {
    await adele.call("create_draft", { mode: "forward", message_id: idOf(REPLIED), body: "See below" });

    const [draft] = inFolder("drafts");
    expect(draft).toMatchObject({ subject: "FW: Spring launch budget", to: [] });
    expect(draft?.attachments.map(({ name }) => name)).toEqual(["budget.csv", "approval.pdf"]);
    expect(draft?.body.content).toMatch(/^<div>See below<\/div>.*revised numbers/s);
  });

  test("a text above a page that names no body is above all of it", async () => {
    const id = idOf(REPLIED);
    const reply = { id: "AAk", body: { contentType: "html", content: "<p>quoted $& $1</p>" } };
    stack.graph.traffic.fail({ kind: "status", status: 201, body: reply }, { times: 1, path: /createReply/ });
    const { changes } = await watchCall("create_draft", { mode: "reply", message_id: id, body: "It costs $1" });

    expect(changes[1]?.body).toMatchObject({ body: { content: "<div>It costs $1</div><p>quoted $& $1</p>" } });
  });

  test("a draft itself is not answered", async () => {
    const { result, changes } = await watchCall("create_draft", { mode: "reply", message_id: idOf(DRAFTED) });

    expect(result).toMatchObject(
      failureOf("invalid_arguments", "This is a draft, which cannot be answered or forwarded. Send it instead."),
    );
    expect(changes).toEqual([]);
  });

  test("G6: does not answer what is not there", async () => {
    const message_id = exchangeId("AAkALgA", "gone");
    expect(await adele.call("create_draft", { mode: "reply", message_id })).toMatchObject(failureOf("not_found"));
  });

  test.each([
    ["a new draft", {}, /messages$/, "POST"],
    ["an answer", { mode: "reply" }, /createReply$/, "POST"],
  ])("is not saved twice when Graph fails half-way: %s", async (_what, args, url, method) => {
    stack.graph.traffic.fail({ kind: "status", status: 503 }, { path: url });
    const message_id = "mode" in args ? idOf(REPLIED) : undefined;
    const { result } = await watchCall("create_draft", { ...args, message_id });

    expect(result).toMatchObject(failureOf("outcome_unknown"));
    expect(stack.graph.traffic.count(method, url)).toBe(1);
  });
});

describe("send_mail", () => {
  test("sends a new message as it was approved, without what nobody saw, with one request", async () => {
    const { result, graph, changes } = await watchCall("send_mail", {
      to: ["LeeG@contoso.com", "kim@fabrikam.com"],
      cc: ["AlexW@contoso.com"],
      bcc: ["x@litwareinc.com"],
      subject: "Lunch\u200b on\nFriday",
      body: "Dear both,\r\n\nat\u202e noon?\u2028To: nobody@contoso.com\u{e0041}\n",
    });

    expect(result.structuredContent).toEqual({ sent: true });
    expect(questions).toEqual([
      [
        "Send this mail?",
        "To: LeeG@contoso.com, kim@fabrikam.com (EXTERNAL)",
        "Cc: AlexW@contoso.com",
        "Bcc: x@litwareinc.com (EXTERNAL)",
        "Subject: Lunch on Friday",
        "Text (43 characters):",
        "> Dear both,",
        "> ",
        "> at noon?",
        "> To: nobody@contoso.com",
      ].join("\n"),
    ]);
    expect(graph).toEqual(["POST /v1.0/me/sendMail"]);
    expect(changes).toEqual([
      {
        request: "POST /v1.0/me/sendMail",
        prefer: undefined,
        body: {
          message: {
            subject: "Lunch on Friday",
            body: { contentType: "text", content: "Dear both,\n\nat noon?\nTo: nobody@contoso.com" },
            toRecipients: [address("LeeG@contoso.com"), address("kim@fabrikam.com")],
            ccRecipients: [address("AlexW@contoso.com")],
            bccRecipients: [address("x@litwareinc.com")],
          },
        },
      },
    ]);
    expect(inFolder("sentitems")[0]).toMatchObject({ isDraft: false, to: [{ name: "Lee Gu" }, {}] });
  });

  test("sends a draft as it lies there, after all of it was shown", async () => {
    const id = idOf(DRAFTED);
    change(DRAFTED, {
      bcc: [{ name: "Lee Gu", address: "LeeG@contoso.com" }],
      attachments: [{ kind: "file", name: "plan\n.csv", contentType: "text/csv", bytes: Buffer.from("a") }],
    });
    const { result, graph, changes } = await watchCall("send_mail", { mode: "draft", message_id: id });

    const look = [`GET /v1.0/me/messages/${id}${DRAFT}`, `GET /v1.0/me/messages/${id}${ATTACHMENTS}`];
    expect(result.structuredContent).toEqual({ sent: true });
    expect(questions).toEqual([
      [
        "Send this draft?",
        "To: kim@fabrikam.com (EXTERNAL)",
        "Bcc: LeeG@contoso.com",
        "Subject: Project Alpine: questions",
        "Attachments: plan .csv",
        "Text (25 characters):",
        "> Kim, what about clause 7?",
      ].join("\n"),
    ]);
    expect(graph).toEqual([...look, ...look, `POST /v1.0/me/messages/${id}/send`]);
    expect(changes).toEqual([{ request: `POST /v1.0/me/messages/${id}/send`, prefer: undefined, body: undefined }]);
    expect(inFolder("drafts")).toEqual([]);
    expect(inFolder("sentitems")[0]).toMatchObject({ id, subject: DRAFTED });
  });

  test("answers those who were shown, as a draft that is sent", async () => {
    const id = idOf("Project Alpine: contract");
    const { result, graph } = await watchCall("send_mail", { mode: "reply", message_id: id, body: "Fine." });

    expect(result.structuredContent).toEqual({ sent: true });
    expect(questions).toEqual([
      [
        "Send this answer?",
        "To: kim@fabrikam.com (EXTERNAL)",
        "Answers: Project Alpine: contract",
        "Text (5 characters):",
        "> Fine.",
        "Below it the whole thread is quoted.",
      ].join("\n"),
    ]);
    const [sent] = inFolder("sentitems");
    const look = `GET /v1.0/me/messages/${id}${ORIGINAL}`;
    expect(graph).toEqual([
      look,
      look,
      look,
      `POST /v1.0/me/messages/${id}/createReply`,
      `PATCH /v1.0/me/messages/${sent?.id}`,
      `POST /v1.0/me/messages/${sent?.id}/send`,
    ]);
    expect(addressesIn(sent?.to)).toEqual(["kim@fabrikam.com"]);
    expect(sent?.body.content).toMatch(/^<div>Fine\.<\/div>.*clause 7 below/s);
    expect(inFolder("drafts")).toHaveLength(1);
  });

  test("forwards with the attachments that were shown", async () => {
    await adele.call("send_mail", {
      mode: "forward",
      message_id: idOf(REPLIED),
      to: ["kim@fabrikam.com"],
      subject: "B",
    });

    expect(questions).toEqual([
      [
        "Forward this message?",
        "To: kim@fabrikam.com (EXTERNAL)",
        "Subject: B",
        "Forwards: RE: Spring launch budget",
        "Attachments: budget.csv, approval.pdf",
        "Text: none",
        "Below it the whole thread is quoted.",
      ].join("\n"),
    ]);
    const [sent] = inFolder("sentitems");
    expect(sent?.subject).toBe("B");
    expect(sent?.attachments).toHaveLength(2);
  });

  test.each<[string, FormAnswer]>([
    ["declines", { action: "decline" }],
    ["does not tick the box", { action: "accept", content: { approve: false } }],
  ])("changes nothing when the person %s", async (_what, reaction) => {
    answer = () => reaction;
    for (const args of [{ to: ["LeeG@contoso.com"] }, { mode: "reply_all", message_id: idOf(REPLIED) }]) {
      const { result, changes } = await watchCall("send_mail", args);
      expect(result).toMatchObject(failureOf("not_confirmed"));
      expect(changes).toEqual([]);
    }
  });

  test("changes nothing for a client that cannot ask", async () => {
    const client = await connectAs(stack, "AdeleV");
    const { result, changes } = await watchCall("send_mail", { to: ["LeeG@contoso.com"] }, client);
    await client.close();

    expect(result).toMatchObject(failureOf("confirmation_unavailable"));
    expect(changes).toEqual([]);
  });

  test.each<[string, Partial<MailMessage>]>([
    ["that can be seen", { to: [{ name: "", address: "thief@evil.example" }] }],
    ["beyond the start of the text", { importance: "high" }],
  ])("asks again when the draft was changed meanwhile, with a change %s", async (_what, properties) => {
    answer = () => {
      if (questions.length === 1) change(DRAFTED, properties);
      return questions.length === 1 ? YES : { action: "decline" };
    };
    const { result, changes } = await watchCall("send_mail", { mode: "draft", message_id: idOf(DRAFTED) });

    expect(questions).toHaveLength(2);
    expect(result).toMatchObject(failureOf("not_confirmed"));
    expect(changes).toEqual([]);
  });

  test("an approval counts once: the same round repeated sends nothing more", async () => {
    const round = await createRounds(stack, "send_mail", { to: ["LeeG@contoso.com"] });
    const { requestState } = await round();
    const approved = { inputResponses: { approval: YES }, requestState };

    expect((await round(approved)).structuredContent).toEqual({ sent: true });
    expect(await round(approved)).toMatchObject(failureOf("already_done"));
    expect(inFolder("sentitems")).toHaveLength(2);
  });

  test.each([
    ["a new message", { to: ["LeeG@contoso.com"] }, /sendMail$/],
    ["a draft", { mode: "draft" }, /\/send$/],
    ["an answer", { mode: "reply" }, /\/send$/],
  ])("is not repeated when Graph fails half-way: %s", async (_what, args, url) => {
    const message_id = { draft: idOf(DRAFTED), reply: idOf(REPLIED) }["mode" in args ? args.mode : ""];
    stack.graph.traffic.fail({ kind: "status", status: 503, headers: { "retry-after": "0" } }, { path: url });
    const { result } = await watchCall("send_mail", { ...args, message_id });

    expect(result).toMatchObject(
      failureOf(
        "outcome_unknown",
        "Microsoft Graph did not say whether this was done. Look whether it was before you try again, or it may be done twice.",
      ),
    );
    expect(stack.graph.traffic.count("POST", url)).toBe(1);
  });

  test("an answer that could not be completed is not sent", async () => {
    answer = () => {
      stack.graph.traffic.fail({ kind: "reset" }, { path: /createReply$/ });
      return YES;
    };
    const { result, changes } = await watchCall("send_mail", { mode: "reply", message_id: idOf(REPLIED) });

    expect(result).toMatchObject(failureOf("outcome_unknown"));
    expect(changes.map(({ request }) => request)).toEqual([`POST /v1.0/me/messages/${idOf(REPLIED)}/createReply`]);
    expect(inFolder("sentitems")).toHaveLength(1);
  });

  test("does not ask about a message that went out already, or to nobody, or to more than can be shown", async () => {
    change(DRAFTED, {
      to: Array.from({ length: 101 }, (_, index) => ({ name: "", address: `u${index}@contoso.com` })),
    });
    const draft = (message_id: string) => adele.call("send_mail", { mode: "draft", message_id });

    expect(await draft(idOf(REPLIED))).toMatchObject(
      failureOf("invalid_arguments", "This message is no draft. Use mode reply, reply_all or forward."),
    );
    expect(await draft(idOf(DRAFTED))).toMatchObject(
      failureOf("invalid_arguments", expect.stringContaining("more than 100 recipients")),
    );
    expect(await adele.call("send_mail", { subject: "Hello" })).toMatchObject(
      failureOf("invalid_arguments", "There is no recipient. Give an address in to, cc or bcc."),
    );
    expect(questions).toEqual([]);
  });
});

describe("update_message", () => {
  test("marks, flags, rates and categorises with one request", async () => {
    const id = idOf(REPLIED);
    const { result, graph, changes } = await watchCall("update_message", {
      message_id: id,
      is_read: true,
      flag: "flagged",
      importance: "low",
      categories: ["Budget"],
    });

    expect(result.structuredContent).toEqual({ id });
    expect(graph).toEqual([`PATCH /v1.0/me/messages/${id}`]);
    expect(changes).toEqual([
      {
        request: `PATCH /v1.0/me/messages/${id}`,
        prefer: PREFER,
        body: { isRead: true, flag: { flagStatus: "flagged" }, importance: "low", categories: ["Budget"] },
      },
    ]);
    expect(mail()[0]).toMatchObject({ isRead: true, flag: "flagged", importance: "low", categories: ["Budget"] });
    expect(questions).toEqual([]);
  });

  test("deletes softly: into a folder that every mailbox has, under the same id", async () => {
    const id = idOf(REPLIED);
    const { result, changes } = await watchCall("update_message", { message_id: id, folder: "Deleted Items" });

    expect(result.structuredContent).toEqual({ id });
    expect(changes).toEqual([
      { request: `POST /v1.0/me/messages/${id}/move`, prefer: PREFER, body: { destinationId: "deleteditems" } },
    ]);
    expect(inFolder("deleteditems").map(({ subject }) => subject)).toContain(REPLIED);
  });

  test("moves into a folder by its name, which is looked up once", async () => {
    const args = { message_id: idOf(REPLIED), folder: "O'Connor & Sons", is_read: true };
    const first = await watchCall("update_message", args);
    const again = await watchCall("update_message", args);

    const requests = [`PATCH /v1.0/me/messages/${args.message_id}`, `POST /v1.0/me/messages/${args.message_id}/move`];
    expect(first.graph).toEqual(["POST /v1.0/$batch", ...requests]);
    expect(again.graph).toEqual(requests);
    expect(again.result.structuredContent).toEqual({ id: args.message_id });
    expect(mail().find(({ id }) => id === args.message_id)).toMatchObject({
      folder: exchangeId("AQMkAGF", "Suppliers"),
      isRead: true,
    });
  });

  test("changes nothing when there is no such folder", async () => {
    const args = { message_id: idOf(REPLIED), is_read: true, folder: "Nowhere" };
    const { result, changes } = await watchCall("update_message", args);

    expect(result).toMatchObject(failureOf("not_found", expect.stringContaining("No mail folder has this name")));
    // The second time without what is remembered: it might be there by now.
    expect(changes.map(({ request }) => request)).toEqual(["POST /v1.0/$batch", "POST /v1.0/$batch"]);
  });

  test("finds a folder that was made after it was missing", async () => {
    const args = { message_id: idOf(REPLIED), folder: "Late" };
    expect((await watchCall("update_message", args)).result.isError).toBe(true);
    const { folders = [], messages = [] } = stack.tenant.mailboxes.get(people.normal.id) ?? {};
    const [some] = folders;
    if (!some) throw new Error("The mailbox has no folder to copy.");
    const made = { ...some, id: exchangeId("AQMkAGF", "Late"), displayName: "Late" };
    stack.tenant.mailboxes.set(people.normal.id, { folders: [...folders, made], messages });

    expect((await watchCall("update_message", args)).result.isError).toBeFalsy();
    expect(mail().find(({ id }) => id === args.message_id)?.folder).toBe(exchangeId("AQMkAGF", "Late"));
  });

  test.each([
    [{ is_read: true }, /messages\/[^/]+$/],
    [{ folder: "archive" }, /move$/],
  ])("does %j again when Graph fails half-way, since that does no harm", async (args, url) => {
    stack.graph.traffic.fail({ kind: "status", status: 503, headers: { "retry-after": "0" } }, { times: 1, path: url });
    const { result, changes } = await watchCall("update_message", { message_id: idOf(REPLIED), ...args });

    expect(result.structuredContent).toEqual({ id: idOf(REPLIED) });
    expect(changes).toHaveLength(2);
  });

  test("G6: says that a message is gone", async () => {
    const message_id = exchangeId("AAkALgA", "gone");
    expect(await adele.call("update_message", { message_id, is_read: true })).toMatchObject(failureOf("not_found"));
  });
});

test.each<[string, string, Record<string, unknown>, string]>([
  ["create_draft", "an id alone", { message_id: "AAk" }, "mode: mode and message_id go together"],
  ["create_draft", "a mode alone", { mode: "reply" }, "mode: mode and message_id go together"],
  ["create_draft", "a mode of another tool", { mode: "draft", message_id: "AAk" }, "mode: Invalid option"],
  ["create_draft", "a name", { to: ["Lee Gu"] }, "to.0: Use addresses such as ann@contoso.com"],
  [
    "create_draft",
    "two addresses in one",
    { to: ["lee@contoso.com,kim@fabrikam.com"] },
    "to.0: Use addresses such as ann@contoso.com",
  ],
  [
    "create_draft",
    "a name with an address",
    { cc: ["Lee <lee@contoso.com>"] },
    "cc.0: Use addresses such as ann@contoso.com",
  ],
  ["create_draft", "20,001 characters", { body: "x".repeat(20_001) }, "body: Too big"],
  [
    "send_mail",
    "an invisible character",
    { to: ["kim\u200b@fabrikam.com"] },
    "to.0: Use addresses such as ann@contoso.com",
  ],
  [
    "send_mail",
    "a letter shown as nothing",
    { bcc: ["kim@fabrikam.com\u3164"] },
    "bcc.0: Use addresses such as ann@contoso.com",
  ],
  ["send_mail", "51 addresses", { to: Array.from({ length: 51 }, () => "a@b.c") }, "to: Too big"],
  [
    "send_mail",
    "people for a draft",
    { mode: "draft", message_id: "AAk", to: ["a@b.c"] },
    "mode: A draft is sent as it is",
  ],
  [
    "send_mail",
    "a text for a draft",
    { mode: "draft", message_id: "AAk", body: "Hi" },
    "mode: A draft is sent as it is",
  ],
  ["send_mail", "an approval by the model", { to: ["a@b.c"], confirm: true }, 'Unrecognized key: "confirm"'],
  ["update_message", "no change", { message_id: "AAk" }, "Say what to change"],
  ["update_message", "a folder without a name", { message_id: "AAk", folder: " " }, "folder: Too small"],
  ["update_message", "a long category", { message_id: "AAk", categories: ["x".repeat(256)] }, "categories.0: 1 to 255"],
])("%s refuses %s before Graph is asked", async (name, _what, args, text) => {
  const { result, graph } = await watchCall(name, args);

  expect(result).toMatchObject(failureOf("invalid_arguments", expect.stringContaining(text)));
  expect(graph).toEqual([]);
  expect(questions).toEqual([]);
});

describe.each<[string, Record<string, unknown>, string]>([
  ["create_draft", { mode: "reply" }, "GET"],
  ["send_mail", { mode: "draft" }, "GET"],
  ["send_mail", { mode: "forward", to: ["a@b.c"] }, "GET"],
  ["update_message", { is_read: true }, "PATCH"],
])("%s %j", (name, args, method) => {
  test.each(HOSTILE_IDS)("takes %s as an id that is in one place of the path", async (_what, message_id, segment) => {
    const { result, traffic } = await watch(stack, () => adele.call(name, { ...args, message_id }));

    expect(result).toMatchObject(failureOf("invalid_arguments"));
    expect(traffic.graph.map((line) => line.split("?")[0])).toEqual([`${method} /v1.0/me/messages/${segment}`]);
  });

  test.each(["", "..", ".", "a\uD800"])("refuses the id %j before Graph is asked", async (message_id) => {
    const { result, graph } = await watchCall(name, { ...args, message_id });

    expect(result).toMatchObject(failureOf("invalid_arguments", BAD_ID));
    expect(graph).toEqual([]);
  });
});

test("a user without the role can neither see nor call them, and that is audited", async () => {
  const diego = await connectAs(stack, "DiegoS", { elicit: () => YES });
  const listed = await diego.listTools();
  const calls: [string, Record<string, unknown>][] = [
    ["create_draft", { to: ["LeeG@contoso.com"] }],
    ["send_mail", { to: ["LeeG@contoso.com"] }],
    ["update_message", { message_id: "AAk", is_read: true }],
  ];
  expect(listed.map(({ name }) => name)).toEqual(["search_messages", "get_message", "get_message_attachment"]);
  for (const [name, args] of calls) {
    const { result, graph } = await watchCall(name, args, diego);
    expect(result).toMatchObject(failureOf("forbidden"));
    expect(graph).toEqual([]);
    const { requestId } = (result._meta?.["azure-graph-mcp/error"] ?? {}) as { requestId?: string };
    expect(await auditLine(stack, requestId)).toMatchObject({ tool: name, decision: "denied", reason: "forbidden" });
  }
  await diego.close();
});
