import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { listen } from "../../emulators/kernel/listener.ts";

const CANDIDATES = [process.env["REDIS_SERVER_PATH"], "/usr/bin/redis-server", "/usr/local/bin/redis-server"];

/** Where redis-server is; undefined where there is none. */
export const redisServer = CANDIDATES.find((path) => path !== undefined && existsSync(path));

/** A Redis that keeps nothing. */
export interface Redis {
  readonly url: string;
  close(): Promise<void>;
}

/** Starts Redis on a free port of loopback. Rejects when it ends before it is ready. */
export async function startRedis(executable: string): Promise<Redis> {
  const probe = await listen("the search for a free port", () => undefined);
  await probe.close();
  const child = spawn(
    executable,
    ["--bind", "127.0.0.1", "--port", String(probe.port), "--save", "", "--appendonly", "no"],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const end = once(child, "exit");
  const kill = (): void => void child.kill();
  process.once("exit", kill);
  const ready = new Promise<void>((resolve) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line.includes("Ready to accept connections")) resolve();
    });
  });
  await Promise.race([
    ready,
    end.then(() => {
      throw new Error(`${executable} ended before it was ready.`);
    }),
  ]);
  return {
    url: `redis://localhost:${probe.port}`,
    async close() {
      process.off("exit", kill);
      kill();
      await end;
    },
  };
}
