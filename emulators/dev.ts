import { spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { banner } from "./banner.ts";
import { createCertificates } from "./kernel/certificates.ts";
import { PortBusyError } from "./kernel/listener.ts";
import { startLocalCloud } from "./local-cloud.ts";

/** `npm run dev`: the local cloud and the built server in it, until Ctrl-C. `PORT` (3000) is the first of seven ports. */
async function main(): Promise<number> {
  const { values } = parseArgs({ options: { auth: { type: "string", default: "easy-auth" } } });
  if (values.auth !== "easy-auth" && values.auth !== "bearer") {
    console.error("--auth takes easy-auth (default) or bearer.");
    return 1;
  }
  const first = Number(process.env["PORT"] ?? 3000);
  if (!Number.isInteger(first) || first < 1 || first > 65_500) {
    console.error(
      "PORT must be a number from 1 to 65500; the next six ports are used too. Example: PORT=4000 npm run dev",
    );
    return 1;
  }

  const folder = join(import.meta.dirname, "../../.local");
  await mkdir(folder, { recursive: true });
  const certificates = await createCertificates();
  const caFile = join(folder, "ca.pem");
  await writeFile(caFile, certificates.ca);

  const serverPort = values.auth === "bearer" ? first : first + 6;
  const cloud = await startLocalCloud({
    certificates,
    ports: {
      appService: first,
      entraHttp: first + 1,
      entraHttps: first + 2,
      graph: first + 3,
      keyVault: first + 4,
      managedIdentity: first + 5,
    },
    ...(values.auth === "bearer" ? { serverOrigin: `http://localhost:${first}` } : {}),
  });
  cloud.appService?.setApp(`http://localhost:${serverPort}`);

  const server = spawn(process.execPath, [join(import.meta.dirname, "../../dist/main.js")], {
    stdio: ["ignore", "inherit", "inherit"],
    env: {
      LOG_LEVEL: "info",
      ...process.env,
      ...cloud.environment(),
      NODE_EXTRA_CA_CERTS: caFile,
      HOST: "127.0.0.1",
      PORT: String(serverPort),
    },
  });
  const ended = new Promise<number>((resolve) => {
    server.once("exit", (code) => resolve(code ?? 0));
  });
  const stop = (): void => {
    server.kill("SIGTERM");
  };
  // A terminal sends Ctrl-C to the server as well; a supervisor signals this process only.
  process.once("SIGINT", stop).once("SIGTERM", stop);

  if (await isReady(`http://localhost:${serverPort}/readyz`, ended)) console.log(banner(cloud, serverPort));
  else console.error("The server did not become ready; its log is above.");
  const code = await ended;
  await cloud.close();
  return code;
}

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

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof PortBusyError)) throw error;
  console.error(`${error.message} Stop what uses it, or choose other ports: PORT=4000 npm run dev`);
  process.exitCode = 1;
}
