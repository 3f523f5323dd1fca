import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** The built server as a process of its own. */
export interface ServerProcess {
  readonly pid: number | undefined;
  readonly port: number;
  /** Lines written to standard output so far, parsed. */
  readonly log: readonly Record<string, unknown>[];
  /** Everything written to standard output and standard error so far. */
  output(): string;
  signal(name: NodeJS.Signals): void;
  readonly exit: Promise<number | null>;
  stop(): Promise<void>;
}

const DIST_MAIN = join(import.meta.dirname, "../../dist/main.js");

/** Starts `dist/main.js`, or another build, with exactly this environment and waits until it listens or ends. */
export async function startServerProcess(
  environment: Record<string, string>,
  main: string = DIST_MAIN,
): Promise<ServerProcess> {
  const child = spawn(process.execPath, [main], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { NODE_EXTRA_CA_CERTS: process.env["NODE_EXTRA_CA_CERTS"], PATH: process.env["PATH"], ...environment },
  });
  const log: Record<string, unknown>[] = [];
  let output = "";
  child.stderr.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  const exit = new Promise<number | null>((resolve) => {
    child.once("close", resolve);
  });
  const listening = new Promise<number>((resolve) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      output += `${line}\n`;
      const entry = JSON.parse(line) as Record<string, unknown>;
      log.push(entry);
      if (entry["msg"] === "Listening") resolve(Number(entry["port"]));
    });
  });
  const port = await Promise.race([listening, exit.then(() => 0)]);
  return {
    pid: child.pid,
    port,
    log,
    output: () => output,
    signal: (name) => void child.kill(name),
    exit,
    stop: () => stop(child, exit),
  };
}

async function stop(child: ChildProcess, exit: Promise<number | null>): Promise<void> {
  child.kill("SIGTERM");
  const impatient = setTimeout(() => child.kill("SIGKILL"), 5_000);
  await exit;
  clearTimeout(impatient);
}

/**
 * A port that was free a moment ago, for a server whose address must be known before it starts.
 *
 * Below the range from which systems hand out free ports: test files run at once, and one of them would be given a
 * port that another has probed and not yet bound.
 */
export async function freePort(): Promise<number> {
  for (let attempts = 0; attempts < 50; attempts += 1) {
    const port = randomInt(20_000, 32_000);
    const probe = createServer();
    const free = await new Promise<boolean>((resolve) => {
      probe.once("error", () => resolve(false)).listen(port, "127.0.0.1", () => resolve(true));
    });
    await new Promise((resolve) => {
      probe.close(resolve);
    });
    if (free) return port;
  }
  throw new Error("No free port found.");
}
