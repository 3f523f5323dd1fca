import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { Meeting } from "../../emulators/calendar.ts";
import { createCalendars } from "../../emulators/contoso/calendar.ts";
import { createChats } from "../../emulators/contoso/chats.ts";
import { createMailboxes } from "../../emulators/contoso/mail.ts";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { people } from "../../emulators/contoso/users.ts";
import type { MailMessage } from "../../emulators/mailbox.ts";
import { startDeployment } from "../support/confirming-server.ts";
import { eventually } from "../support/eventually.ts";
import { failureOf } from "../support/failures.ts";
import type { CallResult } from "../support/mcp-clients.ts";
import { mcpRequest } from "../support/mcp-messages.ts";
import { describeWithRedis, type Redis, startRedis } from "../support/redis.ts";
import { YES } from "../support/rounds.ts";
import { type Stack, startStack } from "../support/stack.ts";
import { callOf, postAndRead } from "../support/wire-2025.ts";
import { startWireTap, type WireTap } from "../support/wire-tap.ts";

/** Stands in everything that the attacks below send; none of it may be logged. */
const CANARY = "canary-7f3a91";
const SETTINGS = { ALLOW_WRITES: "true", TOOLSETS: "mail,calendar,files,teams", CALLS_PER_MINUTE: "6000" };
const TODAY = "2026-03-25";
const DRAFTED = "Project Alpine: questions";
const MAIL = { to: ["LeeG@contoso.com"], subject: CANARY, body: CANARY };
const APPROVED = { inputResponses: { approval: YES } };

type Answer = CallResult & {
  readonly requestState?: string;
  readonly inputRequests?: { readonly approval: { readonly params: { readonly message: string } } };
};

let stack: Stack;
let tap: WireTap;
let logged = "";
beforeAll(async () => {
  tap = startWireTap();
  stack = await startStack("easy-auth", SETTINGS);
});
afterAll(async () => {
  tap.stop();
  await stack.close();
});
beforeEach(() => {
  stack.graph.switches["graph.today"] = TODAY;
  meetings().splice(0, meetings().length, ...createCalendars()(new Date(TODAY)).meetings);
  for (const [id, mailbox] of createMailboxes()) stack.tenant.mailboxes.set(id, mailbox);
  stack.tenant.chats.splice(0, Number.POSITIVE_INFINITY, ...createChats(CONTOSO.tenantId));
  stack.graph.traffic.clear();
  tap.clear();
});
afterEach(() => {
  stack.graph.traffic.recover();
  logged += stack.server.output();
});

const meetings = (): Meeting[] => stack.tenant.calendarAround(new Date(TODAY)).meetings;
const sent = () => stack.graph.traffic.count("POST", /\/(?:sendMail|send)$/);

/** A token of this user, for the sample client. */
const tokenOf = (user: string, claims: Readonly<Record<string, unknown>> = {}) =>
  stack.entra.issueAccessToken({
    user,
    client: CONTOSO.sampleClientId,
    scope: `${stack.mcpUrl}/${CONTOSO.scope}`,
    claims,
  });

/** One round of a call. */
interface Call {
  readonly user?: string;
  /** Another server's than the stack's, and a token for it. */
  readonly url?: string;
  readonly token?: string;
  readonly name: string;
  readonly args: object;
  /** The answers of the round. */
  readonly more?: object;
  readonly signal?: AbortSignal;
}

/** One round of a call of 2026-07-28, by a client that can show forms: its JSON-RPC answer. */
async function send({ user = "AdeleV", url = stack.mcpUrl, token, name, args, more = {}, signal }: Call) {
  const { headers } = mcpRequest("2026-07-28", "tools/call", { name });
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": { elicitation: { form: {} } },
  };
  const params = { name, arguments: args, _meta, ...more };
  const response = await fetch(url, {
    method: "POST",
    headers: [
      ...headers.map(([key, value]): [string, string] => [key, value]),
      ["authorization", `Bearer ${token ?? (await tokenOf(user))}`],
    ],
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params }),
    signal: signal ?? null,
  });
  const text = await response.text();
  const data = text
    .split("\n")
    .findLast((line) => line.startsWith("data: "))
    ?.slice("data: ".length);
  return JSON.parse(data ?? text) as { readonly result: Answer; readonly error?: { readonly code: number } };
}

/** What the person is asked, and the state that belongs to it. */
async function ask(call: Call) {
  const { result } = await send(call);
  return { question: result.inputRequests?.approval.params.message ?? "", requestState: result.requestState };
}

