import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, expect, test } from "vitest";
import { NewcomerSession, signInAtBroker } from "../support/broker.ts";
import { connect } from "../support/mcp-clients.ts";
import { freePort } from "../support/server-process.ts";

const DEV = join(import.meta.dirname, "../../emulators/dist/dev.js");
const run = promisify(execFile);
const started: ChildProcess[] = [];
afterEach(async () => {
  // SIGTERM and not SIGKILL: the server is a process of its own, which only its parent can end.
  for (const child of started.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = once(child, "close");
    child.kill("SIGTERM");
    await ended;
  }
});

/** Runs `npm run dev` as it is after its builds, and waits until it has printed `until` or ended. */
async function dev(args: readonly string[], port: number, until: string) {
  const child = spawn(process.execPath, [DEV, ...args], { env: { ...process.env, PORT: String(port) } });
  started.push(child);
  let output = "";
  const exit = new Promise<number | null>((resolve) => {
    child.once("close", resolve);
  });
  await new Promise<void>((resolve) => {
    const look = (chunk: Buffer): void => {
      output += chunk.toString();
      if (output.includes(until)) resolve();
    };
    child.stdout.on("data", look);
    child.stderr.on("data", look);
    void exit.then(() => resolve());
  });
  return { child, exit, output: () => output };
}

test("npm run dev prints an endpoint that a client with the printed client id can use, and ends with Ctrl-C", async () => {
  const port = await freePort();
  const { child, exit, output } = await dev([], port, "Ctrl-C stops everything");

  const mcpUrl = /MCP endpoint\s+(\S+)/.exec(output())?.[1] ?? "";
  expect(mcpUrl).toBe(`http://localhost:${port}/mcp`);
  const snippet = /^ {2}\{[\s\S]*?^ {2}\}/m.exec(output())?.[0] ?? "";
  const { servers } = JSON.parse(snippet) as { servers: Record<string, { url: string; oauth: { clientId: string } }> };
  const server = servers["azure-graph"];
  expect(server?.url).toBe(mcpUrl);
  const client = await connect("sdk v2 (2026-07-28)", mcpUrl, {
    signIn: { as: "AdeleV" },
    clientId: server?.oauth.clientId ?? "",
  });
  expect((await client.call("get_my_profile")).structuredContent).toMatchObject({ name: "Adele Vance" });
  await client.close();
  const page = await fetch(new URL("/", mcpUrl));
  expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);

  child.kill("SIGINT");
  expect(await exit).toBe(0);
  await expect(fetch(mcpUrl)).rejects.toThrow("fetch failed");
});

test("the printed curl calls a tool when it is pasted", async (context) => {
  const hasCurl = await run("curl", ["--version"]).then(
    () => true,
    () => false,
  );
  context.skip(!hasCurl, "no curl on this machine");
  const { output } = await dev([], await freePort(), "Ctrl-C stops everything");
  const command = /^ {2}curl -s http[\s\S]*?\}'$/m.exec(output())?.[0] ?? "";

  const { stdout } = await run("sh", ["-c", command]);

  expect(stdout).toContain('"name":"Adele Vance"');
});

test("npm run dev -- --auth bearer serves without App Service in front", async () => {
  const port = await freePort();
  const { output } = await dev(["--auth", "bearer"], port, "Ctrl-C stops everything");
  expect(output()).not.toContain("App Service ");
  const challenge = (await fetch(`http://localhost:${port}/mcp`, { method: "POST" })).headers.get("www-authenticate");
  expect(challenge).toContain(`resource_metadata="http://localhost:${port}/.well-known/oauth-protected-resource/mcp"`);
});

test("npm run dev -- --auth broker signs in a client that is told the URL and nothing else", async () => {
  const port = await freePort();
  const { output } = await dev(["--auth", "broker"], port, "Ctrl-C stops everything");
  const { servers } = JSON.parse(/^ {2}\{[\s\S]*?^ {2}\}/m.exec(output())?.[0] ?? "") as { servers: object };
  expect(servers).toEqual({ "azure-graph": { type: "http", url: `http://localhost:${port}/mcp` } });
  expect(output()).not.toContain("?user=");

  const client = await connect("sdk v1 (2025-11-25)", `http://localhost:${port}/mcp`, {
    oauth: new NewcomerSession(),
    signIn: (url) => signInAtBroker(url, { as: "AdeleV" }),
  });
  expect((await client.call("get_my_profile")).structuredContent).toMatchObject({ name: "Adele Vance" });
  await client.close();
});

test("a port that is taken is named together with the way out", async () => {
  const port = await freePort();
  const holder = createServer();
  await new Promise<void>((resolve) => {
    holder.listen(port + 3, "127.0.0.1", resolve);
  });
  const { exit, output } = await dev([], port, "PORT=");

  expect(await exit).toBe(1);
  expect(output()).toBe(
    `Port ${port + 3}, wanted by the Graph emulator, is in use. For other ports: PORT=4000 npm run dev\n`,
  );
  holder.close();
});

test("a PORT that is no port is refused with an example", async () => {
  const { exit, output } = await dev([], 99_999, "PORT=");
  expect(await exit).toBe(1);
  expect(output()).toContain("PORT must be a number from 1 to 65500");
});
