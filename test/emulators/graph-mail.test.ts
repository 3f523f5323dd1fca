import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createCrowdedMailbox } from "../../emulators/contoso/mail.ts";
import { people } from "../../emulators/contoso/users.ts";
import { defaultSwitches } from "../../emulators/graph/switches.ts";
import { type GraphAnswer, type GraphFixture, problem, startGraphFixture } from "./graph-fixture.ts";

const IMMUTABLE = 'IdType="ImmutableId"';
const TEXT = 'outlook.body-content-type="text"';

let fixture: GraphFixture;
beforeAll(async () => {
  fixture = await startGraphFixture();
});
afterAll(() => fixture.close());
afterEach(() => {
  Object.assign(fixture.graph.switches, defaultSwitches);
});

const get = (path: string, headers: Record<string, string> = {}, oid = people.normal.id) =>
  fixture.get(path, { claims: { scp: "Mail.Read", oid }, headers });

const list = (options: Record<string, string>, path = "/me/messages") =>
  get(`${path}?${new URLSearchParams(options).toString()}`);

const subjects = ({ body }: GraphAnswer) => body.value?.map(({ subject }) => subject);

/** The one message with this subject. */
async function find(subject: string, headers: Record<string, string> = {}): Promise<Readonly<Record<string, unknown>>> {
  const query = new URLSearchParams({ $filter: `subject eq '${subject}'` }).toString();
  const { body } = await get(`/me/messages?${query}`, headers);
  const [message] = body.value ?? [];
  if (!message) throw new Error(`There is no message ${subject}.`);
  return message;
}

const segment = (value: unknown) => encodeURIComponent(String(value));

describe("messages", () => {
  test("come newest first, ten to a page, in the shape of Graph's message", async () => {
    const { status, body } = await get("/me/messages");

    expect(status).toBe(200);
    expect(body["@odata.context"]).toBe(
      `${fixture.graph.origin}/v1.0/$metadata#users('87d349ed-44d7-43e1-9a83-5f2406dee5bd')/messages`,
    );
    expect(body.value).toHaveLength(10);
    expect(body.value?.[0]).toEqual({
      "@odata.etag": expect.stringMatching(/^W\/".+"$/),
      id: expect.stringMatching(/^AAMkAGI/),
      createdDateTime: "2026-03-31T16:05:00Z",
      lastModifiedDateTime: "2026-03-31T16:05:00Z",
      changeKey: expect.any(String),
      categories: [],
      receivedDateTime: "2026-03-31T16:05:00Z",
      sentDateTime: "2026-03-31T16:05:00Z",
      hasAttachments: true,
      internetMessageId: expect.stringMatching(/^<.+@contoso\.com>$/),
      subject: "RE: Spring launch budget",
      bodyPreview: "Adele, the revised numbers are fine with me. Please send them to Finance by Thursday.\n\nLee",
      importance: "high",
      parentFolderId: expect.stringMatching(/^AQMkAGF/),
      conversationId: expect.stringMatching(/^AAQkAGI/),
      isDeliveryReceiptRequested: false,
      isReadReceiptRequested: false,
      isRead: false,
      isDraft: false,
      webLink: expect.stringMatching(/^https:\/\/outlook\.office365\.com\/owa\/\?ItemID=AAMkAGI/),
      inferenceClassification: "focused",
      body: { contentType: "html", content: expect.stringContaining('<div class="PlainText">Adele, the revised') },
      sender: { emailAddress: { name: "Lee Gu", address: "LeeG@contoso.com" } },
      from: { emailAddress: { name: "Lee Gu", address: "LeeG@contoso.com" } },
      toRecipients: [{ emailAddress: { name: "Adele Vance", address: "AdeleV@contoso.com" } }],
      ccRecipients: [
        { emailAddress: { name: "Miriam Graham", address: "MiriamG@contoso.com" } },
        { emailAddress: { name: "Alex Wilber", address: "AlexW@contoso.com" } },
      ],
      bccRecipients: [],
      replyTo: [],
      flag: { flagStatus: "notFlagged" },
    });
  });

  test.each(["0", "1001"])("G27: a page of %s is 400, one of 1000 holds everything", async ($top) => {
    expect(problem(await list({ $top }))).toEqual([
      400,
      "BadRequest",
      `Invalid value '${$top}' for $top query option: it must be between 1 and 1000.`,
    ]);
    expect((await list({ $top: "1000" })).body.value).toHaveLength(30);
  });

  test("G23: links are absolute, count with $skip and lead to every message once", async () => {
    const seen: unknown[] = [];
    const links: unknown[] = [];
    let link: unknown = "/me/messages?$select=subject&$top=12";
    while (typeof link === "string") {
      const page = await get(link);
      seen.push(...(page.body.value ?? []).map(({ id }) => id));
      link = page.body["@odata.nextLink"];
      links.push(link);
    }
    expect(links).toEqual([
      `${fixture.graph.origin}/v1.0/me/messages?$select=subject&$top=12&$skip=12`,
      `${fixture.graph.origin}/v1.0/me/messages?$select=subject&$top=12&$skip=24`,
      undefined,
    ]);
    expect(new Set(seen).size).toBe(30);
  });

  test("G24: with the switch the first page is empty and the next is not", async () => {
    fixture.graph.switches["graph.emptyPage"] = true;
    const first = await get("/me/messages?$top=2");
    const second = await get(String(first.body["@odata.nextLink"]));

    expect(first.body.value).toEqual([]);
    expect(second.body.value).toHaveLength(2);
  });

  test("a page of 100,000 messages is made without the rest", async () => {
    fixture.tenant.mailboxes.set(people.noRole.id, createCrowdedMailbox(100_000));
    const { body } = await get("/me/messages?$top=2&$skip=50000&$select=subject", {}, people.noRole.id);

    expect(subjects({ body } as GraphAnswer)).toEqual(["Message 50001", "Message 50002"]);
    expect(body["@odata.nextLink"]).toContain("$skip=50002");
  });
});

