import { startServer } from "./composition.ts";
import { type Config, ConfigError, loadConfig } from "./config.ts";
import { createLog } from "./platform/log.ts";
import { StartError } from "./start-error.ts";
import { catalogue } from "./tools/index.ts";

/**
 * Starts the HTTP server from the environment and ends it on SIGTERM and SIGINT.
 *
 * Exit codes: 0 after a signal, 1 when the configuration is wrong or the port is taken.
 */
async function main(): Promise<void> {
  const config = readConfig();
  if (!config) return;
  Object.assign(process.env, config.telemetry?.environment);
  const log = createLog(config.logLevel);
  const server = await startServer(config, log).catch(async (error: NodeJS.ErrnoException) => {
    const reason = error instanceof StartError ? error.message : (error.code ?? error.name);
    log.error("The server could not start", { reason, port: config.listen.port });
    await log.flush();
    // Connections to Redis that are being tried again would keep the process.
    process.exit(1);
  });
  log.info("Listening", { port: server.port, url: config.mcpUrl, authMode: config.authMode });

  const stop = (signal: NodeJS.Signals): void => {
    log.info("Stopping", { signal });
    void server.stop().then(async () => {
      log.info("Stopped");
      await log.flush();
      // The Azure SDKs do not give up a request that gets no answer, and its socket would keep the process.
      process.exit();
    });
  };
  process.once("SIGTERM", stop).once("SIGINT", stop);
}

function readConfig(): Config | undefined {
  try {
    return loadConfig(process.env, catalogue);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
    return undefined;
  }
}

await main();
