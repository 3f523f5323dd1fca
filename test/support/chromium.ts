import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";
import { describe } from "vitest";

const CANDIDATES = [process.env["CHROMIUM_PATH"], "/usr/bin/chromium", "/usr/bin/google-chrome"];
const executablePath = CANDIDATES.find((path) => path !== undefined && existsSync(path));

/** A suite that needs Chromium: skipped where there is none, unless REQUIRE_ALL=1 demands it. */
export function describeWithChromium(name: string, suite: () => void): void {
  const missing = executablePath === undefined;
  const reason = missing ? " (no Chromium found; set CHROMIUM_PATH)" : "";
  describe.skipIf(missing && process.env["REQUIRE_ALL"] !== "1")(`${name}${reason}`, () => {
    suite();
  });
}

/** Starts a headless Chromium that talks to nobody but the test. */
export function launchChromium(): Promise<Browser> {
  if (executablePath === undefined) throw new Error("REQUIRE_ALL=1, and no Chromium found. Set CHROMIUM_PATH.");
  return chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
    ],
  });
}
