import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startWireTap, type WireTap } from "../support/wire-tap.ts";
import { type LocalServer, NotRun, type RemoteServer } from "./client.ts";
import { CLIENTS, type Entry } from "./clients/index.ts";
import { McpWire } from "./mcp-wire.ts";
import { createSandbox } from "./sandbox.ts";
import { type Entered, type Row, renderMatrix, withMatrix } from "./table.ts";
import { type Entrance, open, WAYS } from "./ways.ts";

const PAGE = join(import.meta.dirname, "../../docs/clients.md");
const rows: Row[] = CLIENTS.map(({ client: { name, version } }) => ({ name, version, entered: new Map() }));
let tap: WireTap;

beforeAll(() => {
  tap = startWireTap();
});

afterAll(async () => {
  tap.stop();
  const matrix = renderMatrix(rows);
  console.log(`\n${matrix}\n`);
  if (process.env["INTEROP_WRITE"] === undefined) return;
  if (rows.some(({ entered }) => entered.size < WAYS.length)) {
    throw new Error("The page is written after a run of all clients only.");
  }
  await writeFile(PAGE, withMatrix(await readFile(PAGE, "utf8"), matrix));
});

describe.each(WAYS)("%s", (way) => {
  let entrance: Entrance;
  beforeAll(async () => {
    entrance = await open(way);
  });
  afterAll(() => entrance.close());

  test.for(CLIENTS)("$client.name", async (entry, context) => {
    tap.clear();
    const before = (await entrance.log()).length;
    const entered: Entered = { outcome: "failed" };
    rows[CLIENTS.indexOf(entry)]?.entered.set(way, entered);
    try {
      const outcome = await drive(entry, entered);
      const ranTool = (await entrance.log())
        .slice(before)
        .some(({ audit, outcome: ended }) => audit === "tool_call" && ended === "success");
      const called = typeof outcome !== "string" && outcome.call === true;
      expect(ranTool, "the server's audit log says whether a tool ran").toBe(called);
      entered.outcome = outcome;
    } catch (error) {
      if (!(error instanceof NotRun)) throw error;
      entered.outcome = `Not run: ${error.message}.`;
      context.skip(error.message);
    }
  });

  async function drive({ client, folder }: Entry, entered: Entered) {
    const sandbox = await createSandbox(folder);
    try {
      const { server } = entrance;
      const wire = new McpWire(tap, "mcpUrl" in server ? server.mcpUrl : undefined);
      const outcome = await client.drive({ ...observed(server, entered), wire, sandbox });
      entered.protocolVersion = wire.protocolVersion();
      return outcome;
    } finally {
      await sandbox.remove();
    }
  }
});

/** The server, where it is noted in `entered` how the client comes by its token. */
function observed(server: Entrance["server"], entered: Entered): RemoteServer | LocalServer {
  if ("command" in server) return server;
  return {
    ...server,
    signIn: (url) => {
      entered.authorizeUrl = new URL(url);
      return server.signIn(url);
    },
    token: (why) => {
      entered.givenToken = why;
      return server.token();
    },
  };
}
