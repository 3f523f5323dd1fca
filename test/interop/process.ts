import { spawn } from "node:child_process";
import { stripVTControlCharacters } from "node:util";
import { NotRun, type RemoteServer } from "./client.ts";
import { PrintedSignIn } from "./printed-sign-in.ts";

/** How to run a program. */
export interface RunOptions {
  readonly cwd: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly limitSeconds?: number;
  /** Goes through the sign-in whose address the program prints. */
  readonly signIn?: RemoteServer["signIn"] | undefined;
  /** A session on a terminal: Enter is pressed when it shows `question`, and it is ended when it shows `done`. */
  readonly session?: { readonly question: string; readonly done: string };
}

/**
 * Runs a program to its end and answers all that it printed, without colours.
 *
 * Throws when it fails or takes longer than `limitSeconds` (90); then it is killed together with what it started.
 */
export async function run(command: string, args: readonly string[], options: RunOptions): Promise<string> {
  const { cwd, environment, limitSeconds = 90, signIn, session } = options;
  // Its own process group, so that its helpers can be ended with it.
  const child = spawn(command, args, {
    cwd,
    env: environment,
    detached: true,
    stdio: [session ? "pipe" : "ignore", "pipe", "pipe"],
  });
  const printed = signIn && new PrintedSignIn(signIn);
  let output = "";
  let asked = false;
  const ended = new Promise<number | null>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (chunk: string) => {
        output += chunk;
        printed?.read(chunk);
        if (!session) return;
        const shown = stripVTControlCharacters(output);
        if (shown.includes(session.done)) resolve(0);
        if (asked || !shown.includes(session.question)) return;
        asked = true;
        child.stdin?.write("\r");
      });
    }
    child.once("close", resolve);
    child.once("error", (error) => reject(new NotRun(`${command} does not start on this machine`, { cause: error })));
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`Not finished after ${limitSeconds} seconds`)), limitSeconds * 1_000);
  });
  try {
    const code = await Promise.race([ended, late, ...(printed ? [printed.failure] : [])]);
    if (code !== 0) throw new Error(`Ended with code ${code}`);
    return stripVTControlCharacters(output);
  } catch (error) {
    if (error instanceof NotRun) throw error;
    const shown = stripVTControlCharacters(output).trim().slice(-600);
    throw new Error(`${(error as Error).message}; it printed: ${shown || "nothing"}`, { cause: error });
  } finally {
    clearTimeout(timer);
    killGroup(child.pid);
  }
}

/** Ends a process group; what has ended already is fine. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nobody of the group is left.
  }
}