/** The round in which the person approved. */
async function approvedRound(call: Call, token?: string): Promise<Call> {
  const round = { ...call, ...(token !== undefined && { token }) };
  const { requestState } = await ask(round);
  return { ...round, more: { ...APPROVED, requestState } };
}

/** Adele's id of an event. */
async function eventId(subject: string, day: string): Promise<string | undefined> {
  const { result } = await send({ name: "list_events", args: { start: day, end: day } });
  const { events } = result.structuredContent as unknown as { events: readonly { id: string; subject: string }[] };
  return events.find((event) => event.subject === subject)?.id;
}

/** Somebody is invited to a meeting, in Outlook for example. */
function invite(subject: string, address: string): void {
  const index = meetings().findIndex((meeting) => meeting.subject === subject);
  const meeting = meetings()[index];
  const attendees = [{ name: "", address, type: "required", response: "notResponded" }] as const;
  if (meeting) meetings()[index] = { ...meeting, attendees, version: (meeting.version ?? 0) + 1 };
}

/** Changes Adele's draft; its id. */
function changeDraft(change: (draft: MailMessage) => MailMessage): string | undefined {
  const { folders = [], messages = [] } = stack.tenant.mailboxes.get(people.normal.id) ?? {};
  const changed = [...messages].map((message) => (message.subject === DRAFTED ? change(message) : message));
  stack.tenant.mailboxes.set(people.normal.id, { folders, messages: changed });
  return changed.find(({ subject }) => subject === DRAFTED)?.id;
}

describe("an approved round that is sent again", () => {
  test("twenty times at once sends once", async () => {
    const round = await approvedRound({ name: "send_mail", args: MAIL });
    const answers = await Promise.all(Array.from({ length: 20 }, () => send(round)));
    const done = answers.filter(({ result }) => result.structuredContent);

    expect(done).toHaveLength(1);
    for (const { result } of answers.filter((answer) => answer !== done[0])) {
      expect(result).toMatchObject(failureOf("already_done"));
    }
    expect(sent()).toBe(1);
  });

  test.each([
    ["Graph answered 503", { kind: "status", status: 503 }],
    ["Graph answered 504", { kind: "status", status: 504 }],
    ["the connection to Graph was cut", { kind: "reset" }],
  ] as const)("after %s sends nothing more", async (_what, fault) => {
    const round = await approvedRound({ name: "send_mail", args: MAIL });
    stack.graph.traffic.fail(fault, { path: /sendMail$/ });
    expect((await send(round)).result).toMatchObject(failureOf("outcome_unknown"));
    stack.graph.traffic.recover();

    expect((await send(round)).result).toMatchObject(failureOf("already_done"));
    expect(sent()).toBe(1);
  });

  test("because the client hung up before the answer sends nothing more", async () => {
    const round = await approvedRound({ name: "send_mail", args: MAIL });
    stack.graph.traffic.fail({ kind: "delay", ms: 300 }, { path: /sendMail$/ });
    const hangUp = new AbortController();
    const lost = send({ ...round, signal: hangUp.signal }).catch(() => "lost");
    await eventually(() => sent() === 1, "the request that sends");
    hangUp.abort();
    expect(await lost).toBe("lost");

    expect((await send(round)).result).toMatchObject(failureOf("already_done"));
    expect(sent()).toBe(1);
  });

  test("after the server was started anew sends nothing more", async () => {
    const round = await approvedRound({ name: "send_mail", args: MAIL });
    expect((await send(round)).result.structuredContent).toEqual({ sent: true });
    await stack.restart();

    expect((await send(round)).error).toMatchObject({ code: -32_602 });
    expect(sent()).toBe(1);
  });

  test("in the last second that its state is good for runs nothing more", async () => {
    const deployment = await startDeployment();
    const second = Math.ceil(Date.now() / 1000) * 1000;
    const clock = performance.now();
    vi.useFakeTimers({ toFake: ["Date"], now: second });
    const monotonic = vi.spyOn(performance, "now").mockReturnValue(clock);
    try {
      const call = { url: deployment.mcpUrl, name: "send_greeting", args: { to: "MeganB@contoso.com", text: "Hi" } };
      const round = await approvedRound(call, await deployment.token());
      await send(round);
      vi.setSystemTime(second + 10 * 60_000 + 500);
      monotonic.mockReturnValue(clock + 10 * 60_000 + 500);

      expect((await send(round)).result).toMatchObject(failureOf("already_done"));
      expect(deployment.done).toHaveLength(1);
    } finally {
      monotonic.mockRestore();
      vi.useRealTimers();
      await deployment.close();
    }
  });

  test("in the 2025 era and again in that of 2026 sends once", async () => {
    const round = await approvedRound({ name: "send_mail", args: MAIL });
    const message = callOf("send_mail", MAIL, 1, { ...round.more });
    const { last } = await postAndRead(stack.mcpUrl, message, { token: await tokenOf("AdeleV") });

    expect(last).toMatchObject({ result: { structuredContent: { sent: true } } });
    expect((await send(round)).result).toMatchObject(failureOf("already_done"));
    expect(sent()).toBe(1);
  });

  describeWithRedis("on instances that share a Redis", () => {
    let redis: Redis;
    beforeAll(async () => {
      redis = await startRedis();
      await stack.restart({ ...SETTINGS, REDIS_URL: redis.url });
    });
    afterAll(async () => {
      await stack.restart(SETTINGS);
      await redis.stop();
    });

    test("sends nothing more from another one", async () => {
      const round = await approvedRound({ name: "send_mail", args: MAIL });
      expect((await send(round)).result.structuredContent).toEqual({ sent: true });
      await stack.restart({ ...SETTINGS, REDIS_URL: redis.url });

      expect((await send(round)).result).toMatchObject(failureOf("already_done"));
      expect(sent()).toBe(1);
    });

    test("sends nothing while it cannot be told whether it is the first", async () => {
      const round = await approvedRound({ name: "send_mail", args: MAIL });
      redis.freeze();
      const { result } = await send(round).finally(() => redis.thaw());

      expect(result).toMatchObject(failureOf("unavailable"));
      expect(sent()).toBe(0);
    });
  });
});

