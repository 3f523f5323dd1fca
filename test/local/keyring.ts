import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe } from "vitest";

const PROGRAMS = ["dbus-run-session", "gnome-keyring-daemon"];
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
  close(): Promise<void>;
}

/** Starts `gnome-keyring-daemon` on a session bus of its own, with an empty keyring. */
export async function startKeyring(): Promise<Keyring> {
  if (missing.length > 0) throw new Error(`REQUIRE_ALL=1, and not found: ${missing.join(", ")}`);
  const home = await mkdtemp(join(tmpdir(), "azure-graph-mcp-keyring-"));
  const script =
    'printf secret | gnome-keyring-daemon --unlock --components=secrets >/dev/null && echo "$DBUS_SESSION_BUS_ADDRESS" && exec cat';
  const child = spawn("dbus-run-session", ["--", "sh", "-c", script], {
    stdio: ["pipe", "pipe", "ignore"],
    env: { PATH: process.env["PATH"], HOME: home, XDG_DATA_HOME: home, XDG_RUNTIME_DIR: home },
  });
  const exit = new Promise((resolve) => {
    child.once("close", resolve);
  });
  const address = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", resolve);
    child.once("close", () => reject(new Error("The Secret Service did not start.")));
  });
  return {
    environment: { DBUS_SESSION_BUS_ADDRESS: address },
    async close() {
      child.stdin.end();
      await exit;
      await rm(home, { recursive: true, force: true });
    },
  };
}
