import { spawn } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { banner } from "./banner.ts";
import { runCommand, startLaptop } from "./laptop.ts";

const SERVER = join(import.meta.dirname, "../../dist/main.js");

/** `npm run dev`: the local cloud and the built server in it, until Ctrl-C. */
await runCommand(async () => {
  const { values } = parseArgs({ options: { auth: { type: "string", default: "easy-auth" } } });
  const { auth } = values;
  if (auth !== "easy-auth" && auth !== "bearer" && auth !== "broker") {
    console.error("--auth takes easy-auth (the default), bearer or broker.");
    return 1;
  }
  const { cloud, serverPort, environment } = await startLaptop(auth);
  const server = spawn(process.execPath, [SERVER], {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, ...environment },
  });
  const ended = new Promise<number>((resolve) => {
    server.once("exit", (code) => resolve(code ?? 0));
  });
  const stop = (): void => {
    server.kill("SIGTERM");
  };
  // A terminal sends Ctrl-C to the server as well; a supervisor signals this process only.
  process.once("SIGINT", stop).once("SIGTERM", stop);

  if (await isReady(`http://localhost:${serverPort}/readyz`, ended)) console.log(banner(cloud, serverPort, auth));
  else console.error("The server did not become ready; its log is above.");
  const code = await ended;
  await cloud.close();
  return code;
});

/** Polls for at most ten seconds; gives up at once when the server ends. */
async function isReady(url: string, ended: Promise<number>): Promise<boolean> {
  const deadline = AbortSignal.timeout(10_000);
  const over = ended.then(() => "over" as const);
  while (!deadline.aborted) {
    const response = await fetch(url, { signal: deadline }).catch(() => undefined);
    if (response?.ok) return true;
    if ((await Promise.race([over, sleep(50)])) === "over") return false;
  }
  return false;
}
