import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
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
  readonly session?: Session;
}

/** A session on a terminal, and what somebody types who sits there. */
export interface Session {
  /** Enter is pressed when it shows this. */
  readonly question: string;
  /** Then, one after the other, these keys are pressed when it shows that text. */
  readonly answers?: readonly (readonly [shown: string, keys: string])[];
  /** It is ended when it shows this; otherwise it ends by itself. */
  readonly done?: string;
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
  const typeAt = session && typist(session, (keys) => child.stdin?.write(keys));
  let output = "";
  const ended = new Promise<number | null>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (chunk: string) => {
        output += chunk;
        printed?.read(chunk);
        if (!session) return;
        const shown = stripVTControlCharacters(output);
        if (session.done !== undefined && shown.includes(session.done)) resolve(0);
        typeAt?.(shown);
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
    const running = child.exitCode === null && child.signalCode === null;
    const descendants = running ? descendantsOf(child.pid) : [];
    for (const pid of [child.pid, ...descendants]) killGroup(pid);
  }
}

/** Presses the keys of a session in their order, each when its text is shown after that of the one before. */
function typist({ question, answers = [] }: Session, press: (keys: string) => void): (shown: string) => void {
  const steps = [[question, "\r"] as const, ...answers];
  let read = 0;
  return (shown) => {
    for (let step = steps[0]; step; step = steps[0]) {
      const [text, keys] = step;
      const found = shown.indexOf(text, read);
      if (found < 0) return;
      read = found + text.length;
      steps.shift();
      press(keys);
    }
  };
}

/** What a process has started, on a terminal too: there it has left the process group. Empty except on Linux. */
function descendantsOf(pid: number | undefined): number[] {
  try {
    const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(" ").filter(Boolean).map(Number),
    );
    return children.concat(children.flatMap((child) => descendantsOf(child)));
  } catch {
    return [];
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
