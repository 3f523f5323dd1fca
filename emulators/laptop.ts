import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { onOtherPorts } from "./banner.ts";
import { createCertificates } from "./kernel/certificates.ts";
import { listen, PortBusyError } from "./kernel/listener.ts";
import { type LocalCloud, startLocalCloud } from "./local-cloud.ts";

/** The local cloud on fixed ports, and what a server on this machine needs to be told to live in it. */
export interface Laptop {
  readonly cloud: LocalCloud;
  /** Where the server is expected to listen. */
  readonly serverPort: number;
  /** The server's whole environment, trust in the throw-away certificate authority included. */
  readonly environment: Readonly<Record<string, string>>;
}

const FOLDER = join(import.meta.dirname, "../../.local");
const DEFAULT_PORT = 3000;

/**
 * Starts the local cloud on `PORT` (3000) and the five or six ports after it.
 *
 * With App Service in front (`easy-auth`) the first port is its own and the server gets the seventh, otherwise the first.
 */
export async function startLaptop(auth: "easy-auth" | "bearer" | "broker"): Promise<Laptop> {
  const behindAppService = auth === "easy-auth";
  const first = Number(process.env["PORT"] ?? DEFAULT_PORT);
  if (!Number.isInteger(first) || first < 1 || first > 65_500) {
    throw new RangeError("PORT must be a number from 1 to 65500; the six ports after it are used too.");
  }
  const serverPort = behindAppService ? first + 6 : first;
  const certificates = await createCertificates();
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
    ...(behindAppService ? {} : { serverOrigin: `http://localhost:${first}`, broker: auth === "broker" }),
  });
  await (await listen("this server", (_req, res) => res.end(), { port: serverPort })).close();
  cloud.appService?.setApp(`http://localhost:${serverPort}`);
  // Only now that all ports are this run's: another one that runs needs its own authority. One with other ports has its own file.
  const caFile = join(FOLDER, first === DEFAULT_PORT ? "ca.pem" : `ca-${first}.pem`);
  await mkdir(FOLDER, { recursive: true });
  await writeFile(caFile, certificates.ca);
  const environment = {
    ...cloud.environment(),
    NODE_EXTRA_CA_CERTS: caFile,
    HOST: "127.0.0.1",
    PORT: String(serverPort),
  };
  return { cloud, serverPort, environment };
}

/** Runs a command of the laptop: its number is the exit code, and a port that is taken is a sentence, not a stack. */
export async function runCommand(main: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await main();
  } catch (error) {
    process.exitCode = 1;
    if (error instanceof PortBusyError || error instanceof RangeError) {
      console.error(`${error.message} For other ports: ${onOtherPorts()}`);
    } else if ((error as NodeJS.ErrnoException).code?.startsWith("ERR_PARSE_ARGS")) {
      console.error("Usage: npm run dev [-- --auth easy-auth|bearer|broker]");
    } else {
      throw error;
    }
  }
}
