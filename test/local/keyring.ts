import { execFile, spawn, spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { describe } from "vitest";

const PROGRAMS = ["dbus-run-session", "gnome-keyring-daemon"];
const UNLOCK = "printf secret | gnome-keyring-daemon --unlock --components=secrets >/dev/null";
const SEND = "dbus-send --session --print-reply=literal";
const LOCK = `${SEND} --dest=org.freedesktop.secrets /org/freedesktop/secrets org.freedesktop.Secret.Service.Lock array:objpath:/org/freedesktop/secrets/collection/login`;
const PROCESS_ID = `${SEND} --dest=org.freedesktop.DBus / org.freedesktop.DBus.GetConnectionUnixProcessID string:org.freedesktop.secrets`;
const missing = PROGRAMS.filter((name) => spawnSync("which", [name]).status !== 0);

/** A suite that needs the Secret Service: skipped where there is none, unless REQUIRE_ALL=1 demands it. */
export function describeWithKeyring(name: string, suite: () => void): void {
  const reason = missing.length > 0 ? ` (not found: ${missing.join(", ")})` : "";
  describe.skipIf(missing.length > 0 && process.env["REQUIRE_ALL"] !== "1")(`${name}${reason}`, () => {
    suite();
  });
}

/** A Secret Service of its own, unlocked. */
export interface Keyring {
  /** What a process needs in its environment to find it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Stops the process that answers, until `resume`. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Locks what is kept; nobody is there to be asked for the password. */
  lock(): Promise<void>;
  unlock(): Promise<void>;
  close(): Promise<void>;
}

/** Starts `gnome-keyring-daemon` on a session bus of its own, with an empty keyring. */
export async function startKeyring(): Promise<Keyring> {
  if (missing.length > 0) throw new Error(`REQUIRE_ALL=1, and not found: ${missing.join(", ")}`);
  const home = await mkdtemp(join(tmpdir(), "azure-graph-mcp-keyring-"));
  const script = `${UNLOCK} && echo "$DBUS_SESSION_BUS_ADDRESS" && exec cat`;
  const env = { PATH: process.env["PATH"], HOME: home, XDG_DATA_HOME: home, XDG_RUNTIME_DIR: home };
  const child = spawn("dbus-run-session", ["--", "sh", "-c", script], { stdio: ["pipe", "pipe", "ignore"], env });
  const exit = new Promise((resolve) => {
    child.once("close", resolve);
  });
  const address = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", resolve);
    child.once("close", () => reject(new Error("The Secret Service did not start.")));
  });
  const environment = { DBUS_SESSION_BUS_ADDRESS: address };
  const shell = async (command: string): Promise<string> => {
    const options = { env: { ...env, ...environment }, timeout: 10_000 };
    return (await promisify(execFile)("sh", ["-c", command], options)).stdout;
  };
  const signal = async (name: NodeJS.Signals): Promise<void> => {
    const [pid] = /\d+$/m.exec(await shell(PROCESS_ID)) ?? [];
    process.kill(Number(pid), name);
  };
  return {
    environment,
    pause: () => signal("SIGSTOP"),
    resume: () => signal("SIGCONT"),
    lock: async () => void (await shell(LOCK)),
    async unlock() {
      // With nobody to ask, only a new process takes the password; the old one has to be off the bus.
      await signal("SIGTERM");
      await shell(`while ${PROCESS_ID} 2>/dev/null; do sleep 0.05; done; ${UNLOCK}`);
    },
    async close() {
      child.stdin.end();
      await exit;
      await rm(home, { recursive: true, force: true });
    },
  };
}
