import { readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { join, relative } from "node:path";
import { describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const SRC = join(ROOT, "src");

/** What tools may use: of `graph/` the port and what reads and writes its values, never what sends a request. */
const FOR_TOOLS = [
  "graph/body.ts",
  "graph/confirm-text.ts",
  "graph/drive.ts",
  "graph/due-date.ts",
  "graph/errors.ts",
  "graph/event-time.ts",
  "graph/graph.ts",
  "graph/mail-folder.ts",
  "graph/path.ts",
  "graph/prefer.ts",
  "graph/query.ts",
  "graph/recipients.ts",
  "graph/recurrence.ts",
  "graph/time-zone.ts",
  "mcp/excerpt.ts",
  "mcp/sent-text.ts",
  "mcp/tool.ts",
  "safety/untrusted.ts",
];

/**
 * Who may import whom inside `src/`: a folder or file, and the prefixes that it may import from. The longest key that
 * fits a file counts; a file that none fits fails.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "main.ts": ["composition.ts", "config.ts", "platform/log.ts", "start-error.ts", "tools/index.ts"],
  "start-error.ts": [],
  "composition.ts": [
    "auth/",
    "broker-server.ts",
    "config.ts",
    "diagnostics.ts",
    "http/",
    "mcp/",
    "platform/",
    "safety/",
    "start-error.ts",
    "tool-server.ts",
  ],
  "stdio.ts": [
    "config.ts",
    "graph/graph.ts",
    "local/",
    "mcp/auth-info.ts",
    "mcp/call-limits.ts",
    "mcp/key-ring.ts",
    "platform/counters.ts",
    "platform/graph-transport.ts",
    "platform/in-process-claims.ts",
    "platform/log.ts",
    "start-error.ts",
    "tool-server.ts",
    "tools/index.ts",
    "version.ts",
  ],
  "local/": [
    "auth/access-policy.ts",
    "auth/needs-person.ts",
    "auth/principal.ts",
    "auth/verified-tokens.ts",
    "config.ts",
    "diagnostics.ts",
    "graph/graph.ts",
    "local/",
    "mcp/abort.ts",
    "mcp/gate.ts",
    "mcp/progress.ts",
    "mcp/tool-error.ts",
    "platform/msal-network.ts",
  ],
  "tool-server.ts": [
    "auth/access-policy.ts",
    "config.ts",
    "diagnostics.ts",
    "extract/extractor.ts",
    "graph/client.ts",
    "graph/graph.ts",
    "mcp/call-limits.ts",
    "mcp/claim-once.ts",
    "mcp/confirmation.ts",
    "mcp/cursor.ts",
    "mcp/gate.ts",
    "mcp/key-ring.ts",
    "mcp/manifest.ts",
    "mcp/server.ts",
    "mcp/tool.ts",
    "prompts/index.ts",
    "safety/protect.ts",
    "safety/shield-arguments.ts",
    "start-error.ts",
    "tools.lock.json",
    "tools/index.ts",
    "version.ts",
  ],
  "broker-server.ts": [
    "auth/access-policy.ts",
    "broker/",
    "config.ts",
    "diagnostics.ts",
    "mcp/key-ring.ts",
    "platform/",
    "tool-server.ts",
  ],
  "broker/": [
    "auth/",
    "broker/",
    "diagnostics.ts",
    "graph/graph.ts",
    "http/html.ts",
    "http/request-id.ts",
    "mcp/abort.ts",
    "mcp/call-limits.ts",
    "mcp/key-ring.ts",
    "mcp/tool-error.ts",
  ],
  "config.ts": [],
  "diagnostics.ts": [],
  "version.ts": [],
  "auth/": ["auth/", "diagnostics.ts"],
  "auth/on-behalf-of.ts": [
    "auth/",
    "diagnostics.ts",
    "graph/",
    "mcp/abort.ts",
    "mcp/tool-error.ts",
    "platform/timeout.ts",
  ],
  "extract/": [
    "extract/",
    "mcp/abort.ts",
    "mcp/extract-text.ts",
    "mcp/keyed-semaphore.ts",
    "mcp/tool-error.ts",
    "safety/clean.ts",
    "safety/links.ts",
    "safety/style-sheet.ts",
    "safety/visibility.ts",
  ],
  "graph/": [
    "auth/principal.ts",
    "diagnostics.ts",
    "graph/",
    "mcp/abort.ts",
    "mcp/extract-text.ts",
    "mcp/keyed-semaphore.ts",
    "mcp/tool-error.ts",
  ],
  "graph/confirm-text.ts": ["safety/clean.ts"],
  "graph/drive.ts": ["safety/clean.ts"],
  "http/": ["auth/", "diagnostics.ts", "http/", "mcp/"],
  "verify/": ["verify/"],
  "http/landing/": ["auth/", "http/html.ts", "http/landing/"],
  "mcp/": ["auth/access-policy.ts", "auth/principal.ts", "diagnostics.ts", "graph/graph.ts", "mcp/", "safety/"],
  "platform/": [
    "broker/entra.ts",
    "broker/sessions.ts",
    "broker/store.ts",
    "config.ts",
    "diagnostics.ts",
    "graph/graph.ts",
    "mcp/abort.ts",
    "mcp/bus.ts",
    "mcp/call-limits.ts",
    "mcp/claim-once.ts",
    "mcp/key-ring.ts",
    "platform/",
    "safety/prompt-shield.ts",
    "version.ts",
  ],
  "safety/": ["mcp/tool-error.ts", "safety/"],
  "prompts/": ["mcp/prompt.ts", "tools/people.ts"],
  "tools/": FOR_TOOLS,
  "tools/calendar.ts": [...FOR_TOOLS, "tools/calendar-answers.ts", "tools/calendar-writes.ts"],
  "tools/calendar-answers.ts": [...FOR_TOOLS, "tools/calendar-change.ts"],
  "tools/calendar-writes.ts": [...FOR_TOOLS, "tools/calendar-change.ts"],
  "tools/mail.ts": [...FOR_TOOLS, "tools/mail-writes.ts"],
  "tools/index.ts": ["mcp/tool.ts", "tools/"],
};

/** Which files may import which npm package; zod and types of the MCP SDK may be imported anywhere but in tools. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  "@azure-rest/ai-content-safety": ["platform/content-safety.ts"],
  "@azure/identity": ["platform/azure-credentials.ts"],
  "@opentelemetry/api": ["platform/azure-monitor.ts"],
  "@opentelemetry/api-logs": ["platform/azure-monitor.ts"],
  applicationinsights: ["platform/azure-monitor.ts"],
  "@azure/msal-node": ["local/public-client.ts", "platform/entra-code-flow.ts", "platform/msal-network.ts"],
  "@azure/keyvault-secrets": ["platform/key-vault.ts"],
  "@microsoft/microsoft-graph-client": ["graph/client.ts"],
  "@redis/entraid": ["platform/redis-client.ts"],
  "@modelcontextprotocol/express": ["http/app.ts", "http/protected-resource.ts"],
  "@modelcontextprotocol/server/stdio": ["stdio.ts"],
  "@modelcontextprotocol/server": [
    "http/authenticate.ts",
    "local/guard.ts",
    "mcp/confirmation.ts",
    "mcp/gate.ts",
    "mcp/prompt-handlers.ts",
    "mcp/endpoint.ts",
    "mcp/legacy-exchange.ts",
    "mcp/server-events.ts",
    "mcp/server.ts",
    "mcp/trail.ts",
  ],
  fflate: ["extract/zip.ts"],
  htmlparser2: ["extract/html.ts", "extract/xml.ts"],
  "async-mutex": ["local/sign-in.ts", "local/token-cache.ts", "mcp/keyed-semaphore.ts"],
  express: ["broker/index.ts", "broker/page-routes.ts", "http/app.ts", "http/protected-resource.ts"],
  "@napi-rs/keyring": ["local/keyring.ts"],
  "env-paths": ["local/token-cache.ts"],
  open: ["local/browser.ts"],
  "ipaddr.js": ["broker/stranger-limits.ts", "platform/public-fetch.ts"],
  jose: ["auth/access-token.ts", "auth/signing-keys.ts", "broker/access-token.ts"],
  "lru-cache": [
    "auth/on-behalf-of.ts",
    "auth/verified-tokens.ts",
    "graph/remembered.ts",
    "http/flood.ts",
    "platform/in-process-claims.ts",
    "platform/in-process-store.ts",
  ],
  "oidc-provider": [
    "broker/adapter.ts",
    "broker/client-metadata.ts",
    "broker/grant-end.ts",
    "broker/index.ts",
    "broker/provider-answers.ts",
    "broker/provider.ts",
    "broker/revocation.ts",
    "broker/sign-in.ts",
  ],
  pino: ["platform/log.ts"],
  "rate-limiter-flexible": ["platform/counters.ts", "platform/redis-counters.ts"],
  "rate-limiter-flexible/lib/RateLimiterMemory.js": ["platform/counters.ts"],
  "rate-limiter-flexible/lib/RateLimiterRes.js": ["platform/counters.ts"],
  redis: ["platform/redis-client.ts"],
  unpdf: ["extract/pdf.ts"],
  undici: ["platform/graph-transport.ts", "platform/public-fetch.ts", "verify/probe.ts"],
  "windows-iana": ["graph/time-zone.ts"],
};

/** Packages of which anybody may import types. */
const TYPES_FOR_ALL = new Set([
  "@microsoft/microsoft-graph-types",
  "@modelcontextprotocol/server",
  "express",
  "@microsoft/microsoft-graph-client",
]);

interface Import {
  readonly file: string;
  readonly target: string;
  readonly typeOnly: boolean;
}

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
const sources = new Map(files.map((file) => [file, readFileSync(join(SRC, file), "utf8")]));
const STATIC = /^(?:import|export)\s+(type\s+)?(?:[^"';]*?\sfrom\s+)?"([^"]+)"/gm;
const DYNAMIC = /\bimport()\("([^"]+)"\)/g;
const imports = [...sources].flatMap(([file, source]) =>
  [...source.matchAll(STATIC), ...source.matchAll(DYNAMIC)].map(
    ([, type, target = ""]): Import => ({ file, target, typeOnly: Boolean(type) }),
  ),
);
const inside = imports.filter(({ target }) => target.startsWith("."));
const outside = imports.filter(({ target }) => !target.startsWith("."));

function ruleFor(file: string): readonly string[] | undefined {
  const key = Object.keys(MAY_IMPORT)
    .filter((candidate) => file === candidate || (candidate.endsWith("/") && file.startsWith(candidate)))
    .sort((a, b) => b.length - a.length)[0];
  return key === undefined ? undefined : MAY_IMPORT[key];
}

describe("src/", () => {
  test("every file has a place in the table of imports", () => {
    expect(files.filter((file) => ruleFor(file) === undefined)).toEqual([]);
  });

  test("a file imports only from where the table lets it", () => {
    const offenders = inside.flatMap(({ file, target }) => {
      const path = relative(SRC, join(SRC, file, "..", target));
      return ruleFor(file)?.some((prefix) => path === prefix || (prefix.endsWith("/") && path.startsWith(prefix)))
        ? []
        : [`${file} -> ${path}`];
    });
    expect(offenders).toEqual([]);
  });

  test("an npm package is imported where the table says", () => {
    const offenders = outside.flatMap(({ file, target, typeOnly }) => {
      if (target.startsWith("node:") || target === "zod" || (typeOnly && TYPES_FOR_ALL.has(target))) return [];
      return PACKAGES[target]?.includes(file) ? [] : [`${file} -> ${target}`];
    });
    expect(offenders).toEqual([]);
  });

  test("built-in modules are imported with the node: prefix", () => {
    expect(outside.filter(({ target }) => builtinModules.includes(target))).toEqual([]);
  });

  test("tools know neither Node, nor the network, nor the protocol", () => {
    const tools = outside.filter(({ file }) => file.startsWith("tools/"));
    expect(tools.filter(({ target }) => target !== "zod" && target !== "@microsoft/microsoft-graph-types")).toEqual([]);
    const reaching = [...sources].filter(
      ([file, source]) => file.startsWith("tools/") && /\bfetch\(|\bprocess\b|\btry\s*\{/.test(source),
    );
    expect(reaching.map(([file]) => file)).toEqual([]);
  });

  test("only the programs read process.env, and only hand it on", () => {
    const readers = [...sources].filter(([, source]) => source.includes("process.env")).map(([file]) => file);
    expect(readers.sort()).toEqual(["main.ts", "stdio.ts", "verify/main.ts"]);
  });

  test("no module holds state: nothing at top level can be assigned again, or begins empty and can be filled", () => {
    const state =
      /^(?:export )?(?:let|var) |^(?:export )?const \w+(?:: (?!Readonly)[^=]+)? = (?:\[\]|\{\}|new \w+(?:<.*>)?\(\));/m;
    expect([...sources].filter(([, source]) => state.test(source)).map(([file]) => file)).toEqual([]);
  });

  test("names say what a file is for: no utils, helpers or common", () => {
    expect(files.filter((file) => /(?:^|\/)(?:utils?|helpers?|common|misc)(?:\.ts|\/)/.test(file))).toEqual([]);
  });
});

test("emulators and server know nothing of each other", () => {
  const folder = join(ROOT, "emulators");
  const emulators = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
    (name) => name.endsWith(".ts") && !name.startsWith("dist"),
  );
  const offenders = emulators.filter((name) => /from "[^"]*\/src\//.test(readFileSync(join(folder, name), "utf8")));
  expect(offenders).toEqual([]);
  expect(inside.filter(({ target }) => target.includes("emulators"))).toEqual([]);
});
