import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { Client as ClientV2 } from "@modelcontextprotocol/client";
import { StdioClientTransport as StdioV2 } from "@modelcontextprotocol/client/stdio";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as StdioV1 } from "@modelcontextprotocol/sdk/client/stdio.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { inject } from "vitest";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { type LocalCloud, startLocalCloud } from "../../emulators/local-cloud.ts";
import { answerSignIn, Browser, type Page, type SignInChoices } from "../support/browser.ts";
import { eventually } from "../support/eventually.ts";
import type { CallResult, ClientKind } from "../support/mcp-clients.ts";
import { run } from "./run.ts";

/** A question of the server as a client's user sees it. */
export interface Question {
  readonly mode?: string;
  readonly message: string;
  readonly url?: string;
}

/** How a client is connected to a local server of its own. */
export interface ConnectOptions {
  /** Another copy of the server. */
  readonly program?: string;
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** What the person does with forms and addresses; without it the client can show neither. */
  readonly elicit?: (
    question: Question,
  ) => Promise<{ action: "accept" | "decline" | "cancel"; content?: Record<string, boolean> }>;
}

/** A client with a local server of its own. */
export interface LocalClient {
  listTools(): Promise<readonly { readonly name: string }[]>;
  call(name: string, args?: Record<string, unknown>): Promise<CallResult>;
  complete(prompt: string, argument: string, typed: string): Promise<readonly string[]>;
  protocolVersion(): string | undefined;
  /** Everything on standard error so far. */
  stderr(): string;
  close(): Promise<void>;
}

