import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { NoAnswerError } from "../../src/verify/probe.ts";
import type { Report } from "../../src/verify/report.ts";
import { verifyDeployment } from "../../src/verify/verify.ts";
import { createRawClient, signInAtBroker } from "../support/broker.ts";
import { userToken } from "../support/forged-tokens.ts";
import { freePort } from "../support/server-process.ts";
import { type AuthMode, type Stack, startStack } from "../support/stack.ts";
import { detailOf, expiredUserToken, namesOf } from "./reports.ts";

const MAIN = join(import.meta.dirname, "../../dist/verify/main.js");

/** Runs the built command. */
async function verify(args: readonly string[], environment: Record<string, string> = {}) {
  return promisify(execFile)(process.execPath, [MAIN, ...args], { env: { ...process.env, ...environment } }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
}

describe.each(["easy-auth", "bearer"] as const)("a correct deployment with AUTH_MODE=%s", (mode) => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack(mode);
  });
  afterAll(() => stack.close());

  test("has no findings, and with tokens nothing of the signed-in side is left out", async () => {
    const report = await verifyDeployment(new URL(stack.mcpUrl), {
      token: await userToken(stack),
      expiredToken: await expiredUserToken(stack),
    });

    expect(namesOf(report, "finding")).toEqual([]);
    expect(namesOf(report, "unknown")).toEqual([]);
    expect(namesOf(report, "ok")).toEqual(
      expect.arrayContaining([
        "expired-token",
        "tampered-token",
        "2026-07-28",
        "2025-11-25",
        "session",
        "foreign-origin",
      ]),
    );
    expect(report.front).toBe(mode === "easy-auth" ? "App Service Authentication" : "the server itself");
    expect(detailOf(report, "registration")).toBe("the server is no broker");
  });

  test("is only read: Microsoft Graph is asked for one profile per era and for nothing else", async () => {
    stack.graph.traffic.clear();
    await verifyDeployment(new URL(stack.mcpUrl), { token: await userToken(stack, "AlexW") });

    expect(stack.graph.traffic.requests.every(({ method }) => method === "GET" || method === "POST")).toBe(true);
    const targets = new Set(stack.graph.traffic.requests.map(({ url }) => url.replace(/\?.*/, "")));
    expect([...targets].filter((target) => !/^\/v1\.0\/(?:\$batch|me(?:\/mailboxSettings)?)$/.test(target))).toEqual(
      [],
    );
  });

  test("gets exit code 0 from the command, and a report that names the checks", async () => {
    const { code, stdout } = await verify([new URL(stack.mcpUrl).origin]);

    expect(code).toBe(0);
    expect(stdout).toContain(stack.mcpUrl);
    expect(stdout).toMatch(/ok +scopes +the published scope is below the resource/);
    expect(stdout).toContain("0 findings");
  });
});

describe("a correct deployment with AUTH_MODE=broker", () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack("broker");
  });
  afterAll(() => stack.close());

  test("has no findings, and with a token nothing of the signed-in side is left out", async () => {
    const raw = await createRawClient(stack.serverOrigin);
    const code = (await signInAtBroker(raw.authorizeUrl(), { as: "AdeleV" })).searchParams.get("code") ?? "";
    const { body } = await raw.redeem(code);
    const report = await verifyDeployment(new URL(stack.mcpUrl), { token: body["access_token"] ?? "" });

    expect(namesOf(report, "finding")).toEqual([]);
    expect(namesOf(report, "unknown")).toEqual([]);
    expect(namesOf(report, "ok")).toEqual(
      expect.arrayContaining([
        "registration",
        "authorization-requests",
        "confused-algorithm",
        "2026-07-28",
        "2025-11-25",
      ]),
    );
  });

  test("asks Entra ID for nothing, and nobody to sign in", async () => {
    stack.entra.traffic.clear();
    await verifyDeployment(new URL(stack.mcpUrl));

    expect(stack.entra.traffic.requests).toEqual([]);
  });

  test("gets exit code 0 from the command, and a report that says that it is one", async () => {
    const { code, stdout } = await verify([new URL(stack.mcpUrl).origin]);

    expect(code).toBe(0);
    expect(stdout).toMatch(/ok +authorization-server +the server itself \(broker\)/);
    expect(stdout).toMatch(/ok +sign-in-pages +the pages of a sign-in/);
    expect(stdout).toContain("0 findings");
  });

  test("is looked at within the limits of a deployment that sets none", async () => {
    await stack.restart({ REGISTRATIONS_PER_MINUTE: "60" });
    const report = await verifyDeployment(new URL(stack.mcpUrl));

    expect(namesOf(report, "finding")).toEqual([]);
    expect(namesOf(report, "unknown")).toEqual([]);
  });
});

describe("the command", () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack();
  });
  afterAll(() => stack.close());

  test("--json prints the report, with the token taken from the environment and repeated nowhere", async () => {
    const token = await userToken(stack);
    const { code, stdout, stderr } = await verify([stack.mcpUrl, "--json"], { VERIFY_TOKEN: token });

    const report = JSON.parse(stdout) as Report;
    expect(code).toBe(0);
    expect(report.url).toBe(stack.mcpUrl);
    expect(report.results).toContainEqual({ check: "token", outcome: "ok", detail: "the token is accepted" });
    expect(stdout + stderr).not.toContain(token.slice(0, 40));
  });

  test("ends with 1 and says the fix where something is wrong", async () => {
    const settings = stack.appService?.appSettings ?? {};
    settings["WEBSITE_AUTH_PRM_DEFAULT_WITH_SCOPES"] = "api://c4f2c6a1-8d5b-4e0e-a6f7-2f6f5f1f9b10/user_impersonation";
    stack.appService?.restart();
    const { code, stdout } = await verify([stack.mcpUrl]);

    expect(code).toBe(1);
    expect(stdout).toMatch(/FINDING +scopes .*AADSTS9010010/);
    expect(stdout).toContain(`Fix: Make ${stack.mcpUrl} an identifier URI`);
    expect(stdout).toContain("1 finding,");
  });

  test.each([
    { name: "no address", args: [], says: "Usage: npm run verify" },
    { name: "something that is no address", args: ["contoso"], says: "Usage: npm run verify" },
    { name: "an unknown option", args: ["https://contoso.example", "--fast"], says: "Unknown option '--fast'" },
  ])("ends with 2 for $name", async ({ args, says }) => {
    const { code, stderr } = await verify(args);
    expect(code).toBe(2);
    expect(stderr).toContain(says);
  });

  test("ends with 2 and one sentence where nobody answers", async () => {
    const { code, stderr } = await verify([`http://localhost:${await freePort()}/mcp`]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^http:\/\/localhost:\d+\/mcp did not answer \(ECONNREFUSED\)\.\n$/);
  });
});

test("a server that hangs is given up after the time limit", async () => {
  const stack = await startStack("bearer" satisfies AuthMode);
  stack.server.signal("SIGSTOP");
  try {
    await expect(verifyDeployment(new URL(stack.mcpUrl), { timeoutMs: 300 })).rejects.toThrow(NoAnswerError);
  } finally {
    stack.server.signal("SIGCONT");
    await stack.close();
  }
});