describe("$filter and $orderby", () => {
  test.each([
    ["isRead eq false", 5],
    ["from/emailAddress/address eq 'leeg@contoso.com'", 2],
    ["from/emailAddress/address eq 'siobhan.o''connor@contoso.com'", 1],
    ["hasAttachments eq true and receivedDateTime ge 2026-03-31T00:00:00Z", 3],
    ["receivedDateTime ge 2026-03-30T00:00:00Z and receivedDateTime lt 2026-03-31T00:00:00Z", 4],
  ])("%s finds %i", async ($filter, count) => {
    expect((await list({ $filter, $top: "50" })).body.value).toHaveLength(count);
  });

  test.each([
    ["isRead eq false", "receivedDateTime desc"],
    ["isRead eq false and receivedDateTime ge 1900-01-01T00:00:00Z", "receivedDateTime desc"],
    ["receivedDateTime ge 1900-01-01T00:00:00Z", "subject,receivedDateTime"],
    ["contains(subject,'a') and receivedDateTime ge 1900-01-01T00:00:00Z", "receivedDateTime"],
  ])("G9, G29: %s sorted by %s is 400 InefficientFilter", async ($filter, $orderby) => {
    expect(problem(await list({ $filter, $orderby }))).toEqual([
      400,
      "InefficientFilter",
      "The restriction or sort order is too complex for this operation.",
    ]);
  });

  test("G29: what is sorted by may come first, and sorts", async () => {
    const $filter = "receivedDateTime ge 2026-03-30T00:00:00Z and isRead eq true";
    const newest = await list({ $filter, $orderby: "receivedDateTime desc", $select: "subject" });
    const oldest = await list({ $filter, $orderby: "receivedDateTime", $select: "subject" });

    expect(subjects(newest)).toEqual([
      "Your order 40718 has shipped",
      "RE: Spring launch budget",
      "Spring launch budget",
      "Ouverture du magasin à Lyon",
      "Your trip to Munich",
    ]);
    expect(subjects(oldest)).toEqual(subjects(newest)?.toReversed());
  });

  test("a property that messages do not have is 400", async () => {
    expect(problem(await list({ $filter: "shoeSize eq 42" }))).toEqual([
      400,
      "BadRequest",
      "Invalid filter clause: Could not find a property named 'shoeSize' on type 'microsoft.graph.message'.",
    ]);
  });
});

