import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { signIn } from "../support/browser.ts";
import { type Stack, startStack } from "../support/stack.ts";
import { startWireTap, type WireTap } from "../support/wire-tap.ts";
import { NotRun } from "./client.ts";
import { CLIENTS } from "./clients/index.ts";
import { McpWire } from "./mcp-wire.ts";
import { createSandbox } from "./sandbox.ts";
import { type Row, renderMatrix, withMatrix } from "./table.ts";

const PAGE = join(import.meta.dirname, "../../docs/clients.md");
const rows: Row[] = [];
let stack: Stack;
let tap: WireTap;

beforeAll(async () => {
  stack = await startStack("easy-auth", { ALLOW_WRITES: "true" });
  if (stack.server.port === 0) throw new Error(`The server does not start: ${stack.server.output()}`);
  tap = startWireTap();
});

afterAll(async () => {
  tap.stop();
  await stack.close();
  const matrix = renderMatrix(rows, stack.mcpUrl);
  console.log(`\n${matrix}\n`);
  if (process.env["INTEROP_WRITE"] === undefined) return;
  if (rows.length < CLIENTS.length) throw new Error("The page is written after a run of all clients only.");
  await writeFile(PAGE, withMatrix(await readFile(PAGE, "utf8"), matrix));
});

test.for(CLIENTS)("$client.name", async ({ client, folder }, context) => {
  const wire = new McpWire(tap, stack.mcpUrl);
  wire.clear();
  const before = stack.server.log.length;
  const sandbox = await createSandbox(folder);
  let authorizeUrl: URL | undefined;
  const report = (outcome: Row["outcome"]): void => {
    const { name, version } = client;
    rows.push({ name, version, outcome, protocolVersion: wire.protocolVersion(), authorizeUrl });
  };
  try {
    const observation = await client.drive({
      mcpUrl: stack.mcpUrl,
      clientId: CONTOSO.sampleClientId,
      wire,
      sandbox,
      signIn: async (url) => {
        authorizeUrl = new URL(url);
        return signIn(url, { as: "AdeleV" });
      },
      token: async () => (await fetch(`${stack.entra.httpOrigin}/emulator/token?user=AdeleV`)).text(),
    });
    const ranTool = stack.server.log
      .slice(before)
      .some(({ audit, outcome }) => audit === "tool_call" && outcome === "success");
    expect(ranTool, "the server's audit log says whether a tool ran").toBe(observation.call === true);
    report(observation);
  } catch (error) {
    report(error instanceof NotRun ? `not run: ${error.message}` : "failed");
    if (error instanceof NotRun) context.skip(error.message);
    throw error;
  } finally {
    await sandbox.remove();
  }
});