describe("an approval", () => {
  test("is worth nothing once the role is gone", async () => {
    const round = await approvedRound({ name: "send_mail", args: MAIL });
    const token = await tokenOf("AdeleV", { roles: [] });

    expect((await send({ ...round, token })).result).toMatchObject(failureOf("forbidden"));
    expect(sent()).toBe(0);
  });

  test("of one user is none of another's", async () => {
    const round = await approvedRound({ name: "send_mail", args: MAIL });

    expect((await send({ ...round, user: "AlexW" })).error).toMatchObject({ code: -32_602 });
    expect(sent()).toBe(0);
  });

  test.each([
    ["the recipients", (draft: MailMessage) => ({ ...draft, bcc: [{ name: "", address: "spy@evil.example" }] })],
    ["the text, beyond what is shown", (draft: MailMessage) => ({ ...draft, version: draft.version + 1 })],
  ])("of a draft does not outlive a change of %s", async (_what, change) => {
    const message_id = changeDraft((draft) => draft);
    const round = await approvedRound({ name: "send_mail", args: { mode: "draft", message_id } });
    changeDraft(change);

    expect((await send(round)).result).toMatchObject({ resultType: "input_required" });
    expect(sent()).toBe(0);
  });
});

describe("an argument that the model fills", () => {
  test.each([
    ["send_mail", MAIL],
    ["create_event", { subject: CANARY, start: TODAY, end: TODAY, attendees: ["kim@fabrikam.com"] }],
    ["update_event", { event_id: "x", subject: CANARY }],
    ["respond_to_event", { event_id: "x", response: "decline" }],
    ["cancel_event", { event_id: "x" }],
    ["upload_file", { drive_id: "x", item_id: "y", content: CANARY }],
    ["send_chat_message", { chat_id: "x", text: CANARY }],
  ])("is no approval: %s", async (name, args) => {
    for (const more of [{ approve: true }, { confirm: true }, { [CANARY]: YES }, APPROVED]) {
      expect((await send({ name, args: { ...args, ...more } })).result).toMatchObject(failureOf("invalid_arguments"));
    }
    expect(stack.graph.traffic.requests).toEqual([]);
  });
});