/** A machine with a person at it: local cloud, data folder, and a browser that remembers where it was sent. */
export interface Machine {
  readonly cloud: LocalCloud;
  readonly dataFolder: string;
  readonly environment: Readonly<Record<string, string>>;
  connect(kind?: ClientKind, options?: ConnectOptions): Promise<LocalClient>;
  /** Runs a command of the program to its end. */
  run(args: readonly string[], environment?: Readonly<Record<string, string>>): ReturnType<typeof run>;
  /** Addresses that the system's browser was told to open. */
  opened(): Promise<readonly string[]>;
  /** Goes through the sign-in pages at the address that the browser is sent to after `seen` others. */
  signIn(choices: SignInChoices, seen?: number): Promise<Page>;
  /** Connects a client and signs somebody in through its first call. */
  connectAs(user: string, options?: ConnectOptions): Promise<LocalClient>;
  /** The one file with tokens. */
  tokenFile(): Promise<string>;
  /** Forgets the sign-in and the browser's history. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

/** The built local server. */
export const STDIO = join(import.meta.dirname, "../../dist/stdio.js");
const preloaded = (file: string) => ({ NODE_OPTIONS: `--import=${join(import.meta.dirname, file)}` });
/** Environment of a server whose tokens have expired for every other. */
export const TWO_HOURS_AGO = preloaded("two-hours-ago.mjs");
/** Environment of a server whose ten minutes pass in a second. */
export const TEN_MINUTES_PASS = preloaded("ten-minutes-pass.mjs");
/** Environment of a server that takes a second to write a file. */
export const SLOW_DISK = preloaded("slow-disk.mjs");
/** Environment of a server that runs as another user. */
export const ANOTHER_USER = preloaded("another-user.mjs");

const INFO = { name: "azure-graph-mcp-tests", version: "1.0.0" };
const ERAS = {
  "sdk v2 (2025-11-25)": "legacy",
  "sdk v2 (2026-07-28)": { pin: "2026-07-28" },
  "sdk v2 (auto)": "auto",
} as const;

/** Starts a local cloud and makes a home for one person; `environment` is added to what the server gets. */
export async function startMachine(environment: Readonly<Record<string, string>> = {}): Promise<Machine> {
  const folder = await mkdtemp(join(tmpdir(), "azure-graph-mcp-"));
  const cloud = await startLocalCloud({ certificates: inject("certificates"), serverOrigin: "http://localhost:1" });
  const history = join(folder, "history");
  const browser = join(folder, "browser.sh");
  await writeFile(browser, `#!/bin/sh\nprintf '%s\\n' "$1" >> '${history}'\n`);
  await chmod(browser, 0o700);
  const { AZURE_AUTHORITY_HOST = "", GRAPH_ENDPOINT = "", DOWNLOAD_HOSTS = "" } = cloud.environment();
  const settings: Record<string, string> = {
    PATH: process.env["PATH"] ?? "",
    HOME: folder,
    XDG_DATA_HOME: join(folder, "data"),
    NODE_EXTRA_CA_CERTS: process.env["NODE_EXTRA_CA_CERTS"] ?? "",
    BROWSER: browser,
    AZURE_AUTHORITY_HOST,
    GRAPH_ENDPOINT,
    DOWNLOAD_HOSTS,
    AZURE_TENANT_ID: CONTOSO.tenantId,
    LOCAL_CLIENT_ID: CONTOSO.localClientId,
    LOCAL_CACHE_WITHOUT_KEYRING: "true",
    ...environment,
  };
  const dataFolder = join(folder, "data", "azure-graph-mcp");
  const opened = async () => (await readFile(history, "utf8").catch(() => "")).split("\n").filter(Boolean);
  const clients: LocalClient[] = [];

  const machine: Machine = {
    cloud,
    dataFolder,
    environment: settings,
    opened,
    async connectAs(user, options) {
      const client = await machine.connect("sdk v2 (2026-07-28)", options);
      await signInThrough(machine, client, user, (await opened()).length);
      return client;
    },
    async connect(kind = "sdk v2 (2026-07-28)", { program = STDIO, args = [], environment: more = {}, elicit } = {}) {
      const parameters = { command: process.execPath, args: [program, ...args], env: { ...settings, ...more } };
      const client = await openLocal(kind, parameters, elicit);
      clients.push(client);
      return client;
    },
    run: (args, more = {}) => run(process.execPath, [STDIO, ...args], { ...settings, ...more }),
    async signIn(choices, seen = 0) {
      const url = await eventually(async () => (await opened())[seen] ?? "", "the browser was opened");
      const person = new Browser();
      return answerSignIn(person, await person.open(url), choices);
    },
    async tokenFile() {
      const name = (await readdir(dataFolder)).find((file) => file.endsWith(".tokens"));
      if (!name) throw new Error("There is no file with tokens.");
      return join(dataFolder, name);
    },
    async reset() {
      await Promise.all(clients.splice(0).map((client) => client.close()));
      await rm(dataFolder, { recursive: true, force: true });
      await rm(history, { force: true });
    },
    async close() {
      await Promise.all(clients.splice(0).map((client) => client.close()));
      await cloud.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return machine;
}

/** Signs everybody out and one person in, both in a terminal, after the browser was sent to `seen` addresses. */
export async function signInAnew(machine: Machine, user: string, seen: number): Promise<void> {
  await machine.run(["logout"]).finished;
  const login = machine.run(["login"]);
  await machine.signIn({ as: user }, seen);
  const { code, stderr } = await login.finished;
  if (code !== 0) throw new Error(stderr);
}

/** Signs somebody in through the next call of a client, after the browser was sent to `seen` addresses. */
export async function signInThrough(machine: Machine, client: LocalClient, user: string, seen: number): Promise<void> {
  // Together, so that the call is not left alone with its failure when the sign-in fails.
  const [{ isError, content }] = await Promise.all([client.call("get_my_profile"), machine.signIn({ as: user }, seen)]);
  if (isError) throw new Error(content[0]?.text);
}

interface Parameters {
  readonly command: string;
  readonly args: string[];
  readonly env: Record<string, string>;
}

/** Connects a real client to a server that it starts. */
export function openLocal(
  kind: ClientKind,
  parameters: Parameters,
  elicit: ConnectOptions["elicit"],
): Promise<LocalClient> {
  return kind === "sdk v1 (2025-11-25)" ? openV1(parameters, elicit) : openV2(kind, parameters, elicit);
}

async function openV1(parameters: Parameters, elicit: ConnectOptions["elicit"]): Promise<LocalClient> {
  const client = new ClientV1(INFO, elicit ? { capabilities: { elicitation: { form: {}, url: {} } } } : {});
  if (elicit) client.setRequestHandler(ElicitRequestSchema, async ({ params }) => elicit(params as Question));
  const transport = new StdioV1({ ...parameters, stderr: "pipe" });
  const stderr = collect(transport.stderr as Readable | null);
  await client.connect(transport);
  return {
    listTools: async () => (await client.listTools()).tools,
    call: async (name, args = {}) => (await client.callTool({ name, arguments: args })) as unknown as CallResult,
    complete: async (prompt, name, value) =>
      (await client.complete({ ref: { type: "ref/prompt", name: prompt }, argument: { name, value } })).completion
        .values,
    protocolVersion: () => "2025-11-25",
    stderr,
    close: () => client.close(),
  };
}

async function openV2(
  kind: keyof typeof ERAS,
  parameters: Parameters,
  elicit: ConnectOptions["elicit"],
): Promise<LocalClient> {
  const client = new ClientV2(INFO, {
    versionNegotiation: { mode: ERAS[kind] },
    ...(elicit && { capabilities: { elicitation: { form: {}, url: {} } } }),
  });
  if (elicit) client.setRequestHandler("elicitation/create", async ({ params }) => elicit(params as Question));
  const transport = new StdioV2({ ...parameters, stderr: "pipe" });
  const stderr = collect(transport.stderr as Readable | null);
  await client.connect(transport);
  return {
    listTools: async () => (await client.listTools()).tools,
    call: async (name, args = {}) => (await client.callTool({ name, arguments: args })) as unknown as CallResult,
    complete: async (prompt, name, value) =>
      (await client.complete({ ref: { type: "ref/prompt", name: prompt }, argument: { name, value } })).completion
        .values,
    protocolVersion: () => client.getNegotiatedProtocolVersion(),
    stderr,
    close: () => client.close(),
  };
}

function collect(stream: Readable | null): () => string {
  let text = "";
  stream?.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  return () => text;
}
