import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { STDIO, startMachine } from "../local/local-server.ts";
import { createRawClient, signInAtBroker } from "../support/broker.ts";
import { signIn } from "../support/browser.ts";
import { publishClientDocument } from "../support/client-document.ts";
import { type AuthMode, type Stack, startStack } from "../support/stack.ts";
import type { LocalServer, RemoteServer } from "./client.ts";

/** Columns of the matrix, in their order. */
export const WAYS = ["Easy Auth", "Bearer", "Broker", "stdio"] as const;

/** One of them. */
export type Way = (typeof WAYS)[number];

/** A way in that is open. */
export interface Entrance {
  readonly server: (Omit<RemoteServer, "token"> & { readonly token: () => Promise<string> }) | LocalServer;
  /** What the server has logged so far. */
  log(): Promise<readonly Record<string, unknown>[]>;
  close(): Promise<void>;
}

const ADELE = { as: "AdeleV" };

/** Starts what is behind a way in; whoever comes by it is Adele, and may write. */
export function open(way: Way): Promise<Entrance> {
  if (way === "stdio") return openMachine();
  return way === "Broker" ? openBroker() : openEntra(way === "Bearer" ? "bearer" : "easy-auth");
}

async function openEntra(mode: AuthMode): Promise<Entrance> {
  const stack = await start(mode);
  const { mcpUrl, entra } = stack;
  return {
    server: {
      mcpUrl,
      clientId: CONTOSO.sampleClientId,
      signIn: (url) => signIn(url, ADELE),
      token: async () => (await fetch(`${entra.httpOrigin}/emulator/token?user=AdeleV`)).text(),
    },
    log: async () => stack.server.log,
    close: () => stack.close(),
  };
}

async function openBroker(): Promise<Entrance> {
  const document = await publishClientDocument();
  const stack = await start("broker", { TRUSTED_CLIENT_HOSTS: document.host });
  const { mcpUrl, serverOrigin } = stack;
  return {
    server: {
      mcpUrl,
      clientId: undefined,
      documentUrl: document.url,
      signIn: (url) => signInAtBroker(url, ADELE),
      token: async () => {
        const client = await createRawClient(serverOrigin);
        const callback = await signInAtBroker(client.authorizeUrl(), ADELE);
        const { body } = await client.redeem(callback.searchParams.get("code") ?? "");
        return body["access_token"] ?? "";
      },
    },
    log: async () => stack.server.log,
    async close() {
      await stack.close();
      document.close();
    },
  };
}

async function start(mode: AuthMode, environment: Record<string, string> = {}): Promise<Stack> {
  const stack = await startStack(mode, { ALLOW_WRITES: "true", ...environment });
  if (stack.server.port === 0) throw new Error(`The server does not start: ${stack.server.output()}`);
  return stack;
}

/** A machine where Adele has signed in with `azure-graph-mcp login`, and the command as she would have installed it. */
async function openMachine(): Promise<Entrance> {
  const machine = await startMachine();
  const { AZURE_TENANT_ID: tenant = "", LOCAL_CLIENT_ID: clientId = "", ...environment } = machine.environment;
  const log = `${machine.dataFolder}.log`;
  const command = join(environment["HOME"] ?? "", "azure-graph-mcp");
  const variables = Object.entries(environment).map(([name, value]) => `${name}='${value}'`);
  // Clients keep standard error to themselves.
  const line = ["exec env", ...variables, `'${process.execPath}' '${STDIO}' "$@" 2>>'${log}'`];
  await writeFile(command, `#!/bin/sh\n${line.join(" ")}\n`);
  await chmod(command, 0o700);
  const login = machine.run(["login", "--allow-writes"]);
  await machine.signIn(ADELE);
  const { code, stderr } = await login.finished;
  if (code !== 0) throw new Error(`The sign-in failed: ${stderr}`);
  return {
    server: { command, args: ["--tenant", tenant, "--client-id", clientId, "--allow-writes"] },
    log: async () =>
      (await readFile(log, "utf8").catch(() => ""))
        .split("\n")
        .filter((text) => text.startsWith("{"))
        .map((text) => JSON.parse(text) as Record<string, unknown>),
    close: () => machine.close(),
  };
}
