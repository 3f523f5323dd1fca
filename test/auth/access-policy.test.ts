import { describe, expect, test } from "vitest";
import { decideAccess } from "../../src/auth/access-policy.ts";
import { ADELE } from "../support/callers.ts";

const READ_ONLY = { allowWrites: false, writeRole: "Mcp.Write" };
const WRITABLE = { allowWrites: true, writeRole: "Mcp.Write" };
const withRoles = (...roles: string[]) => ({ ...ADELE, roles });

describe("a tool that reads", () => {
  test.each([
    ["without any role on a read-only server", withRoles(), READ_ONLY],
    ["with the role on a server that writes", withRoles("Mcp.Write"), WRITABLE],
  ])("is allowed to a caller %s", (_situation, principal, rules) => {
    expect(decideAccess({ name: "get_user", effect: "read" }, principal, rules)).toEqual({ allowed: true });
  });
});

describe.each(["write", "destructive"] as const)("a tool whose effect is %s", (effect) => {
  const tool = { name: "send_mail", effect };

  test("is denied on a read-only server even to a caller with the role", () => {
    expect(decideAccess(tool, withRoles("Mcp.Write"), READ_ONLY)).toEqual({
      allowed: false,
      denied: "send_mail changes data, and this server is read-only (ALLOW_WRITES).",
    });
  });

  test.each([
    ["without roles", withRoles()],
    ["with another role", withRoles("Mcp.Read")],
    ["with the role in another spelling", withRoles("mcp.write", "Mcp.Write ")],
    ["whose scope is called like the role", { ...withRoles(), scopes: ["Mcp.Write"] }],
  ])("is denied to a caller %s, with the name of the role", (_situation, principal) => {
    expect(decideAccess(tool, principal, WRITABLE)).toEqual({
      allowed: false,
      denied: "send_mail changes data and needs the app role Mcp.Write. An administrator can assign it to you.",
    });
  });

  test("is allowed to a caller with the role, among others", () => {
    expect(decideAccess(tool, withRoles("Mcp.Read", "Mcp.Write"), WRITABLE)).toEqual({ allowed: true });
  });

  test("asks for the role that the server is configured with", () => {
    expect(decideAccess(tool, withRoles("Mcp.Write"), { allowWrites: true, writeRole: "Graph.Write" })).toEqual({
      allowed: false,
      denied: "send_mail changes data and needs the app role Graph.Write. An administrator can assign it to you.",
    });
  });
});
