import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import type { LocalCloud } from "../../emulators/local-cloud.ts";

/** The repository, seen from the compiled benchmark in .local/bench/test/bench. */
const ROOT = join(import.meta.dirname, "../../../..");
const CAN_PIN = process.platform === "linux";

/** A server under test. */
export interface Contestant {
  readonly name: string;
  readonly port: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly script: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** One user sends all of the load. */
const UNLIMITED = {
  CALLS_PER_MINUTE: "10000000",
  CALLS_PER_MINUTE_PER_CLIENT: "10000000",
  REQUESTS_PER_MINUTE: "10000000",
  CONCURRENT_CALLS: "10000",
  OPEN_REQUESTS: "10000",
};

/** The product and what it is compared with; all of them talk to the same Graph. */
export async function contestants(cloud: LocalCloud, graphOrigin: string, ca: string): Promise<Contestant[]> {
  const folder = join(ROOT, ".local");
  mkdirSync(folder, { recursive: true });
  const caFile = join(folder, "bench-ca.pem");
  writeFileSync(caFile, ca);
  const token = await cloud.entra.issueAccessToken({
    user: "AdeleV",
    client: CONTOSO.sampleClientId,
    scope: `api://${CONTOSO.serverAppId}/${CONTOSO.scope}`,
  });
  const common = { NODE_EXTRA_CA_CERTS: caFile, GRAPH_ENDPOINT: graphOrigin, HOST: "127.0.0.1", LOG_LEVEL: "info" };
  const plain = (name: string, port: number, file: string): Contestant => ({
    name,
    port,
    headers: {},
    script: join(import.meta.dirname, file),
    environment: { ...common, PORT: String(port) },
  });
  return [
    {
      name: "azure-graph-mcp",
      port: 4801,
      headers: { authorization: `Bearer ${token}`, "x-ms-client-principal": principalHeader() },
      script: join(ROOT, ".local/package/dist/main.js"),
      environment: { ...cloud.environment(), ...common, ...UNLIMITED, PORT: "4801" },
    },
    {
      name: "azure-graph-mcp with telemetry",
      port: 4804,
      headers: { authorization: `Bearer ${token}`, "x-ms-client-principal": principalHeader() },
      script: join(ROOT, "dist/main.js"),
      environment: {
        ...cloud.environment(),
        ...common,
        ...UNLIMITED,
        APPLICATIONINSIGHTS_CONNECTION_STRING: cloud.appInsights.connectionString,
        PORT: "4804",
      },
    },
    plain("plain SDK v2", 4802, "plain-v2.js"),
    plain("plain SDK v1", 4803, "plain-v1.js"),
  ];
}

/** What App Service Authentication would add to the request. */
function principalHeader(): string {
  const claims = [
    {
      typ: "http://schemas.microsoft.com/identity/claims/objectidentifier",
      val: "87d349ed-44d7-43e1-9a83-5f2406dee5bd",
    },
    { typ: "http://schemas.microsoft.com/identity/claims/tenantid", val: CONTOSO.tenantId },
  ];
  return Buffer.from(JSON.stringify({ auth_typ: "aad", claims })).toString("base64");
}

const started = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of started) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

/** Starts a server on the first core; its output is discarded, as a platform's log pipe would take it. */
export function start({ script, environment }: Contestant): ChildProcess {
  const env = { PATH: process.env["PATH"], ...environment };
  const child = CAN_PIN
    ? spawn("taskset", ["-c", "0", process.execPath, script], { env, stdio: "ignore" })
    : spawn(process.execPath, [script], { env, stdio: "ignore" });
  started.add(child);
  child.once("exit", () => started.delete(child));
  return child;
}

/** Milliseconds from the start of the process to the first right answer. */
export async function untilFirstAnswer(
  contestant: Contestant,
  body: string,
  headers: Record<string, string>,
): Promise<number> {
  const started = performance.now();
  const child = start(contestant);
  const deadline = AbortSignal.timeout(20_000);
  try {
    while (!deadline.aborted) {
      const response = await fetch(`http://localhost:${contestant.port}/mcp`, { method: "POST", headers, body }).catch(
        () => undefined,
      );
      if (response?.ok && (await response.text()).includes("Adele Vance")) return performance.now() - started;
      await sleep(5);
    }
    throw new Error(`${contestant.name} did not answer.`);
  } finally {
    child.kill("SIGKILL");
    await sleep(200);
  }
}

/** What the local server needs to know. */
export function localEnvironment(cloud: LocalCloud): Readonly<Record<string, string>> {
  return {
    AZURE_TENANT_ID: CONTOSO.tenantId,
    LOCAL_CLIENT_ID: CONTOSO.localClientId,
    AZURE_AUTHORITY_HOST: cloud.entra.httpsOrigin,
    GRAPH_ENDPOINT: cloud.graph.origin,
  };
}

/** Milliseconds from the start of the local server's process to its first list of tools. */
export async function untilFirstList(environment: Readonly<Record<string, string>>): Promise<number> {
  const started = performance.now();
  const child = spawn("taskset", ["-c", "0", process.execPath, join(ROOT, "dist/stdio.js")], {
    env: { PATH: process.env["PATH"], ...environment },
    stdio: ["pipe", "pipe", "ignore"],
  });
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "bench", version: "1" } };
  for (const message of [
    { jsonrpc: "2.0", id: 0, method: "initialize", params },
    { jsonrpc: "2.0", id: 1, method: "tools/list", params: {} },
  ]) {
    child.stdin.write(`${JSON.stringify(message)}\n`);
  }
  let shown = "";
  for await (const chunk of child.stdout) {
    shown += String(chunk);
    if (shown.includes('"id":1') && shown.includes("get_my_profile")) break;
  }
  const took = performance.now() - started;
  child.kill("SIGKILL");
  if (!shown.includes("get_my_profile")) throw new Error(`The local server did not answer: ${shown.slice(0, 500)}`);
  return took;
}