describe("$search", () => {
  test.each([
    ['"alpine contract"', ["Project Alpine: contract"]],
    ["posters", ["Spring launch: posters"]],
    ['"from:kim"', ["Project Alpine: contract"]],
    ['"from:lynne subject:weekly"', ["Weekly sales"]],
    ['"subject:alpine AND NOT clause"', []],
    ['"subject:contract OR subject:questions"', ["Project Alpine: contract", "Project Alpine: questions"]],
    ['"(from:kim OR from:debra) cake"', ["Town hall on Thursday"]],
    ['"\\"town hall\\""', ["Town hall on Thursday"]],
    ['"\\"hall town\\""', []],
    ['"ouvert*"', ["Ouverture du magasin à Lyon"]],
    ['"attachment:invoice"', ["Invoice 2026-0319"]],
    ['"received:2026-03-26"', ["Lunch with O'Connor & Sons?"]],
    ['"hasAttachments:true received<2026-03-25"', ["Invoice 2026-0319"]],
    ['"zebediah"', []],
  ])("%s finds messages as KQL does", async ($search, expected) => {
    expect(subjects(await list({ $search, $select: "subject" }))).toEqual(expected);
  });

  test("looks into the folder that it is asked for", async () => {
    const $search = '"budget"';
    expect(subjects(await list({ $search }, "/me/mailFolders/sentitems/messages"))).toEqual([
      "RE: Spring launch budget",
    ]);
  });

  test("G11, G28: is not combined with $orderby or $filter", async () => {
    expect(problem(await list({ $search: '"a"', $orderby: "receivedDateTime desc" }))).toEqual([
      400,
      "SearchWithOrderBy",
      "The query parameter '$orderBy' is not supported with '$search'.",
    ]);
    expect(problem(await list({ $search: '"a"', $filter: "isRead eq false" }))).toEqual([
      400,
      "SearchWithFilter",
      "The query parameter '$filter' is not supported with '$search'.",
    ]);
  });

  test("G28: gives at most 1000 results", async () => {
    fixture.tenant.mailboxes.set(people.noRole.id, createCrowdedMailbox(2000));
    const path = "/me/messages?$search=%22message%22&$select=subject";
    const all = await get(`${path}&$top=1000`, {}, people.noRole.id);
    const last = await get(`${path}&$top=25&$skip=980`, {}, people.noRole.id);

    expect(all.body.value).toHaveLength(1000);
    expect(all.body["@odata.nextLink"]).toBeUndefined();
    expect(last.body.value).toHaveLength(20);
  });
});

describe("one message", () => {
  test("G42: has an HTML body, or text where it is preferred; uniqueBody leaves out what is quoted", async () => {
    const { id } = await find("RE: Spring launch budget");
    const path = `/me/messages/${segment(id)}?$select=body,uniqueBody`;
    const html = await get(path);
    const text = await get(path, { Prefer: `${TEXT}, ${IMMUTABLE}` });

    expect(html.body["body"]).toEqual({
      contentType: "html",
      content: expect.stringMatching(/^<html>.*<div class="PlainText">.*Sent: 2026-03-30T17:20:00Z/s),
    });
    expect(text.body["uniqueBody"]).toEqual({
      contentType: "text",
      content: "Adele, the revised numbers are fine with me. Please send them to Finance by Thursday.\n\nLee",
    });
    expect(text.body["body"]).toEqual({
      contentType: "text",
      content: expect.stringMatching(/^Adele, the revised.*here is the second version.*can you bring the budget/s),
    });
  });

  test("G42: text of an HTML message has no markup, style or comment", async () => {
    const { id } = await find("Litware Weekly: smart shelves");
    const { body } = await get(`/me/messages/${segment(id)}?$select=body`, { Prefer: TEXT });

    expect(body["body"]).toEqual({
      contentType: "text",
      content: "Litware Weekly\r\n\r\nIssue 112: smart shelves & more.\r\nRead on",
    });
  });

  test("G39: the preferences that were honoured are repeated", async () => {
    const { headers } = await get("/me/messages?$top=1", { Prefer: `${TEXT}, ${IMMUTABLE}, odata.maxpagesize=3` });
    expect(headers.get("preference-applied")).toBe(`${TEXT}, ${IMMUTABLE}`);
    expect((await get("/me/messages?$top=1")).headers.has("preference-applied")).toBe(false);
  });

  test("G43: has another id where an immutable one is preferred, and both lead to it", async () => {
    const mutable = await find("Weekly sales");
    const immutable = await find("Weekly sales", { Prefer: IMMUTABLE });

    expect(immutable["id"]).toMatch(/^AAkALgA/);
    expect(mutable["id"]).toMatch(/^AAMkAGI/);
    for (const { id } of [mutable, immutable]) {
      expect((await get(`/me/messages/${segment(id)}?$select=subject`)).body["subject"]).toBe("Weekly sales");
    }
  });

  test("G43: ids are case-sensitive", async () => {
    const { id } = await find("Weekly sales");
    const changed = `AAMkAGI${String(id).slice(7).toLowerCase()}`;
    expect((await get(`/me/messages/${segment(changed)}`)).status).toBe(404);
  });

  test("G46: ids contain plus signs, slashes and equals signs, and are one encoded segment", async () => {
    const { body } = await get("/me/messages?$select=id&$top=1000");
    const ids = (body.value ?? []).map(({ id }) => String(id));
    for (const sign of ["+", "/", "="]) expect(ids.some((id) => id.includes(sign))).toBe(true);
    const withSlash = ids.find((id) => id.includes("/")) ?? "";

    expect((await get(`/me/messages/${withSlash}`)).status).toBe(400);
    expect((await get(`/me/messages/${segment(withSlash)}`)).status).toBe(200);
  });

  test.each(["nonsense", "87d349ed-44d7-43e1-9a83-5f2406dee5bd", "AAMkAGI short", "..%2F.."])(
    "G8: %s is no id of Exchange",
    async (id) => {
      expect(problem(await get(`/me/messages/${id}`))).toEqual([400, "ErrorInvalidIdMalformed", "Id is malformed."]);
    },
  );

  test("G6: an id that nothing has, or something in another mailbox, is 404 ErrorItemNotFound", async () => {
    const { body } = await get("/me/messages?$top=1", {}, people.noRole.id);
    for (const id of [`AAMkAGI${"A".repeat(86)}==`, body.value?.[0]?.["id"]]) {
      expect(problem(await get(`/me/messages/${segment(id)}`))).toEqual([
        404,
        "ErrorItemNotFound",
        "The specified object was not found in the store.",
      ]);
    }
  });
});

