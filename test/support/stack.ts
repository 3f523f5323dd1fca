import { inject } from "vitest";
import { type LocalCloud, startLocalCloud } from "../../emulators/local-cloud.ts";
import { freePort, type ServerProcess, startServerProcess } from "./server-process.ts";

/** The ways to run the server. */
export type AuthMode = "easy-auth" | "bearer" | "broker";

/** The local cloud with the server in it. */
export interface Stack extends Omit<LocalCloud, "close"> {
  readonly server: ServerProcess;
  /** Origin of the server itself, past App Service. */
  readonly serverOrigin: string;
  /** Ends the server and starts it again with other settings, in the same cloud. */
  restart(environment?: Record<string, string>): Promise<void>;
  close(): Promise<void>;
}

/** A test calls faster than a person's client does; the limits have tests of their own. */
const MANY_CALLS = { CALLS_PER_MINUTE: "6000", REGISTRATIONS_PER_MINUTE: "6000" };

/** Starts the local cloud and `dist/main.js` in it; every port is a free one. */
export async function startStack(
  mode: AuthMode = "easy-auth",
  environment: Record<string, string> = {},
): Promise<Stack> {
  const port = await freePort();
  const serverOrigin = `http://localhost:${port}`;
  const cloud = await startLocalCloud({
    certificates: inject("certificates"),
    ...(mode === "easy-auth" ? {} : { serverOrigin, broker: mode === "broker" }),
  });
  cloud.appService?.setApp(serverOrigin);
  const start = (more: Record<string, string>) =>
    startServerProcess({
      ...cloud.environment(),
      HOST: "127.0.0.1",
      PORT: String(port),
      LOG_LEVEL: "debug",
      ...MANY_CALLS,
      ...more,
    });
  let server = await start(environment);
  return {
    ...cloud,
    get server() {
      return server;
    },
    serverOrigin,
    async restart(more = environment) {
      await server.stop();
      server = await start(more);
    },
    async close() {
      await server.stop();
      await cloud.close();
    },
  };
}
