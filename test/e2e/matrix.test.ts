import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CLIENTS, connect } from "../support/mcp-clients.ts";
import { type AuthMode, type Stack, startStack } from "../support/stack.ts";

const GOLDEN = new URL("../__snapshots__/tools.json", import.meta.url);
const reviewed = JSON.parse(readFileSync(GOLDEN, "utf8")) as { name: string }[];
const EVERYTHING = { ALLOW_WRITES: "true", TOOLSETS: "profile,people,mail,calendar,files,tasks,teams" };
const BY_DEFAULT = [
  "get_my_profile",
  "search_people",
  "get_user",
  "search_messages",
  "get_message",
  "get_message_attachment",
  "list_events",
  "get_event",
  "get_schedule",
  "search_files",
  "list_folder",
  "read_file",
];

describe.each<AuthMode>(["easy-auth", "bearer"])("server in AUTH_MODE=%s", (mode) => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack(mode, EVERYTHING);
  });
  afterAll(() => stack.close());

  test.each(CLIENTS)("%s signs in, lists the tools and reads the profile of who signed in", async (kind) => {
    const client = await connect(kind, stack.mcpUrl, { signIn: { as: "AdeleV" } });

    expect(client.protocolVersion()).toBe(kind.slice(-11, -1));
    expect((await client.listTools()).map(({ name }) => name)).toEqual(reviewed.map(({ name }) => name));
    const result = await client.call("get_my_profile", { include_mailbox: true });
    expect(result.structuredContent).toEqual({
      id: "87d349ed-44d7-43e1-9a83-5f2406dee5bd",
      name: "Adele Vance",
      upn: "AdeleV@contoso.com",
      email: "AdeleV@contoso.com",
      job_title: "Retail Manager",
      department: "Retail",
      office: "18/2111",
      language: "en-US",
      mailbox: {
        timezone: "Pacific Standard Time",
        working_days: ["monday", "tuesday", "wednesday", "thursday", "friday"],
        working_hours: "08:00-17:00",
      },
    });
    expect(JSON.parse(result.content[0]?.text ?? "")).toEqual(result.structuredContent);
    expect(client.oauth?.authorizationUrl?.searchParams.get("resource")).toBe(stack.mcpUrl);
    await client.close();
  });

  test("offers the twelve tools that read where nothing else is set", async () => {
    await stack.restart({});
    const client = await connect("sdk v2 (2026-07-28)", stack.mcpUrl, { signIn: { as: "AdeleV" } });
    expect((await client.listTools()).map(({ name }) => name)).toEqual(BY_DEFAULT);
    await client.close();
  });
});
