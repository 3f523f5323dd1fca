import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe } from "vitest";
import type { Certificates } from "../../emulators/kernel/certificates.ts";
import { freePort } from "./server-process.ts";

const CANDIDATES = [process.env["REDIS_SERVER_PATH"], "/usr/bin/redis-server", "/usr/local/bin/redis-server"];
const executable = CANDIDATES.find((path) => path !== undefined && existsSync(path));

/** A suite that needs Redis: skipped where there is none, unless REQUIRE_ALL=1 demands it. */
export function describeWithRedis(name: string, suite: () => void): void {
  const missing = executable === undefined;
  const reason = missing ? " (no redis-server found; set REDIS_SERVER_PATH)" : "";
  describe.skipIf(missing && process.env["REQUIRE_ALL"] !== "1")(`${name}${reason}`, () => {
    suite();
  });
}

/** How to start Redis. */
export interface RedisOptions {
  readonly port?: number;
  /** Speaks TLS only. */
  readonly certificates?: Certificates;
  /** Users in the syntax of `user` in redis.conf; the default user needs no password. */
  readonly users?: readonly string[];
}

/** A Redis of the test's own. */
export interface Redis {
  readonly port: number;
  /** `redis://` or `rediss://`, without a path. */
  readonly url: string;
  /** Stops its process without a word: connections stay open and nothing answers. */
  freeze(): void;
  thaw(): void;
  stop(): Promise<void>;
}

/** Starts Redis on loopback; it keeps nothing on disk. */
export async function startRedis({ port, certificates, users = [] }: RedisOptions = {}): Promise<Redis> {
  if (executable === undefined) throw new Error("REQUIRE_ALL=1, and no redis-server found. Set REDIS_SERVER_PATH.");
  const bound = port ?? (await freePort());
  const folder = await mkdtemp(join(tmpdir(), "azure-graph-mcp-redis-"));
  const settings = ["bind 127.0.0.1", `dir ${folder}`, 'save ""', "appendonly no", ...users];
  if (certificates) {
    const { ca, cert, key } = certificates;
    for (const [name, text] of Object.entries({ ca, cert, key })) await writeFile(join(folder, `${name}.pem`), text);
    settings.push(
      "port 0",
      `tls-port ${bound}`,
      `tls-cert-file ${join(folder, "cert.pem")}`,
      `tls-key-file ${join(folder, "key.pem")}`,
      `tls-ca-cert-file ${join(folder, "ca.pem")}`,
      "tls-auth-clients no",
    );
  } else {
    settings.push(`port ${bound}`);
  }
  const file = join(folder, "redis.conf");
  await writeFile(file, `${settings.join("\n")}\n`);
  const child = spawn(executable, [file], { stdio: ["ignore", "pipe", "inherit"] });
  const exit = new Promise<void>((resolve) => {
    child.once("close", () => resolve());
  });
  await listening(child);
  return {
    port: bound,
    url: `${certificates ? "rediss" : "redis"}://localhost:${bound}`,
    freeze: () => void child.kill("SIGSTOP"),
    thaw: () => void child.kill("SIGCONT"),
    async stop() {
      // A stopped process would not notice any other signal.
      child.kill("SIGKILL");
      await exit;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function listening(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = "";
    if (!child.stdout) throw new Error("Redis was started without a pipe for its output.");
    createInterface({ input: child.stdout }).on("line", (line) => {
      output += `${line}\n`;
      if (line.includes("Ready to accept connections")) resolve();
    });
    child.once("error", reject);
    child.once("close", () => reject(new Error(`Redis did not start:\n${output}`)));
  });
}
