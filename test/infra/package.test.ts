import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { type LocalCloud, startLocalCloud } from "../../emulators/local-cloud.ts";
import { createRawClient, NewcomerSession, signInAtBroker } from "../support/broker.ts";
import { connect } from "../support/mcp-clients.ts";
import { freePort, type ServerProcess, startServerProcess } from "../support/server-process.ts";

const HOOK = join(import.meta.dirname, "../../infra/hooks/package.ts");
const MY_DRIVE = "b!ADeleVance-OneDrive_0001";
const TIMEOUT_MS = 60_000;

let folder: string;
let once: string;

/** Builds the package far from any node_modules. */
async function buildPackage(name: string): Promise<string> {
  const target = join(folder, name);
  await promisify(execFile)(process.execPath, ["--import", "tsx", HOOK, target], { timeout: TIMEOUT_MS });
  return target;
}

async function filesOf(target: string): Promise<Record<string, string>> {
  const names = await readdir(target, { recursive: true });
  const entries = await Promise.all(
    names.sort().map(async (name) => {
      if ((await stat(join(target, name))).isDirectory()) return [];
      const digest = createHash("sha256").update(await readFile(join(target, name)));
      return [[name, digest.digest("hex")]];
    }),
  );
  return Object.fromEntries(entries.flat()) as Record<string, string>;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "azure-graph-mcp-package-"));
  once = await buildPackage("once");
}, TIMEOUT_MS);
afterAll(async () => rm(folder, { recursive: true, force: true }));

test("the package is the same bytes every time", { timeout: TIMEOUT_MS }, async () => {
  const files = await filesOf(once);
  expect(await filesOf(await buildPackage("again"))).toEqual(files);
  expect(Object.keys(files)).toEqual(
    expect.arrayContaining(["dist/extract/worker.js", "dist/main.js", "package.json"]),
  );
});

test("the package has nothing to install, and nothing of the machine that built it", async () => {
  const manifest = JSON.parse(await readFile(join(once, "package.json"), "utf8")) as Record<string, unknown>;
  expect(Object.keys(manifest).sort()).toEqual(["license", "name", "private", "type", "version"]);
  const names = Object.keys(await filesOf(once));
  expect(names.filter((name) => name.includes("node_modules") || name.endsWith(".node"))).toEqual([]);
  const main = await readFile(join(once, "dist/main.js"), "utf8");
  expect(main).not.toContain(join(import.meta.dirname, "../.."));
});

test("the packaged server does its work behind App Service: it reads a PDF for who signed in", {
  timeout: TIMEOUT_MS,
}, async () => {
  let cloud: LocalCloud | undefined;
  let server: ServerProcess | undefined;
  try {
    cloud = await startLocalCloud({ certificates: inject("certificates") });
    const port = await freePort();
    cloud.appService?.setApp(`http://localhost:${port}`);
    const environment = { ...cloud.environment(), HOST: "127.0.0.1", PORT: String(port), NODE_ENV: "production" };
    server = await startServerProcess(environment, join(once, "dist/main.js"));
    expect(server.output()).toContain("Listening");
    const client = await connect("sdk v2 (auto)", cloud.mcpUrl, { signIn: { as: "AdeleV" } });
    const found = await client.call("search_files", { query: "filetype:pdf tacoma" });
    const [{ id } = { id: "" }] = (found.structuredContent?.["files"] ?? []) as { id: string }[];
    const { structuredContent, content } = await client.call("read_file", { drive_id: MY_DRIVE, item_id: id });
    expect(structuredContent?.["text"] ?? content).toContain("Tacoma");
    await client.close();
  } finally {
    await server?.stop();
    await cloud?.close();
  }
});

test("the packaged broker signs a client in, and a refresh token that is used twice ends the sign-in", {
  timeout: TIMEOUT_MS,
}, async () => {
  let cloud: LocalCloud | undefined;
  let server: ServerProcess | undefined;
  try {
    const port = await freePort();
    const serverOrigin = `http://localhost:${port}`;
    cloud = await startLocalCloud({ certificates: inject("certificates"), serverOrigin, broker: true });
    const environment = { ...cloud.environment(), HOST: "127.0.0.1", PORT: String(port), NODE_ENV: "production" };
    server = await startServerProcess(environment, join(once, "dist/main.js"));
    expect(server.output()).toContain("Listening");
    const oauth = new NewcomerSession();
    const client = await connect("sdk v2 (2026-07-28)", cloud.mcpUrl, {
      oauth,
      signIn: (url) => signInAtBroker(url, { as: "AdeleV" }),
    });
    expect((await client.call("get_my_profile")).structuredContent).toMatchObject({ upn: "AdeleV@contoso.com" });

    // What belongs to a grant is found by the names of oidc-provider's classes: a bundler that drops them keeps it alive.
    const raw = await createRawClient(serverOrigin, { clientId: oauth.clientInformation()?.client_id ?? "" });
    const first = oauth.tokens()?.refresh_token ?? "";
    const refreshed = await raw.refresh(first);
    expect(refreshed.status).toBe(200);
    expect((await client.call("get_my_profile")).isError).toBeFalsy();
    const ended = { status: 400, body: { error: "invalid_grant" } };
    expect(await raw.refresh(first)).toMatchObject(ended);
    expect(await raw.refresh(refreshed.body["refresh_token"] ?? "")).toMatchObject(ended);
    await expect(client.call("get_my_profile")).rejects.toThrow("Unauthorized");
    await client.close();
  } finally {
    await server?.stop();
    await cloud?.close();
  }
});