describe("folders", () => {
  test("at the top are those that every mailbox has, and the user's own, with counts", async () => {
    const { body } = await get("/me/mailFolders?$select=displayName,unreadItemCount,totalItemCount,childFolderCount");

    expect(body.value?.map(({ id: _id, ...row }) => Object.values(row))).toEqual([
      ["Inbox", 4, 22, 2],
      ["Drafts", 0, 1, 0],
      ["Sent Items", 0, 1, 0],
      ["Deleted Items", 0, 1, 0],
      ["Junk Email", 1, 1, 0],
      ["Archive", 0, 1, 0],
      ["Outbox", 0, 0, 0],
      ["Projects", 0, 1, 0],
    ]);
  });

  test("have children, which can be found by name", async () => {
    const $filter = "displayName eq 'o''connor & sons'";
    const { body } = await list({ $filter, $select: "displayName" }, "/me/mailFolders/inbox/childFolders");

    expect(body.value).toEqual([{ id: expect.stringMatching(/^AQMkAGF/), displayName: "O'Connor & Sons" }]);
    const path = `/me/mailFolders/${segment(body.value?.[0]?.["id"])}`;
    expect(subjects(await get(`${path}/messages`))).toEqual(["Your order 40718 has shipped"]);
    expect((await get(path)).body).toMatchObject({ displayName: "O'Connor & Sons", totalItemCount: 1 });
  });

  test("G43: have one id whatever is preferred", async () => {
    const plain = await get("/me/mailFolders/inbox");
    const preferred = await get("/me/mailFolders/inbox", { Prefer: IMMUTABLE });
    expect(preferred.body["id"]).toBe(plain.body["id"]);
  });

  test("of a mailbox without mail are there and empty", async () => {
    const alex = fixture.tenant.users.find(({ mail }) => mail === "AlexW@contoso.com")?.id;
    expect((await get("/me/mailFolders/inbox/messages", {}, alex)).body.value).toEqual([]);
  });

  test("G6, G8: with an unknown id are not found", async () => {
    expect(problem(await get("/me/mailFolders/elsewhere/messages"))[1]).toBe("ErrorInvalidIdMalformed");
    expect(problem(await get(`/me/mailFolders/AQMkAGF${"A".repeat(86)}/messages`))[1]).toBe("ErrorItemNotFound");
  });
});

