import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createChats } from "../../emulators/contoso/chats.ts";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { defaultSwitches } from "../../emulators/graph/switches.ts";
import { type GraphAnswer, type GraphBody, type GraphFixture, problem, startGraphFixture } from "./graph-fixture.ts";

const SPRING = "19:2da4c29f6d7041eca70b638b43d45437@thread.v2";
const REVIEW = "19:meeting_MjdhNjM4YzUtYzExZi00OTFkLTkzZTAtNTVlNmZmMDhkNGU2@thread.v2";
const ON_CALL = "19:c41d7e0a5b9f4c68a2e3f7b61d08c925@thread.v2";
const scp = "User.Read Chat.ReadBasic Chat.Read ChatMessage.Send";

let fixture: GraphFixture;
beforeAll(async () => {
  fixture = await startGraphFixture();
});
afterAll(() => fixture.close());
afterEach(() => {
  Object.assign(fixture.graph.switches, defaultSwitches);
  fixture.tenant.chats.splice(0, Number.POSITIVE_INFINITY, ...createChats(CONTOSO.tenantId));
});

const get = (path: string, claims: object = {}, headers: Record<string, string> = {}) =>
  fixture.get(path, { claims: { scp, ...claims }, headers });

async function post(path: string, body: unknown, claims: object = {}): Promise<GraphAnswer> {
  const response = await fetch(`${fixture.graph.origin}/v1.0${path}`, {
    method: "POST",
    headers: { Authorization: `Bearer ${await fixture.sign({ scp, ...claims })}`, "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as GraphBody };
}

const say = (content: string, id = SPRING) => post(`/chats/${id}/messages`, { body: { content } });
const column = ({ body }: GraphAnswer, name: string) => body.value?.map((row) => row[name]);
const messages = (query: string) => get(`/chats/${SPRING}/messages?${query}`);
const search = (queryString: string, more: object = {}, claims: object = {}) =>
  post("/search/query", { requests: [{ entityTypes: ["chatMessage"], query: { queryString }, ...more }] }, claims);

interface Container {
  readonly hits?: readonly { readonly summary: string; readonly resource: Readonly<Record<string, unknown>> }[];
  readonly total: number;
  readonly moreResultsAvailable: boolean;
}

function container({ body }: GraphAnswer): Container {
  const [found] = (body.value ?? []) as unknown as readonly { readonly hitsContainers: readonly [Container] }[];
  if (!found) throw new Error("The answer holds no hits.");
  return found.hitsContainers[0];
}

const summaries = (answer: GraphAnswer) => container(answer).hits?.map(({ summary }) => summary);

describe("chats", () => {
  test("a user lists the chats that they are in, without members", async () => {
    const { status, body } = await get("/me/chats?$top=1");

    expect(status).toBe(200);
    expect(body).toEqual({
      "@odata.context": `${fixture.graph.origin}/v1.0/$metadata#chats`,
      "@odata.count": 1,
      "@odata.nextLink": expect.stringMatching(/\/v1\.0\/me\/chats\?\$top=1&\$skiptoken=[\w-]+$/),
      value: [
        {
          id: SPRING,
          topic: "Spring launch",
          createdDateTime: "2026-02-02T08:30:00.4Z",
          lastUpdatedDateTime: "2026-03-31T15:00:00.12Z",
          chatType: "group",
          webUrl:
            "https://teams.microsoft.com/l/chat/19%3A2da4c29f6d7041eca70b638b43d45437%40thread.v2/0?tenantId=5b7e1e6c-4a52-4f0e-9d0a-6a3c1f6f2d11",
          tenantId: "5b7e1e6c-4a52-4f0e-9d0a-6a3c1f6f2d11",
          onlineMeetingInfo: null,
          viewpoint: { isHidden: false, lastMessageReadDateTime: "2026-03-31T15:00:00.12Z" },
        },
      ],
    });
    expect(column(await get("/me/chats"), "topic")).toEqual(["Spring launch", "Store review", null, null, null, null]);
  });

  test("members come on request: a guest has the tenant that invited them, a federated user their own", async () => {
    const { body } = await get("/me/chats?$expand=members&$filter=topic eq 'Store review'");
    const [review] = body.value as [{ members: Record<string, unknown>[] }];

    expect(review.members.map(({ displayName, email, tenantId }) => [displayName, email, tenantId])).toEqual([
      ["Adele Vance", "AdeleV@contoso.com", "5b7e1e6c-4a52-4f0e-9d0a-6a3c1f6f2d11"],
      ["Alex Wilber", "AlexW@contoso.com", "5b7e1e6c-4a52-4f0e-9d0a-6a3c1f6f2d11"],
      ["Megan Bowen", "MeganB@contoso.com", "5b7e1e6c-4a52-4f0e-9d0a-6a3c1f6f2d11"],
      ["Sam Jenkins", "sam@fabrikam.com", "5b7e1e6c-4a52-4f0e-9d0a-6a3c1f6f2d11"],
      ["Kim Akers", "kim@fabrikam.com", "3c9d5e72-8f14-4b6a-9e20-7d1f0a4c8b35"],
      ["Visitor", null, "3c9d5e72-8f14-4b6a-9e20-7d1f0a4c8b35"],
    ]);
    expect((await get(`/chats/${REVIEW}/members`)).body.value).toEqual(review.members);
    expect((await get(`/chats/${REVIEW}`)).body).toMatchObject({ topic: "Store review", chatType: "meeting" });
  });

  test("chats are found by the display name of a member", async () => {
    const filter = encodeURIComponent("members/any(o: o/displayname eq 'Megan Bowen')");
    expect(column(await get(`/me/chats?$filter=${filter}`), "chatType")).toEqual(["meeting", "oneOnOne"]);
  });

  test("G23: pages are linked by $skiptoken", async () => {
    const first = await get("/me/chats?$top=4&$expand=members");
    const second = await get(String(first.body["@odata.nextLink"]));

    expect(column(second, "chatType")).toEqual(["oneOnOne", "oneOnOne"]);
    expect(second.body["@odata.nextLink"]).toBeUndefined();
  });

  test("G24: the first page may be empty", async () => {
    fixture.graph.switches["graph.emptyPage"] = true;
    const first = await get("/me/chats");

    expect(first.body.value).toEqual([]);
    expect((await get(String(first.body["@odata.nextLink"]))).body.value).toHaveLength(6);
  });

  test.each<[string, string, [number, string, string]]>([
    [
      "more than 50 a page",
      "/me/chats?$top=51",
      [
        400,
        "BadRequest",
        "The limit of '50' for Top query has been exceeded. The value from the incoming request is '51'.",
      ],
    ],
    ["a selection", "/me/chats?$select=id", [400, "BadRequest", "'$select' is not supported by the service."]],
    ["a malformed id", "/chats/x", [400, "BadRequest", "Invalid ThreadId."]],
    ["a chat that is not there", "/chats/19:aa@thread.v2", [404, "NotFound", "NotFound"]],
    ["a chat of others", `/chats/${ON_CALL}`, [403, "Forbidden", "InsufficientPrivileges"]],
    ["the messages of others", `/chats/${ON_CALL}/messages`, [403, "Forbidden", "InsufficientPrivileges"]],
  ])("refuses %s", async (_what, path, expected) => {
    expect(problem(await get(path))).toEqual(expected);
  });

  test.each([
    ["GET", "/me/chats", "Chat.ReadBasic, Chat.Read, Chat.ReadWrite"],
    [
      "GET",
      `/chats/${SPRING}/members`,
      "ChatMember.Read, ChatMember.ReadWrite, Chat.ReadBasic, Chat.Read, Chat.ReadWrite",
    ],
    ["GET", `/chats/${SPRING}/messages`, "Chat.Read, Chat.ReadWrite"],
    ["POST", `/chats/${SPRING}/messages`, "ChatMessage.Send, Chat.ReadWrite"],
  ])("%s %s names the permissions that are missing", async (method, path, needed) => {
    const claims = { scp: "User.Read Mail.Read" };
    const answer = method === "GET" ? await get(path, claims) : await post(path, { body: { content: "x" } }, claims);

    expect(problem(answer)).toEqual([
      403,
      "Forbidden",
      `Missing scope permissions on the request. API requires one of '${needed}'. Scopes on the request 'User.Read, Mail.Read'`,
    ]);
  });

  test("Chat.ReadBasic gives chats and members, no messages", async () => {
    const basic = { scp: "Chat.ReadBasic" };

    expect((await get(`/chats/${SPRING}/members`, basic)).status).toBe(200);
    expect((await get(`/chats/${SPRING}/messages`, basic)).status).toBe(403);
  });

  test("G62: a personal account has no chats", async () => {
    const { id } = fixture.tenant;
    const consumers = "9188040d-6c67-4c5b-b112-36a304b66dad";
    Object.assign(fixture.tenant, { id: consumers });
    const answer = await get("/me/chats", { tid: consumers });
    Object.assign(fixture.tenant, { id });

    expect(problem(answer)).toEqual([403, "Forbidden", "No authorization information present on the request."]);
  });
});

describe("messages", () => {
  test("a message comes in the shape of Graph's message, with its mentions", async () => {
    const { body } = await messages("$top=1");

    expect(body["@odata.context"]).toBe(
      `${fixture.graph.origin}/v1.0/$metadata#chats('19%3A2da4c29f6d7041eca70b638b43d45437%40thread.v2')/messages`,
    );
    expect(body.value).toEqual([
      {
        id: "1774974000120",
        replyToId: null,
        etag: "1774974000120",
        messageType: "message",
        createdDateTime: "2026-03-31T16:20:00.120Z",
        lastModifiedDateTime: "2026-03-31T16:20:00.120Z",
        lastEditedDateTime: null,
        deletedDateTime: null,
        subject: null,
        summary: null,
        chatId: SPRING,
        importance: "normal",
        locale: "en-us",
        webUrl: null,
        channelIdentity: null,
        policyViolation: null,
        eventDetail: null,
        from: {
          application: null,
          device: null,
          user: {
            id: "0d1e5c72-9b34-4f8a-b6c1-2e7f90a1b302",
            displayName: "Miriam Graham",
            userIdentityType: "aadUser",
          },
        },
        body: {
          contentType: "html",
          content: '<p><at id="0">Adele Vance</at> please look at the <b>budget</b> &amp; the plan.</p><p>Thanks!</p>',
        },
        attachments: [],
        mentions: [
          {
            id: 0,
            mentionText: "Adele Vance",
            mentioned: {
              application: null,
              device: null,
              user: {
                id: "87d349ed-44d7-43e1-9a83-5f2406dee5bd",
                displayName: "Adele Vance",
                userIdentityType: "aadUser",
              },
            },
          },
        ],
        reactions: [],
        messageHistory: [],
      },
    ]);
  });

  test("what was deleted has no text, and what Teams reports is of an unknown type until it is asked for", async () => {
    const path = `/chats/${SPRING}/messages?$orderby=createdDateTime desc`;
    const [reported, deleted] = (await get(path)).body.value?.slice(3, 5) ?? [];

    expect(deleted).toMatchObject({ deletedDateTime: "2026-03-31T14:06:30.5Z", body: { content: "" } });
    expect(reported).toMatchObject({
      messageType: "unknownFutureValue",
      from: null,
      body: { contentType: "html", content: "<systemEventMessage/>" },
      eventDetail: { "@odata.type": "#microsoft.graph.membersAddedEventMessageDetail" },
    });
    const known = await get(path, {}, { Prefer: "include-unknown-enum-members" });
    expect(known.body.value?.[3]?.["messageType"]).toBe("systemEventMessage");
  });

  test.each([
    ["", ["16:20", "15:40", "15:30", "15:10", "15:00", "14:06", "08:30"]],
    ["$orderby=lastModifiedDateTime desc", ["16:20", "15:40", "15:30", "15:10", "15:00", "14:06", "08:30"]],
    ["$orderby=createdDateTime desc", ["16:20", "15:40", "15:10", "15:00", "14:06", "15:30", "08:30"]],
  ])("G31: sorted by %j the newest comes first", async (query, changed) => {
    const times = column(await messages(query), "lastModifiedDateTime")?.map((time) => String(time).slice(11, 16));
    expect(times).toEqual(changed);
  });

  test.each(["createdDateTime asc", "createdDateTime", "importance desc", "createdDateTime desc,id desc"])(
    "G31: messages are not sorted by %s",
    async (order) => {
      expect(problem(await messages(`$orderby=${order}`))).toEqual([
        400,
        "BadRequest",
        "QueryOptions to order by is only supported for lastModifiedDateTime and createdDateTime in descending direction.",
      ]);
    },
  );

  test.each([
    ["the same property", "lastModifiedDateTime", "lastModifiedDateTime gt 2026-03-31T15:20:00Z", 3],
    [
      "a range of it",
      "lastModifiedDateTime",
      "lastModifiedDateTime gt 2026-03-31T15:05:00Z and lastModifiedDateTime lt 2026-03-31T16:00:00Z",
      3,
    ],
    ["the time of creation", "createdDateTime", "createdDateTime lt 2026-03-31T00:00:00Z", 2],
    ["another property: ignored", "createdDateTime", "lastModifiedDateTime gt 2026-03-31T15:20:00Z", 7],
    ["no time at all: ignored", "createdDateTime", "importance eq 'high'", 7],
  ])("G31: a filter on %s", async (_what, order, filter, count) => {
    const { body } = await messages(`$orderby=${order} desc&$filter=${filter}`);
    expect(body.value).toHaveLength(count);
  });

  test("G31: a filter without an order does nothing, and messages cannot be filtered from a creation on", async () => {
    expect((await messages("$filter=lastModifiedDateTime gt 2026-03-31T15:20:00Z")).body.value).toHaveLength(7);
    const from = "$orderby=createdDateTime desc&$filter=createdDateTime gt 2026-03-31T00:00:00Z";
    expect(problem(await messages(from))).toEqual([
      400,
      "BadRequest",
      "The operator 'gt' is not supported for createdDateTime.",
    ]);
  });

  test("G31: a page holds at most 50", async () => {
    expect((await messages("$top=50")).status).toBe(200);
    expect((await messages("$top=51")).status).toBe(400);
  });
});

describe("sending", () => {
  test("a message is created, belongs to its sender and is there from then on", async () => {
    const sent = await say("Posters: <b>mine</b>");

    expect(sent.status).toBe(201);
    expect(sent.body).toMatchObject({
      "@odata.context": `${fixture.graph.origin}/v1.0/$metadata#chats('19%3A2da4c29f6d7041eca70b638b43d45437%40thread.v2')/messages/$entity`,
      messageType: "message",
      chatId: SPRING,
      from: { user: { displayName: "Adele Vance" } },
      body: { contentType: "text", content: "Posters: <b>mine</b>" },
    });
    expect((await messages("$top=1")).body.value?.[0]?.["id"]).toBe(sent.body["id"]);
    expect(Date.parse(String(sent.body["createdDateTime"]))).toBeGreaterThan(Date.now() - 60_000);
  });

  test("a message changes neither the chat's time nor another chat; two at once have ids of their own", async () => {
    const [one, two] = await Promise.all([say("one"), say("two")]);

    expect(one.body["id"]).not.toBe(two.body["id"]);
    expect((await get(`/chats/${SPRING}`)).body["lastUpdatedDateTime"]).toBe("2026-03-31T15:00:00.12Z");
    expect((await get(`/chats/${REVIEW}/messages`)).body.value).toHaveLength(2);
  });

  test.each<[string, () => Promise<GraphAnswer>, [number, string, string]]>([
    ["nothing", () => say(""), [400, "BadRequest", "Missing body content."]],
    ["no body", () => post(`/chats/${SPRING}/messages`, {}), [400, "BadRequest", "Missing body content."]],
    [
      "an unknown kind of text",
      () => post(`/chats/${SPRING}/messages`, { body: { content: "x", contentType: "markdown" } }),
      [400, "BadRequest", "Invalid body content type."],
    ],
    [
      "more than 28 KB",
      () => say("x".repeat(28 * 1024 + 1)),
      [413, "RequestEntityTooLarge", "The message is too large."],
    ],
    ["to a chat of others", () => say("x", ON_CALL), [403, "Forbidden", "InsufficientPrivileges"]],
  ])("refuses %s", async (_what, send, expected) => {
    expect(problem(await send())).toEqual(expected);
    expect((await messages("")).body.value).toHaveLength(7);
  });
});

describe("search", () => {
  test("G59: messages are found in the own chats only, newest first, with less than Teams knows", async () => {
    const found = container(await search("budget"));

    expect(found).toEqual({
      hits: [
        {
          hitId: expect.stringMatching(/^AAMkAGI/),
          rank: 1,
          summary: "at the <c0>budget</c0> & the plan. Thanks!",
          resource: {
            "@odata.type": "#microsoft.graph.chatMessage",
            id: "1774974000120",
            createdDateTime: "2026-03-31T16:20:00.120Z",
            lastModifiedDateTime: "2026-03-31T16:20:00.120Z",
            subject: "",
            importance: "normal",
            webLink: expect.stringContaining("https://outlook.office365.com/owa/?ItemID=AAMkAGI"),
            from: { emailAddress: { name: "Miriam Graham", address: "MiriamG@contoso.com" } },
            channelIdentity: {},
            etag: "1774974000120",
            chatId: SPRING,
          },
        },
        expect.objectContaining({ rank: 2, summary: "the campaign <c0>budget</c0> today?" }),
      ],
      total: 2,
      moreResultsAvailable: false,
    });
  });

  test.each([
    ["from:kim", ["Figures of the last quarter : revenue up 4%", "Contract is on its way"]],
    ["hasAttachment:true posters", ["The <c0>posters</c0> are ready"]],
    ["to:alex from:sam", ["Great, send me the files"]],
    ["sent>=2026-03-30 posters", ["The <c0>posters</c0> are ready", "of the <c0>posters?</c0>"]],
    ["mentions:87d349ed44d743e19a835f2406dee5bd", ["Adele Vance please look at the budget & the plan. Thanks!"]],
  ])("KQL: %s", async (query, expected) => {
    expect(summaries(await search(query))).toEqual(expected);
  });

  test("the total counts a page", async () => {
    expect(container(await search("the", { size: 1 }))).toMatchObject({ total: 1, moreResultsAvailable: true });
  });

  test("needs a permission for chats", async () => {
    expect(problem(await search("budget", {}, { scp: "Files.Read.All" }))).toEqual([
      403,
      "accessDenied",
      "Access to the requested entity type is denied.",
    ]);
  });
});