describe("what the person is not shown", () => {
  test("words to an organizer are asked about whatever the answer is", async () => {
    const event_id = await eventId("Assortment planning", "2026-03-27");
    for (const response of ["accept", "tentative"]) {
      const args = { event_id, response, comment: CANARY };
      expect((await ask({ name: "respond_to_event", args })).question.split("\n")).toEqual([
        `${response === "accept" ? "Accept" : "Tentatively accept"} "Assortment planning"?`,
        "When: 2026-03-27 13:00 to 14:00 (Pacific Standard Time)",
        "To: LynneR@contoso.com",
        `Text (${CANARY.length} characters):`,
        `> ${CANARY}`,
      ]);
    }
    expect(stack.graph.traffic.count("POST", /\/events\//)).toBe(0);
  });

  test("a draft is shown with whose name it bears and where answers go", async () => {
    const [from, replyTo] = ["boss@contoso.com", "spy@evil.example"].map((address) => ({
      name: "Adele Vance",
      address,
    }));
    const id = changeDraft((draft) => ({ ...draft, ...(from && { from }), ...(replyTo && { replyTo: [replyTo] }) }));

    expect((await ask({ name: "send_mail", args: { mode: "draft", message_id: id } })).question.split("\n")).toEqual([
      "Send this draft?",
      "To: kim@fabrikam.com (EXTERNAL)",
      "From: boss@contoso.com",
      "Answers go to: spy@evil.example (EXTERNAL)",
      `Subject: ${DRAFTED}`,
      "Text (25 characters):",
      "> Kim, what about clause 7?",
    ]);
  });

  test("somebody invited at the last moment is told nothing that was not asked", async () => {
    const created = { subject: "Alone", start: "2026-03-28T10:00", end: "2026-03-28T11:00" };
    const { result } = await send({ name: "create_event", args: created });
    const { id: event_id } = result.structuredContent as { id: string };
    stack.graph.traffic.clear();
    stack.graph.traffic.fail({ kind: "delay", ms: 300 }, { path: /\/events\/[^/]*\?/ });
    const call = send({ name: "update_event", args: { event_id, subject: CANARY } });
    // The first one decides whether to ask, the second one is what will be changed.
    await eventually(() => stack.graph.traffic.count("GET", /\/events\//) === 2, "the second look at the event");
    invite("Alone", "kim@fabrikam.com");

    expect((await call).result).toMatchObject(failureOf("conflict"));
    expect(stack.graph.traffic.count("PATCH", /./)).toBe(0);
  });

  test("nothing that nobody sees is written into a file", async () => {
    const name = "notes.md";
    await send({ name: "upload_file", args: { name, content: " a\u200b\u{e0041}b\n" } });

    expect(tap.requests.find(({ method }) => method === "PUT")?.body()).toBe(" ab\n");
  });

  test.each([
    ["an address of another system within one's own", "IMCEASMTP-bob+40evil+2Eexample@contoso.com"],
    ["one's own domain within another", "bob@contoso.com.evil.example"],
    ["a domain below one's own", "bob@mail.contoso.com"],
    ["a dot at the end", "bob@contoso.com."],
    ["a letter that looks alike", "bob@c\u043entoso.com"],
    ["another sign for @", "bob\uff20contoso.com\u2800@evil.example"],
  ])("%s is marked as external", async (_what, address) => {
    const { question } = await ask({ name: "send_mail", args: { to: [address] } });

    expect(question.split("\n")[1]).toBe(`To: ${address} (EXTERNAL)`);
  });

  test("where Teams does not say which member is the user, all others count as of another organisation", async () => {
    const chat = stack.tenant.chats.find(({ id, members }) => id.endsWith("@thread.v2") && members.length > 1);
    for (const [index, member] of (chat?.members ?? []).entries()) {
      if (chat && member.userId === people.normal.id) chat.members[index] = { ...member, email: "adele@alias.example" };
      else if (chat) chat.members[index] = { ...member, tenantId: "3c9d5e72-8f14-4b6a-9e20-7d1f0a4c8b35" };
    }
    const { question } = await ask({ name: "send_chat_message", args: { chat_id: chat?.id, text: CANARY } });
    const members = question.split("\n")[2]?.split(", ") ?? [];

    expect(members).toHaveLength(chat?.members.length ?? 0);
    expect(members.filter((member) => !member.endsWith("(EXTERNAL)"))).toEqual([]);
  });
});

test("the same event of two users has two names, and of one user one", async () => {
  const call = { name: "create_event", args: { subject: CANARY, start: TODAY, end: TODAY } };
  for (const user of ["AdeleV", "AlexW", "AdeleV"]) await send({ ...call, user });
  const names = tap.requests
    .filter(({ method, url }) => method === "POST" && url === "/v1.0/me/events")
    .map((request) => (JSON.parse(request.body()) as { transactionId: string }).transactionId);

  expect(names).toHaveLength(3);
  expect(names[0]).toBe(names[2]);
  expect(new Set(names).size).toBe(2);
  expect(meetings().filter(({ subject }) => subject === CANARY)).toHaveLength(2);
});

test("nothing of all this was logged", () => {
  expect(logged).toContain('"decision":"approved"');
  expect(logged).not.toContain(CANARY);
  expect(logged).not.toMatch(/Send this|LeeG@|fabrikam/);
});
