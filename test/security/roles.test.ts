import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { people } from "../../emulators/contoso/users.ts";
import { auditLine } from "../support/audit-lines.ts";
import { type TokenChoices, userToken } from "../support/forged-tokens.ts";
import { ERAS, type Era, mcpRequest, messageIn, toolCall } from "../support/mcp-messages.ts";
import { type RawAnswer, sendRaw } from "../support/raw-http.ts";
import { type Stack, startStack } from "../support/stack.ts";
import { startWireTap } from "../support/wire-tap.ts";

const DRAFT = { to: ["MeganB@contoso.com"], subject: "Hello", body: "Hello Megan" };
const NEEDS_ROLE = "create_draft changes data and needs the app role Mcp.Write. An administrator can assign it to you.";
const READ_ONLY = "create_draft changes data, and this server is read-only (ALLOW_WRITES).";

interface ToolAnswer {
  readonly result?: {
    readonly isError?: boolean;
    readonly content: readonly { readonly text: string }[];
    readonly tools?: readonly { readonly name: string }[];
    readonly _meta?: Readonly<Record<string, unknown>>;
  };
  readonly error?: { readonly code: number; readonly message: string };
}

let stack: Stack;
beforeAll(async () => {
  stack = await startStack("easy-auth", { ALLOW_WRITES: "true" });
});
afterAll(() => stack.close());

async function send(message: ReturnType<typeof toolCall>, user: string, choices?: TokenChoices): Promise<RawAnswer> {
  const token = await userToken(stack, user, choices);
  const headers = [["Authorization", `Bearer ${token}`], ...message.headers] as const;
  return sendRaw(new URL(stack.mcpUrl).origin, { headers, body: message.body });
}

async function callDraft(user: string, choices?: TokenChoices, era?: Era) {
  stack.graph.traffic.clear();
  const answer = await send(toolCall("create_draft", DRAFT, era), user, choices);
  return { answer, message: answer.status === 200 ? (messageIn(answer) as ToolAnswer) : undefined };
}

async function namesFor(user: string, choices?: TokenChoices): Promise<readonly string[]> {
  const { result } = messageIn(await send(mcpRequest("2026-07-28", "tools/list"), user, choices)) as ToolAnswer;
  return (result?.tools ?? []).map(({ name }) => name);
}

const refusal = (text: string) => ({
  isError: true,
  content: [{ type: "text", text }],
  _meta: { "azure-graph-mcp/error": { code: "forbidden" } },
});

