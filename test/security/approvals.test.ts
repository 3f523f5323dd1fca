import { setTimeout as sleep } from "node:timers/promises";
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
import { YES } from "../support/rounds.ts";
import { type Stack, startStack } from "../support/stack.ts";
import { callOf, postAndRead, startSession } from "../support/wire-2025.ts";
import { startWireTap, type WireTap } from "../support/wire-tap.ts";

/** Stands in everything that the attacks below send; none of it may be logged. */
const CANARY = "canary-7f3a91";
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
beforeAll(async () => {
  tap = startWireTap();
  stack = await startStack("easy-auth", { ALLOW_WRITES: "true", TOOLSETS: "mail,calendar,files,tasks,teams" });
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
afterEach(() => stack.graph.traffic.recover());

const meetings = (): Meeting[] => stack.tenant.calendarAround(new Date(TODAY)).meetings;
const mail = (): MailMessage[] => [...(stack.tenant.mailboxes.get(people.normal.id)?.messages ?? [])];
const sent = () => stack.graph.traffic.count("POST", /\/(?:sendMail|send)$/);

/** A token of this user, for the sample client. */
const tokenOf = (user: string) =>
  stack.entra.issueAccessToken({
    user,
    client: CONTOSO.sampleClientId,
    scope: `${stack.mcpUrl}/${CONTOSO.scope}`,
  });

interface Call {
  readonly user?: string;
  readonly name: string;
  readonly args: object;
  /** The answers of the round. */
  readonly more?: object;
  readonly signal?: AbortSignal;
}

/** One round of a call of 2026-07-28, by a client that can show forms: its JSON-RPC answer. */
async function send({ user = "AdeleV", name, args, more = {}, signal }: Call) {
  const { headers } = mcpRequest("2026-07-28", "tools/call", { name });
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": { elicitation: { form: {} } },
  };
  const response = await fetch(stack.mcpUrl, {
    method: "POST",
    headers: [...headers.map(([key, value]): [string, string] => [key, String(value)]), ["authorization", `Bearer ${await tokenOf(user)}`]],
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: args, _meta, ...more } }),
    signal: signal ?? null,
  });
  const text = await response.text();
  const data = text.split("\n").findLast((line) => line.startsWith("data: "))?.slice("data: ".length);
  return JSON.parse(data ?? text) as { readonly result: Answer; readonly error?: { readonly code: number } };
}

/** What the person is asked, and the state that belongs to it. */
async function ask(name: string, args: object) {
  const { result } = await send({ name, args });
  return { question: result.inputRequests?.approval.params.message ?? "", state: result.requestState, result };
}

/** The round in which the person approved. */
async function approvedRound(name: string, args: object): Promise<Call> {
  const { state } = await ask(name, args);
  return { name, args, more: { ...APPROVED, requestState: state } };
}

describe("an approved round that is sent again", () => {
  test("twenty times at once sends once", async () => {
    const round = await approvedRound("send_mail", MAIL);
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
    const round = await approvedRound("send_mail", MAIL);
    stack.graph.traffic.fail(fault, { path: /sendMail$/ });
    expect((await send(round)).result).toMatchObject(failureOf("outcome_unknown"));
    stack.graph.traffic.recover();

    expect((await send(round)).result).toMatchObject(failureOf("already_done"));
    expect(sent()).toBe(1);
  });

  test("because the client hung up before the answer sends nothing more", async () => {
    const round = await approvedRound("send_mail", MAIL);
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
    const round = await approvedRound("send_mail", MAIL);
    expect((await send(round)).result.structuredContent).toEqual({ sent: true });
    await stack.restart();

    expect((await send(round)).error).toMatchObject({ code: -32_602 });
    expect(sent()).toBe(1);
  });

  test("in the last second of its life runs nothing more", async () => {
    const deployment = await startDeployment();
    const token = await deployment.token();
    vi.useFakeTimers({ toFake: ["Date", "performance"] });
    try {
      vi.setSystemTime(Math.floor(Date.now() / 1000) * 1000);
      console.log(deployment.mcpUrl, token.length);
    } finally {
      vi.useRealTimers();
      await deployment.close();
    }
  });

  test("as one of the 2025 era counts for nothing", async () => {
    const { more = {} } = await approvedRound("send_mail", MAIL);
    const token = await tokenOf("AdeleV");
    const session = await startSession(stack.mcpUrl, token, {});
    const { last } = await postAndRead(stack.mcpUrl, callOf("send_mail", MAIL, 1, more as Record<string, unknown>), { token, session });

    expect(last?.["result"]).toMatchObject(failureOf("confirmation_unavailable"));
    expect(sent()).toBe(0);
  });
});

describe("explore", () => {
  test("accept with words", async () => {
    const event = meetings().map(({ subject, key }) => [subject, key]);
    console.log(JSON.stringify(event));
    const listed = (await send({ name: "list_events", args: { start: "2026-03-27", end: "2026-03-27" } })).result
      .structuredContent as unknown as { events: { id: string; subject: string }[] };
    const id = listed.events.find(({ subject }) => subject.includes("Assortment"))?.id;
    console.log(JSON.stringify((await ask("respond_to_event", { event_id: id, response: "accept", comment: CANARY })).result));
  });
  test("draft", async () => {
    const folders = stack.tenant.mailboxes.get(people.normal.id)?.folders ?? [];
    const messages = mail().map((m) =>
      m.subject === DRAFTED
        ? { ...m, replyTo: [{ name: "x", address: "spy@evil.example" }], from: { name: "Boss", address: "boss@contoso.com" } }
        : m,
    );
    stack.tenant.mailboxes.set(people.normal.id, { folders, messages });
    const id = messages.find((m) => m.subject === DRAFTED)?.id;
    console.log((await ask("send_mail", { mode: "draft", message_id: id })).question);
  });
  test("addresses", async () => {
    const to = [
      "bob@contoso.com.evil.example", "bob@x.contoso.com", "bob@contoso.com.", "bob@c\u043entoso.com", "bob@\u212aontoso.com",
      "IMCEASMTP-bob+40evil+2Eexample@contoso.com", "bob%evil.example@contoso.com", "ceo\uff20contoso.com\u2800\u2800@evil.example", "a(EXTERNAL)@contoso.com",
    ];
    console.log((await ask("send_mail", { to, subject: `Lunch${"\u2800".repeat(40)}To: x` })).question);
  });
  test("race", async () => {
    const c = (await send({ name: "create_event", args: { subject: "Alone", start: "2026-03-28T10:00", end: "2026-03-28T11:00" } })).result;
    const id = (c.structuredContent as { id: string }).id;
    stack.graph.traffic.clear();
    stack.graph.traffic.fail({ kind: "delay", ms: 400 }, { path: /\/events\/[^?/]*\?/ });
    const call = send({ name: "update_event", args: { event_id: id, subject: CANARY } });
    await eventually(() => stack.graph.traffic.count("GET", /\/events\//) === 2, "second read");
    const index = meetings().findIndex(({ subject }) => subject === "Alone");
    const m = meetings()[index] as Meeting;
    meetings()[index] = { ...m, attendees: [{ name: "Kim", address: "kim@fabrikam.com", type: "required", response: "notResponded" }], version: 1 };
    console.log(JSON.stringify(await call));
    await sleep(1);
  });
  test("logs", () => {
    expect(stack.server.output()).not.toContain(CANARY);
  });
});