describe("attachments", () => {
  async function attachmentsOf(subject: string, query = "") {
    const { id } = await find(subject);
    const path = `/me/messages/${segment(id)}/attachments`;
    const { body } = await get(`${path}${query}`);
    return { path, value: body.value ?? [] };
  }

  async function content(path: string): Promise<Response> {
    const headers = { Authorization: `Bearer ${await fixture.sign({ scp: "Mail.Read" })}` };
    return fetch(`${fixture.graph.origin}/v1.0${path}`, { headers });
  }

  test("G61: of a file have their bytes in base64, and as they are below $value", async () => {
    const { path, value } = await attachmentsOf("Your order 40718 has shipped");
    const json = '{"order":40718,"items":[{"sku":"DS-1","qty":12}]}';

    expect(value).toEqual([
      {
        "@odata.type": "#microsoft.graph.fileAttachment",
        "@odata.mediaContentType": "application/json",
        id: expect.stringMatching(/^AAMkAGA/),
        lastModifiedDateTime: "2026-03-31T12:15:00Z",
        name: "order-40718.json",
        contentType: "application/json",
        size: 305,
        isInline: false,
        contentId: null,
        contentLocation: null,
        contentBytes: Buffer.from(json).toString("base64"),
      },
    ]);
    const response = await content(`${path}/${segment(value[0]?.["id"])}/$value`);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await response.text()).toBe(json);
  });

  test("tell their kind when only some properties are selected", async () => {
    const { value } = await attachmentsOf("RE: Spring launch budget", "?$select=name");
    expect(value.map(({ id: _id, ...facts }) => facts)).toEqual([
      {
        "@odata.type": "#microsoft.graph.fileAttachment",
        "@odata.mediaContentType": "text/csv",
        name: "budget.csv",
      },
      {
        "@odata.type": "#microsoft.graph.fileAttachment",
        "@odata.mediaContentType": "application/pdf",
        name: "approval.pdf",
      },
    ]);
  });

  test("G61: that are links have no content (405); attached messages have MIME", async () => {
    const link = await attachmentsOf("Shelf plan for Redmond");
    const refused = await content(`${link.path}/${segment(link.value[0]?.["id"])}/$value`);
    const item = await attachmentsOf("Spring launch: posters");
    const mime = await content(`${item.path}/${segment(item.value[0]?.["id"])}/$value`);

    expect([link.value[0]?.["@odata.type"], refused.status]).toEqual(["#microsoft.graph.referenceAttachment", 405]);
    expect(item.value[0]?.["@odata.type"]).toBe("#microsoft.graph.itemAttachment");
    expect(await mime.text()).toContain("Subject: Posters, final");
  });

  test("that are only inline do not count as attachments of the message", async () => {
    const { value } = await attachmentsOf("Litware Weekly: checkout without queues");
    expect(value).toMatchObject([{ name: "logo.png", isInline: true, contentId: "logo.png@contoso.com" }]);
    expect(await find("Litware Weekly: checkout without queues")).toMatchObject({ hasAttachments: false });
  });

  test("G6: that do not exist are 404", async () => {
    const { path } = await attachmentsOf("Weekly sales");
    expect(problem(await get(`${path}/nothing`))[1]).toBe("ErrorItemNotFound");
  });
});

describe("access", () => {
  const PATHS = ["/me/messages", "/me/messages/x", "/me/messages/x/attachments", "/me/mailFolders"];

  test.each(PATHS)("G7: %s without Mail.Read is 403 ErrorAccessDenied", async (path) => {
    expect(problem(await fixture.get(path, { claims: { scp: "User.Read MailboxSettings.Read" } }))).toEqual([
      403,
      "ErrorAccessDenied",
      "Access is denied. Check credentials and try again.",
    ]);
  });

  test.each(PATHS)("%s of a user without a mailbox is 404 MailboxNotEnabledForRESTAPI", async (path) => {
    expect(problem(await get(path, {}, people.guest.id))).toEqual([
      404,
      "MailboxNotEnabledForRESTAPI",
      "The mailbox is either inactive, soft-deleted, or is hosted on-premise.",
    ]);
  });
});

describe("concurrency", () => {
  const many = (count: number, oid?: string) =>
    Promise.all(Array.from({ length: count }, () => get("/me/messages?$top=1", {}, oid)));

  test("G19: with the switch a fifth request at once to one mailbox is 429 ApplicationThrottled", async () => {
    await get("/me/messages");
    fixture.graph.switches["graph.mailboxBusyMs"] = 200;
    const [answers, others] = await Promise.all([many(6), many(2, people.noRole.id)]);
    const refused = answers.filter(({ status }) => status === 429);

    expect(refused.map(problem)).toEqual(
      Array.from({ length: 2 }, () => [
        429,
        "ApplicationThrottled",
        "Application is over its MailboxConcurrency limit.",
      ]),
    );
    expect(refused[0]?.headers.get("retry-after")).toBe("1");
    expect(others.map(({ status }) => status)).toEqual([200, 200]);
    expect((await many(4)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  });

  test("without it any number is served", async () => {
    expect((await many(8)).every(({ status }) => status === 200)).toBe(true);
  });
});
