import { parseArgs } from "node:util";
import * as z from "zod";
import { type Catalogue, ConfigError, settings } from "../config.ts";
import { REGISTRATION } from "./registration.ts";

/** What the program is asked to do; `serve` where no command is named. */
export type Command = "serve" | "login" | "logout" | "whoami";

/** Everything that can be set of the local server, checked and frozen. */
export type LocalSettings = ReturnType<typeof toSettings>;

/** Settings that are flags too, by the flag's name: a flag counts before its variable. */
const FLAGS = {
  tenant: { variable: "AZURE_TENANT_ID", value: "<id>", help: "Entra tenant: its id or a domain name of it" },
  "client-id": { variable: "LOCAL_CLIENT_ID", value: "<id>", help: "Application (client) id of the public client" },
  account: { variable: "LOCAL_ACCOUNT", value: "<name>", help: "Sign in as this user principal name and nobody else" },
  toolsets: { variable: "TOOLSETS", value: "<names>", help: "Toolsets that are served, separated by commas" },
  "extra-permissions": {
    variable: "EXTRA_PERMISSIONS",
    value: "<names>",
    help: "Optional Graph permissions that tools may use",
  },
  "allow-writes": { variable: "ALLOW_WRITES", help: "Serve tools that change data; each still asks before it does" },
  "sign-in": { variable: "LOCAL_SIGN_IN", value: "<how>", help: "auto (default), browser or device-code" },
  "sign-in-wait": {
    variable: "LOCAL_SIGN_IN_WAIT",
    value: "<seconds>",
    help: "How long a call waits for a sign-in before it answers with what to do (45)",
  },
  "cache-without-keyring": {
    variable: "LOCAL_CACHE_WITHOUT_KEYRING",
    help: "Keep the sign-in in a file even where no keyring protects its key",
  },
  "log-level": { variable: "LOG_LEVEL", value: "<level>", help: "Least level that is logged to standard error (warn)" },
} as const satisfies Record<string, { variable: string; value?: string; help: string }>;

/** The text of `--help`. */
export const HELP = `Usage: azure-graph-mcp [command] [flags]

Serves Microsoft Graph tools over standard input and output (MCP), as the person at this machine.

Commands
  (none)    Serve. Nobody has to be signed in yet: the first call of a tool asks for it
  login     Sign in now; without --account as whom you pick, in place of whoever is signed in
  logout    Forget the sign-in (of --account, or of everybody)
  whoami    Say who is signed in, and where that is kept

Flags, and the environment variables that they stand for
${Object.entries(FLAGS)
  .map(([name, flag]) => {
    const shown = `--${name}${"value" in flag ? ` ${flag.value}` : ""}`;
    return `  ${shown.padEnd(27)} ${flag.help} [${flag.variable}]`;
  })
  .join("\n")}
  --help, --version
`;

/** What was asked for on the command line. */
export type Request =
  | { readonly show: "help" | "version" }
  | { readonly command: Command; readonly settings: LocalSettings };

/** Reads the command line, and from the environment what it leaves open. Throws {@link ConfigError}. */
export function readCommandLine(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
  catalogue: Catalogue,
): Request {
  const { values, positionals } = parse(args);
  const { help, version, ...flags } = values;
  if (help) return { show: "help" };
  if (version) return { show: "version" };
  const [command = "serve", ...rest] = positionals;
  if (!isCommand(command) || rest.length > 0) {
    throw new ConfigError("The commands are login, logout and whoami; without one the server runs. See --help.");
  }
  const given: Record<string, string | undefined> = { ...environment };
  for (const [name, { variable }] of Object.entries(FLAGS)) {
    if (flags[name] !== undefined) given[variable] = String(flags[name]);
  }
  // Hosts fill in what is not set as empty text.
  const known = Object.fromEntries(Object.entries(given).filter(([, value]) => value?.trim()));
  const parsed = z.object(schema(catalogue)).safeParse(known);
  if (parsed.success) return { command, settings: toSettings(parsed.data) };
  const problems = parsed.error.issues.map(({ path: [variable], message, code }) => {
    const flag = Object.entries(FLAGS).find(([, candidate]) => candidate.variable === variable)?.[0];
    const name = flag === undefined ? String(variable) : `--${flag} (${String(variable)})`;
    return `  - ${name} ${code === "invalid_type" ? "is not set" : message}`;
  });
  throw new ConfigError(`The settings are not complete:\n${problems.join("\n")}\nSee --help.`);
}

