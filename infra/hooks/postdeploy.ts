import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { readDeployment, runHook } from "./deployment.ts";
import { isOn } from "./options.ts";

const START_MS = 180_000;
const PAUSE_MS = 5_000;
const REQUEST_MS = 10_000;

/** Waits until the new version answers, then looks at it from outside; its exit code is that of `npm run verify`. */
async function main(): Promise<void> {
  const { option } = readDeployment(process.env);
  const url = option("MCP_SERVER_URL");
  if (!URL.canParse(url)) throw new Error("MCP_SERVER_URL is not known. Provision first: azd provision");
  const isReachable = !isOn(option, "MCP_PRIVATE_NETWORK") || isOn(option, "MCP_API_MANAGEMENT");
  if (!isReachable) {
    console.log(`The site is private. From inside its network: npm run verify -- ${url}`);
    return;
  }
  if (!(await answers(new URL("/healthz", url)))) {
    console.error(
      `${url} does not answer. Its log: az webapp log tail --name ${option("SERVICE_MCP_NAME")} --resource-group ${option("AZURE_RESOURCE_GROUP")}`,
    );
    process.exitCode = 1;
    return;
  }
  // On Windows npm is a script that only a shell can start; `url` has passed the parser above.
  const verify = spawn("npm", ["run", "--silent", "verify", "--", new URL(url).href], {
    stdio: "inherit",
    shell: process.platform === "win32",
    cwd: new URL("../..", import.meta.url),
  });
  const [code] = (await once(verify, "exit")) as [number | null];
  process.exitCode = code ?? 1;
}

async function answers(health: URL): Promise<boolean> {
  const deadline = Date.now() + START_MS;
  do {
    const status = await fetch(health, { signal: AbortSignal.timeout(REQUEST_MS) }).then(
      (response) => response.status,
      () => 0,
    );
    if (status === 200) return true;
    await sleep(PAUSE_MS);
  } while (Date.now() < deadline);
  return false;
}

await runHook(main);
