import { ToolError } from "../mcp/tool-error.ts";
import type { Command, LocalSettings } from "./command-line.ts";
import { RefusedFileError } from "./private-file.ts";
import type { PublicClient } from "./public-client.ts";
import { toToolError } from "./refusal.ts";
import type { SignIn } from "./sign-in.ts";
import { forgetTokens, type TokenCache } from "./token-cache.ts";

/** What the commands work with; nothing of it is opened before it is needed. */
export interface AccountCommandOptions {
  readonly settings: LocalSettings;
  readonly signIn: SignIn;
  readonly cache: () => Promise<TokenCache | undefined>;
  readonly client: () => Promise<PublicClient>;
}

const LOGIN_MS = 10 * 60 * 1000;

/** Runs `login`, `logout` or `whoami` for a person at a terminal and returns the exit code. */
export async function runAccountCommand(
  command: Exclude<Command, "serve">,
  options: AccountCommandOptions,
): Promise<number> {
  const run = { login, logout, whoami }[command];
  try {
    return await run(options);
  } catch (error) {
    const { message } = toToolError(error, options.settings.adminConsentUrl);
    process.stderr.write(`${message}\n`);
    return 1;
  }
}

async function login({ signIn, cache }: AccountCommandOptions): Promise<number> {
  if (!(await cache())) return 1;
  const found = await signIn.ask({
    waitMs: LOGIN_MS,
    clientOpensUrl: false,
    signal: AbortSignal.timeout(LOGIN_MS * 2),
  });
  if (!("account" in found)) throw new ToolError("interaction_required", "Nobody signed in. Try again.");
  process.stdout.write(`Signed in as ${found.account.username}\n`);
  return 0;
}

async function logout({ settings, client }: AccountCommandOptions): Promise<number> {
  const { account } = settings;
  if (account === undefined) {
    await forgetTokens(settings);
    process.stdout.write("Signed out: nothing is kept of anybody.\n");
    return 0;
  }
  try {
    const entra = await client();
    const found = (await entra.accounts()).find(({ username }) => username.toLowerCase() === account.toLowerCase());
    if (found) await entra.remove(found);
  } catch (error) {
    // The refusal of a damaged file sends people here: what nobody can read keeps nobody signed in.
    if (!(error instanceof RefusedFileError)) throw error;
    await forgetTokens(settings);
  }
  process.stdout.write(`Signed out: nothing is kept of ${account}.\n`);
  return 0;
}

async function whoami({ client, cache }: AccountCommandOptions): Promise<number> {
  const kept = await cache();
  const accounts = await (await client()).accounts();
  const who = accounts.map(({ username, tenantId }) => `${username} (tenant ${tenantId})\n`).join("");
  process.stdout.write(`${who || "Nobody is signed in.\n"}Kept in ${kept?.place ?? "memory only"}\n`);
  return accounts.length > 0 ? 0 : 1;
}