describe("an app role", () => {
  test("that a user has shows the tools that change data, and lets them be called", async () => {
    expect(await namesFor("AdeleV")).toContain("create_draft");

    const { message } = await callDraft("AdeleV");

    expect(message?.result?.isError).toBeUndefined();
    expect(stack.graph.traffic.count("POST", /\/me\/messages$/)).toBe(1);
  });

  test.each(ERAS)(
    "that a user lacks hides them, and a call by name is refused, audited and reaches nobody (%s)",
    async (era) => {
      expect(await namesFor(people.noRole.id)).not.toContain("create_draft");

      const { answer, message } = await callDraft(people.noRole.id, {}, era);

      expect(message?.result).toMatchObject(refusal(NEEDS_ROLE));
      expect(stack.graph.traffic.requests).toEqual([]);
      expect(await auditLine(stack, answer.headers["x-request-id"])).toMatchObject({
        audit: "tool_call",
        decision: "denied",
        reason: "forbidden",
        tool: "create_draft",
        userId: people.noRole.id,
      });
    },
  );

  test.each<[string, Readonly<Record<string, unknown>>]>([
    ["a claim with another name", { roles: undefined, role: ["Mcp.Write"] }],
    ["the groups", { roles: undefined, groups: ["Mcp.Write"] }],
    ["the directory roles", { roles: undefined, wids: ["Mcp.Write"] }],
    ["a text instead of a list", { roles: "Mcp.Write.Not" }],
    ["another case", { roles: ["mcp.write"] }],
    ["a longer name", { roles: ["Mcp.Write.All"] }],
  ])("that stands in %s does not count", async (_where, claims) => {
    const { message } = await callDraft("AdeleV", { claims });

    expect(message?.result ?? { isError: true }).toMatchObject({ isError: true });
    expect(stack.graph.traffic.requests).toEqual([]);
  });

  test("that was taken away counts no more with the next token", async () => {
    const before = await callDraft("AdeleV");
    const after = await callDraft("AdeleV", { claims: { roles: [] } });

    expect(before.message?.result?.isError).toBeUndefined();
    expect(after.message?.result).toMatchObject(refusal(NEEDS_ROLE));
  });

  test("does not help where the server is read-only: hidden, refused and audited", async () => {
    await stack.restart({});
    try {
      expect(await namesFor("AdeleV")).not.toContain("create_draft");

      const { answer, message } = await callDraft("AdeleV");

      expect(message?.result).toMatchObject(refusal(READ_ONLY));
      expect(await auditLine(stack, answer.headers["x-request-id"])).toMatchObject({ decision: "denied" });
    } finally {
      await stack.restart();
    }
  });

  test("does not bring in a toolset that is off", async () => {
    const answer = await send(toolCall("send_chat_message", { chat_id: "19:x@thread.v2", text: "Hello" }), "AdeleV");

    expect(await namesFor("AdeleV")).not.toContain("send_chat_message");
    expect((messageIn(answer) as ToolAnswer).error).toMatchObject({ code: -32602 });
  });

  test("decides which permissions the Graph token is asked for with", async () => {
    const asked = async (user: string) => {
      const tap = startWireTap();
      try {
        await send(toolCall("get_my_profile"), user, { claims: { nonce: user } });
        const bodies = tap.requests.filter(({ url }) => url.includes("/oauth2/v2.0/token")).map(({ body }) => body());
        const exchange = bodies.map((body) => new URLSearchParams(body)).find((body) => body.has("assertion"));
        return exchange?.get("scope")?.split(" ") ?? [];
      } finally {
        tap.stop();
      }
    };
    const mailSend = `${stack.graph.origin}/Mail.Send`;

    expect(await asked("AdeleV")).toContain(mailSend);
    expect(await asked(people.noRole.id)).toContain(`${stack.graph.origin}/Mail.Read`);
    expect(await asked(people.noRole.id)).not.toContain(mailSend);
  });
});

describe("WRITE_SCOPE", () => {
  beforeAll(() => stack.restart({ ALLOW_WRITES: "true", WRITE_SCOPE: "Mcp.Write" }));
  afterAll(() => stack.restart());

  test.each(ERAS)(
    "that a token lacks is asked for with everything else a call needs, before it runs (%s)",
    async (era) => {
      const { answer } = await callDraft("AdeleV", {}, era);

      expect(answer.status).toBe(403);
      expect(answer.headers["www-authenticate"]).toBe(
        `Bearer error="insufficient_scope", error_description="create_draft changes data and needs another scope.", ` +
          `scope="${stack.mcpUrl}/user_impersonation ${stack.mcpUrl}/Mcp.Write", ` +
          `resource_metadata="${new URL(stack.mcpUrl).origin}/.well-known/oauth-protected-resource/mcp"`,
      );
      expect(stack.graph.traffic.requests).toEqual([]);
      expect(await auditLine(stack, answer.headers["x-request-id"])).toMatchObject({
        decision: "denied",
        reason: "insufficient_scope",
        tool: "create_draft",
      });
    },
  );

  test.each(ERAS)("that a token has lets the call run (%s)", async (era) => {
    const claims = { scp: "user_impersonation Mcp.Write" };

    expect((await callDraft("AdeleV", { claims }, era)).message?.result?.isError).toBeUndefined();
  });

  test("is not asked for from a user whom it would not help, nor for reading", async () => {
    expect((await callDraft(people.noRole.id)).message?.result).toMatchObject(refusal(NEEDS_ROLE));
    expect((await send(toolCall("get_my_profile"), "AdeleV")).status).toBe(200);
  });
});
