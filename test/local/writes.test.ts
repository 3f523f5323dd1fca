import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { answerSignIn, Browser } from "../support/browser.ts";
import { CLIENTS } from "../support/mcp-clients.ts";
import { type Machine, type Question, startMachine } from "./local-server.ts";

vi.setConfig({ testTimeout: 40_000 });

const ERROR = "azure-graph-mcp/error";
const MAIL = { to: ["AlexW@contoso.com"], subject: "Lunch", body: "At noon?" };

let machine: Machine;
beforeAll(async () => {
  machine = await startMachine();
});
afterEach(() => machine.reset());
afterAll(() => machine.close());

const sent = () => machine.cloud.graph.traffic.count("POST", /sendMail|\/send$/);

describe.each(CLIENTS)("tools that change something, with %s", (kind) => {
  test("are off: they are not listed, and a call is refused without a sign-in", async () => {
    const client = await machine.connect(kind);

    expect((await client.listTools()).map(({ name }) => name)).not.toContain("send_mail");
    expect(await client.call("send_mail", MAIL)).toMatchObject({
      isError: true,
      content: [{ text: "send_mail changes data, and this server is read-only (ALLOW_WRITES)." }],
      _meta: { [ERROR]: { code: "forbidden" } },
    });
    expect(await machine.opened()).toEqual([]);
  });

  test("--allow-writes: they are listed, and ask the person after the sign-in", async () => {
    const before = sent();
    const questions: Question[] = [];
    let approve = false;
    const client = await machine.connect(kind, {
      args: ["--allow-writes", "--toolsets", "profile,mail"],
      async elicit(question) {
        questions.push(question);
        if (question.mode !== "url") return { action: "accept", content: { approve } };
        const person = new Browser();
        void person.open(question.url ?? "").then((page) => answerSignIn(person, page, { as: "AdeleV" }));
        return { action: "accept" };
      },
    });
    expect((await client.listTools()).map(({ name }) => name)).toContain("send_mail");

    expect(await client.call("send_mail", MAIL)).toMatchObject({
      isError: true,
      _meta: { [ERROR]: { code: "not_confirmed" } },
    });
    expect([questions.map(({ mode }) => mode ?? "form"), sent() - before]).toEqual([["url", "form"], 0]);
    expect(questions[1]?.message).toContain("AlexW@contoso.com");

    approve = true;
    expect((await client.call("send_mail", MAIL)).isError).toBeFalsy();
    expect([questions.length, sent() - before]).toEqual([3, 1]);
  });

  test("--allow-writes, and a client that cannot ask: nothing is sent", async () => {
    const before = sent();
    const client = await machine.connect(kind, { args: ["--allow-writes", "--toolsets", "mail"] });
    const call = client.call("send_mail", MAIL);
    await machine.signIn({ as: "AdeleV" });

    expect(await call).toMatchObject({ isError: true, _meta: { [ERROR]: { code: "confirmation_unavailable" } } });
    expect(sent() - before).toBe(0);
  });
});
