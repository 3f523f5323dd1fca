import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createMailboxes } from "../../emulators/contoso/mail.ts";
import { people } from "../../emulators/contoso/users.ts";
import { defaultSwitches } from "../../emulators/graph/switches.ts";
import { exchangeId, type MailMessage } from "../../emulators/mailbox.ts";
import { type GraphBody, type GraphFixture, problem, startGraphFixture } from "./graph-fixture.ts";

const IMMUTABLE = { Prefer: 'IdType="ImmutableId"' };

let fixture: GraphFixture;
beforeAll(async () => {
  fixture = await startGraphFixture();
});
afterAll(() => fixture.close());
beforeEach(() => {
  for (const [id, mailbox] of createMailboxes()) fixture.tenant.mailboxes.set(id, mailbox);
});
afterEach(() => {
  Object.assign(fixture.graph.switches, defaultSwitches);
});

interface Sent {
  readonly headers?: Readonly<Record<string, string>>;
  readonly scp?: string;
}

/** Sends as Adele, with every permission for mail unless told otherwise, and reads what comes back. */
async function send(method: string, path: string, body?: unknown, { headers = IMMUTABLE, scp }: Sent = {}) {
  const token = await fixture.sign({ scp: scp ?? "Mail.ReadWrite Mail.Send" });
  const response = await fetch(`${fixture.graph.origin}/v1.0${path}`, {
    method,
    headers: {
      Authorization: `Bearer ${token}`,
      ...headers,
      ...(body !== undefined && { "Content-Type": "application/json" }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: (text && JSON.parse(text)) as GraphBody };
}

async function list(path: string, oid = people.normal.id): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const { body } = await fixture.get(path, { claims: { scp: "Mail.Read", oid }, headers: IMMUTABLE });
  return body.value ?? [];
}

/** Id of Adele's message with this subject. */
async function idOf(subject: string, folder = "/me/messages"): Promise<string> {
  const found = (await list(`${folder}?$top=50`)).find((message) => message["subject"] === subject);
  if (!found) throw new Error(`There is no message ${subject}.`);
  return String(found["id"]);
}

/** Writes Adele's newest message anew and returns its id. */
function rewrite(properties: Partial<MailMessage>): string {
  const mailbox = fixture.tenant.mailboxes.get(people.normal.id);
  const [first, ...rest] = mailbox?.messages ?? [];
  if (!mailbox || !first) throw new Error("Adele has no mail.");
  fixture.tenant.mailboxes.set(people.normal.id, { ...mailbox, messages: [{ ...first, ...properties }, ...rest] });
  return first.id;
}

const message = (id: unknown) => `/me/messages/${encodeURIComponent(String(id))}`;

const addresses = (recipients: unknown) =>
  (recipients as { emailAddress: { address: string } }[]).map(({ emailAddress }) => emailAddress.address);

const to = (...list: string[]) => list.map((address) => ({ emailAddress: { address } }));

const REPLIED = "RE: Spring launch budget";
const PEOPLE = [
  { name: "Miriam Graham", address: "MiriamG@contoso.com" },
  { name: "Alex Wilber", address: "AlexW@contoso.com" },
];

describe("a draft", () => {
  test("G51: is created with 201, lies in Drafts and names its people as the directory does", async () => {
    const { status, body } = await send("POST", "/me/messages", {
      subject: "Lunch",
      body: { contentType: "text", content: "At noon?" },
      toRecipients: to("leeg@contoso.com", "kim@fabrikam.com"),
      bccRecipients: to("AlexW@contoso.com"),
    });

    expect(status).toBe(201);
    expect(body).toMatchObject({
      subject: "Lunch",
      isDraft: true,
      isRead: true,
      bodyPreview: "At noon?",
      from: { emailAddress: { name: "Adele Vance", address: "AdeleV@contoso.com" } },
      toRecipients: [
        { emailAddress: { name: "Lee Gu", address: "LeeG@contoso.com" } },
        { emailAddress: { name: "kim@fabrikam.com", address: "kim@fabrikam.com" } },
      ],
      bccRecipients: [{ emailAddress: { name: "Alex Wilber", address: "AlexW@contoso.com" } }],
    });
    expect((await list("/me/mailFolders/drafts/messages")).map(({ subject }) => subject)).toEqual([
      "Lunch",
      "Project Alpine: questions",
    ]);
  });

  test("is changed with 200, and each change makes another change key and eTag", async () => {
    const id = await idOf("Project Alpine: questions");
    const before = (await send("GET", message(id))).body;
    const first = await send("PATCH", message(id), { subject: "Alpine" });
    const second = await send("PATCH", message(id), { subject: "Alpine" });
    const keys = [before, first.body, second.body].map(({ changeKey }) => changeKey);

    expect([first.status, first.body["id"], first.body["subject"]]).toEqual([200, id, "Alpine"]);
    expect(new Set(keys).size).toBe(3);
    expect(first.body["@odata.etag"]).toBe(`W/"${String(first.body["changeKey"])}"`);
    expect((await send("GET", message(id))).body["changeKey"]).toBe(keys[2]);
  });

  test("that is HTML is kept without the frame in which it is shown", async () => {
    const id = await idOf("Project Alpine: questions");
    const frame = "<html><head></head><body><div>Hi</div></body></html>";
    const { body } = await send("PATCH", message(id), { body: { contentType: "html", content: frame } });

    expect(body["body"]).toEqual({ contentType: "html", content: frame });
  });

  test("G51: is sent with 202 and no body, leaves Drafts for Sent Items and reaches the inbox of a colleague", async () => {
    const { body } = await send("POST", "/me/messages", {
      subject: "Lunch",
      toRecipients: to("DiegoS@contoso.com"),
      bccRecipients: to("kim@fabrikam.com"),
    });
    const { status, body: answer } = await send("POST", `${message(body["id"])}/send`);

    expect([status, answer]).toEqual([202, ""]);
    expect(await list("/me/mailFolders/drafts/messages")).toHaveLength(1);
    expect((await list("/me/mailFolders/sentitems/messages"))[0]).toMatchObject({
      id: body["id"],
      subject: "Lunch",
      isDraft: false,
      bccRecipients: [{ emailAddress: { address: "kim@fabrikam.com" } }],
    });
    expect((await list("/me/mailFolders/inbox/messages", people.noRole.id))[0]).toMatchObject({
      subject: "Lunch",
      isRead: false,
      isDraft: false,
      bccRecipients: [],
    });
  });

  test("G44: keeps its immutable id when it is sent, or loses it with the switch", async () => {
    fixture.graph.switches["graph.sentDraftKeepsId"] = false;
    const id = await idOf("Project Alpine: questions");
    await send("POST", `${message(id)}/send`);

    expect((await send("GET", message(id))).status).toBe(404);
    expect(await idOf("Project Alpine: questions", "/me/mailFolders/sentitems/messages")).not.toBe(id);
  });

  test("cannot be sent twice, nor without a valid recipient", async () => {
    const id = await idOf("Project Alpine: questions");
    await send("POST", `${message(id)}/send`);
    const { body } = await send("POST", "/me/messages", { subject: "To nobody" });
    const wrong = await send("POST", "/me/messages", { toRecipients: to("nobody") });

    expect((await send("POST", `${message(id)}/send`)).status).toBe(400);
    for (const draft of [body, wrong.body]) {
      expect(problem(await send("POST", `${message(draft["id"])}/send`))).toEqual([
        400,
        "ErrorInvalidRecipients",
        "At least one recipient isn't valid.",
      ]);
    }
  });
});

describe("an answer", () => {
  test("is a draft to the author with the thread quoted below the comment", async () => {
    const { status, body } = await send("POST", `${message(await idOf(REPLIED))}/createReply`, { comment: "Done." });

    expect(status).toBe(201);
    expect(body).toMatchObject({ subject: REPLIED, isDraft: true, ccRecipients: [] });
    expect(addresses(body["toRecipients"])).toEqual(["LeeG@contoso.com"]);
    const { content } = body["body"] as { content: string };
    expect(content).toMatch(/Done\..*Sent: 2026-03-31T16:05:00Z.*revised numbers.*radio is down to 8500/s);
    expect(body["conversationId"]).toBe((await send("GET", message(await idOf(REPLIED)))).body["conversationId"]);
  });

  test("to all goes to everybody but the user", async () => {
    const id = rewrite({ cc: [...PEOPLE, { name: "Adele Vance", address: "AdeleV@contoso.com" }] });
    const { body } = await send("POST", `${message(id)}/createReplyAll`);

    expect(addresses(body["toRecipients"])).toEqual(["LeeG@contoso.com"]);
    expect(addresses(body["ccRecipients"])).toEqual(["MiriamG@contoso.com", "AlexW@contoso.com"]);
  });

  test("goes to where the author wants answers", async () => {
    const id = rewrite({ replyTo: [{ name: "Desk", address: "desk@fabrikam.com" }] });
    const { body } = await send("POST", `${message(id)}/createReply`);

    expect(addresses(body["toRecipients"])).toEqual(["desk@fabrikam.com"]);
  });

  test("that forwards has the attachments and the people that were named", async () => {
    const { body } = await send("POST", `${message(await idOf(REPLIED))}/createForward`, {
      toRecipients: to("kim@fabrikam.com"),
    });

    expect(body).toMatchObject({ subject: "FW: Spring launch budget", hasAttachments: true });
    expect(addresses(body["toRecipients"])).toEqual(["kim@fabrikam.com"]);
    expect((await list(`${message(body["id"])}/attachments`)).map(({ name }) => name)).toEqual([
      "budget.csv",
      "approval.pdf",
    ]);
  });

  test.each([
    ["createReply", { comment: "a", message: { body: { contentType: "text", content: "b" } } }],
    ["createForward", { toRecipients: to("a@b.c"), message: { toRecipients: to("a@b.c") } }],
  ])("is refused when %s is told the same twice", async (action, body) => {
    expect((await send("POST", `${message(await idOf(REPLIED))}/${action}`, body)).status).toBe(400);
  });

  test.each([
    ["reply", ["LeeG@contoso.com"], REPLIED],
    ["replyAll", ["LeeG@contoso.com"], REPLIED],
    ["forward", ["kim@fabrikam.com"], "FW: Spring launch budget"],
  ])("G51: %s sends it at once, with 202 and no body", async (action, recipients, subject) => {
    const args = { comment: "Done.", ...(action === "forward" && { toRecipients: to("kim@fabrikam.com") }) };
    const { status, body } = await send("POST", `${message(await idOf(REPLIED))}/${action}`, args);

    expect([status, body]).toEqual([202, ""]);
    const [sent] = await list("/me/mailFolders/sentitems/messages");
    expect(sent).toMatchObject({ subject, isDraft: false });
    expect(addresses(sent?.["toRecipients"])).toEqual(recipients);
  });

  test("is not forwarded to nobody", async () => {
    const { status } = await send("POST", `${message(await idOf(REPLIED))}/forward`, { comment: "Look" });
    expect(status).toBe(400);
    expect(await list("/me/mailFolders/sentitems/messages")).toHaveLength(1);
  });
});

describe("sendMail", () => {
  test("G51: sends with 202 and no body, and keeps the message in Sent Items", async () => {
    const { status, body, headers } = await send("POST", "/me/sendMail", {
      message: { subject: "Hello", toRecipients: to("kim@fabrikam.com") },
    });

    expect([status, body, headers.get("content-type")]).toEqual([202, "", null]);
    expect((await list("/me/mailFolders/sentitems/messages"))[0]).toMatchObject({ subject: "Hello", isDraft: false });
  });

  test("keeps nothing when told so", async () => {
    await send("POST", "/me/sendMail", {
      message: { subject: "Hello", toRecipients: to("DiegoS@contoso.com") },
      saveToSentItems: false,
    });

    expect(await list("/me/mailFolders/sentitems/messages")).toHaveLength(1);
    expect((await list("/me/mailFolders/inbox/messages", people.noRole.id))[0]).toMatchObject({ subject: "Hello" });
  });
});

describe("a change", () => {
  test("marks, flags, categorises and rates a message", async () => {
    const id = await idOf(REPLIED);
    const { body } = await send("PATCH", message(id), {
      isRead: true,
      flag: { flagStatus: "flagged" },
      categories: ["Budget"],
      importance: "low",
    });

    expect(body).toMatchObject({
      isRead: true,
      flag: { flagStatus: "flagged" },
      categories: ["Budget"],
      importance: "low",
    });
    expect(await list("/me/messages?$filter=isRead eq false")).toHaveLength(4);
  });

  test.each([["subject"], ["body"], ["hasAttachments"]])(
    "of %s is refused for a message that was sent",
    async (name) => {
      expect(problem(await send("PATCH", message(await idOf(REPLIED)), { [name]: "x" }))).toEqual([
        400,
        "ErrorInvalidPropertySet",
        "Set action is invalid for property.",
      ]);
    },
  );

  test("of a property that there is none is refused", async () => {
    expect(problem(await send("PATCH", message(await idOf(REPLIED)), { read: true }))).toEqual([
      400,
      "RequestBodyRead",
      "The property 'read' does not exist on type 'microsoft.graph.message'. Make sure to only use property names that are defined by the type.",
    ]);
  });

  test("G43, G52: a move answers 201; the id changes with it, the immutable one does not", async () => {
    const mutable = (await send("GET", message(await idOf(REPLIED)), undefined, { headers: {} })).body;
    const moved = await send(
      "POST",
      `${message(mutable["id"])}/move`,
      { destinationId: "deleteditems" },
      { headers: {} },
    );
    const again = await send("POST", `${message(moved.body["id"])}/move`, { destinationId: "archive" });

    expect(moved.status).toBe(201);
    expect(moved.body["id"]).not.toBe(mutable["id"]);
    expect((await send("GET", message(mutable["id"]))).status).toBe(404);
    expect(again.body["id"]).toBe(exchangeId("AAkALgA", `${people.normal.id} 2026-03-31T16:05`));
    expect((await list("/me/mailFolders/archive/messages")).map(({ subject }) => subject)).toContain(REPLIED);
  });

  test.each([
    ["nowhere", 400, "ErrorInvalidIdMalformed"],
    [exchangeId("AQMkAGF", "gone"), 404, "ErrorItemNotFound"],
  ])("to the folder %s is refused", async (destinationId, status, code) => {
    const answer = await send("POST", `${message(await idOf(REPLIED))}/move`, { destinationId });
    expect(problem(answer).slice(0, 2)).toEqual([status, code]);
  });
});

test.each([
  ["POST", "/me/messages", "Mail.Send"],
  ["PATCH", message(exchangeId("AAkALgA", "x")), "Mail.Read"],
  ["POST", "/me/sendMail", "Mail.ReadWrite"],
])("G7: %s %s is refused with %s alone", async (method, path, scp) => {
  expect(problem(await send(method, path, {}, { scp }))).toEqual([
    403,
    "ErrorAccessDenied",
    "Access is denied. Check credentials and try again.",
  ]);
});