function parse(args: readonly string[]): {
  values: Readonly<Record<string, string | boolean | undefined>>;
  positionals: readonly string[];
} {
  const options = Object.entries(FLAGS).map(([name, flag]) => [name, { type: "value" in flag ? "string" : "boolean" }]);
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        ...(Object.fromEntries(options) as Record<string, { type: "string" | "boolean" }>),
        help: { type: "boolean" },
        version: { type: "boolean" },
      },
    });
  } catch (error) {
    throw new ConfigError(`${(error as Error).message} See --help.`);
  }
}

function schema(catalogue: Catalogue) {
  const {
    TOOLSETS,
    EXTRA_PERMISSIONS,
    ALLOW_WRITES,
    AZURE_AUTHORITY_HOST,
    GRAPH_ENDPOINT,
    DOWNLOAD_HOSTS,
    TOOL_TIMEOUT_SECONDS,
    LOG_LEVEL,
  } = settings(catalogue);
  const tenant = z.string().regex(/^[\w.-]+$/, "must be a tenant's id or domain name");
  const clientId = z.guid("must be a GUID").toLowerCase();
  return {
    AZURE_TENANT_ID: REGISTRATION.tenant === undefined ? tenant : tenant.default(REGISTRATION.tenant),
    LOCAL_CLIENT_ID: REGISTRATION.clientId === undefined ? clientId : clientId.default(REGISTRATION.clientId),
    LOCAL_ACCOUNT: z.string().optional(),
    LOCAL_SIGN_IN: z.enum(["auto", "browser", "device-code"], "must be auto, browser or device-code").default("auto"),
    LOCAL_SIGN_IN_WAIT: z.coerce.number("must be a number from 0 to 600").min(0).max(600).default(45),
    LOCAL_CACHE_WITHOUT_KEYRING: z.stringbool("must be true or false").default(false),
    TOOLSETS,
    EXTRA_PERMISSIONS,
    ALLOW_WRITES,
    AZURE_AUTHORITY_HOST,
    GRAPH_ENDPOINT,
    DOWNLOAD_HOSTS,
    TOOL_TIMEOUT_SECONDS,
    // Hosts show what is on standard error as if something were wrong.
    LOG_LEVEL: LOG_LEVEL.unwrap().default("warn"),
  };
}

function toSettings(given: z.output<z.ZodObject<ReturnType<typeof schema>>>) {
  const authority = `${new URL(given.AZURE_AUTHORITY_HOST).origin}/${given.AZURE_TENANT_ID}`;
  return Object.freeze({
    authority,
    adminConsentUrl: `${authority}/adminconsent?client_id=${given.LOCAL_CLIENT_ID}`,
    tenant: given.AZURE_TENANT_ID,
    clientId: given.LOCAL_CLIENT_ID,
    account: given.LOCAL_ACCOUNT,
    signIn: given.LOCAL_SIGN_IN,
    signInWaitMs: given.LOCAL_SIGN_IN_WAIT * 1000,
    cacheWithoutKeyring: given.LOCAL_CACHE_WITHOUT_KEYRING,
    toolsets: given.TOOLSETS,
    extraPermissions: given.EXTRA_PERMISSIONS,
    // No app role exists in a Graph token: on a person's own machine the switch is theirs alone.
    access: { allowWrites: given.ALLOW_WRITES, writeRole: undefined },
    graphEndpoint: new URL(given.GRAPH_ENDPOINT).origin,
    downloadHosts: given.DOWNLOAD_HOSTS,
    toolTimeoutMs: given.TOOL_TIMEOUT_SECONDS * 1000,
    logLevel: given.LOG_LEVEL,
  } as const);
}

function isCommand(word: string): word is Command {
  return ["serve", "login", "logout", "whoami"].includes(word);
}
