#!/usr/bin/env node
import { Console } from "node:console";
import { randomUUID } from "node:crypto";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { ConfigError } from "./config.ts";
import type { GraphTransport } from "./graph/graph.ts";
import { runAccountCommand } from "./local/account-commands.ts";
import { openBrowser } from "./local/browser.ts";
import { HELP, type LocalSettings, type Request, readCommandLine } from "./local/command-line.ts";
import { createLocalGraphTokens } from "./local/graph-tokens.ts";
import { type GuardOptions, principalOf, signInBefore } from "./local/guard.ts";
import { createPublicClient } from "./local/public-client.ts";
import { createSignIn, type SignIn } from "./local/sign-in.ts";
import { openTokenCache, type TokenCache } from "./local/token-cache.ts";
import { toLocalAuthInfo } from "./mcp/auth-info.ts";
import { createCallLimits } from "./mcp/call-limits.ts";
import { createProcessKeyRing } from "./mcp/key-ring.ts";
import { countInProcess } from "./platform/counters.ts";
import { createInProcessClaims } from "./platform/in-process-claims.ts";
import { createLog } from "./platform/log.ts";
import { StartError } from "./start-error.ts";
import { createToolServer, permissionsOf } from "./tool-server.ts";
import { catalogue } from "./tools/index.ts";
import { VERSION } from "./version.ts";

/** Time limit of silence from Graph. */
const OUTSIDE_CALL_MS = 8_000;

/** As over HTTP where nothing else is set: a person's own client meets neither, a model that runs in circles does. */
const CALLS_PER_MINUTE = 600;
const CONCURRENT_CALLS = 20;

type LocalLog = ReturnType<typeof createLog>;

/**
 * The local server: the same tools over standard input and output, for the person at this machine. Standard output
 * carries the protocol only; logs and the audit go to standard error.
 *
 * Exit codes: 0 when the client closes standard input and after a command, 1 when settings are wrong or nobody is signed in.
 */
async function main(): Promise<void> {
  const request = readRequest();
  if (!request) return;
  if ("show" in request) {
    process.stdout.write(request.show === "help" ? HELP : `${VERSION}\n`);
    return;
  }
  const { command, settings } = request;
  const log = createLog(settings.logLevel, { fd: 2 });
  const { signIn, cache, client } = createLocalSignIn(settings, log);
  if (command === "serve") {
    try {
      return serve(settings, signIn, log);
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
      process.stderr.write(`${error.message}\n`);
      process.exitCode = 1;
      return;
    }
  }
  process.exitCode = await runAccountCommand(command, { settings, signIn, cache, client });
  // The browser may keep its connection to the page that it was sent to.
  process.exit();
}

function readRequest(): Request | undefined {
  try {
    return readCommandLine(process.argv.slice(2), process.env, catalogue);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
    return undefined;
  }
}

/** Nothing is opened here: neither the cache nor the library is loaded before somebody calls. */
function createLocalSignIn(settings: LocalSettings, log: LocalLog) {
  const { authority, clientId, account, graphEndpoint, cacheWithoutKeyring } = settings;
  const say = (sentence: string): void => void process.stderr.write(`${sentence}\n`);
  let opened: Promise<TokenCache | undefined> | undefined;
  const cache = () => {
    const options = { authority, clientId, withoutKeyring: cacheWithoutKeyring, onMissingKeyring: say };
    // A file that was refused may be gone with the next call: the refusal says how.
    opened ??= openTokenCache(options).catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return opened;
  };
  const client = async () => createPublicClient({ clientId, authority, cache: await cache(), log });
  const signIn = createSignIn({
    connect: client,
    account,
    allScopes: permissionsOf(settings).all.map((permission) => `${graphEndpoint}/${permission}`),
    method: settings.signIn,
    openBrowser: (url) => openBrowser(url, { platform: process.platform, environment: process.env }),
    say,
    adminConsentUrl: settings.adminConsentUrl,
  });
  return { signIn, cache, client };
}

function serve(settings: LocalSettings, signIn: SignIn, log: LocalLog): void {
  const { access, clientId, tenant, graphEndpoint, extraPermissions, signInWaitMs } = settings;
  const guard: GuardOptions = {
    signIn,
    rules: access,
    clientId,
    tenant,
    graphResource: graphEndpoint,
    extraPermissions,
    waitMs: signInWaitMs,
    audit: log.audit,
    log,
  };
  const principal = () => principalOf(guard);
  const context = {
    get caller() {
      return { principal: principal(), accessToken: "", expiresAt: 0 };
    },
    get requestId() {
      return randomUUID();
    },
  };
  const factory = createToolServer({
    config: settings,
    acquireToken: createLocalGraphTokens(signIn, graphEndpoint),
    send: createLazyTransport(),
    keyRing: createProcessKeyRing(),
    claimOnce: createInProcessClaims(),
    limits: createCallLimits({
      perUser: countInProcess(CALLS_PER_MINUTE),
      perClient: countInProcess(CALLS_PER_MINUTE),
      concurrent: CONCURRENT_CALLS,
    }),
    local: { principalOf: principal, guard: (gate) => signInBefore(gate, guard) },
    log,
  });
  // A library that prints would break the protocol.
  globalThis.console = new Console(process.stderr);
  const authInfo = toLocalAuthInfo(context, clientId);
  // Messages of these errors quote what the client sent: only their class is logged.
  const onerror = (error: Error): void => log.debug("The MCP endpoint reported an error", { error: error.name });
  serveStdio((request) => factory({ ...request, authInfo }), { onerror });
  // A sign-in that nobody answered, or a call to Graph, would keep the process.
  process.stdin.once("end", () => process.exit()).once("close", () => process.exit());
}

/** Loads the HTTP client with the first request: it is a fifth of the time that a start takes. */
function createLazyTransport(): GraphTransport {
  let loading: Promise<{ readonly send: GraphTransport }> | undefined;
  return async (url, options) => {
    loading ??= import("./platform/graph-transport.ts").then(({ createGraphTransport }) =>
      createGraphTransport(OUTSIDE_CALL_MS),
    );
    return (await loading).send(url, options);
  };
}

await main();
