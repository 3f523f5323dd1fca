import { execFile } from "node:child_process";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** What a hook did. */
export interface HookRun {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A machine with azd on it, signed in to an Azure that answers from a table. */
export interface Deployer {
  /** Origin of what stands in for Azure Resource Manager, Microsoft Graph and the site. */
  readonly origin: string;
  /** Answers by `<method> <path>`, the longest that the request begins with; anything else is 404, and so are the first `missing` requests. */
  readonly answers: Record<string, { readonly status?: number; readonly body?: unknown; missing?: number }>;
  /** Requests that carried azd's token, as `<method> <path with query>`. */
  readonly requests: readonly string[];
  /** Claims of azd's token. */
  claims: Record<string, unknown>;
  /** Runs a hook as azd does. */
  run(hook: string, environment?: Record<string, string>): Promise<HookRun>;
  /** Command lines that hooks started. */
  commands(): Promise<readonly string[]>;
  close(): Promise<void>;
}

const HOOKS = join(import.meta.dirname, "../../infra/hooks");
const TIMEOUT_MS = 30_000;

/** Stands in for azd and npm: notes its command line, and hands out a token. */
const COMMAND = `#!/usr/bin/env node
const { appendFileSync } = require("node:fs");
const { basename } = require("node:path");
const args = process.argv.slice(2);
appendFileSync(process.env.FAKE_LOG, [basename(process.argv[1]), ...args].join(" ") + "\\n");
if (args[0] === "auth" && process.env.FAKE_CLAIMS === "") process.exit(1);
if (args[0] === "auth") {
  const claims = Buffer.from(process.env.FAKE_CLAIMS).toString("base64url");
  console.log(JSON.stringify({ token: ["head", claims, "canary"].join("."), expiresOn: "2030-01-01T00:00:00Z" }));
}
process.exit(args[0] === "run" ? Number(process.env.FAKE_EXIT_CODE ?? 0) : 0);
`;

/** Starts the stand-ins; nothing leaves the machine. */
export async function startDeployer(): Promise<Deployer> {
  const folder = await mkdtemp(join(tmpdir(), "azure-graph-mcp-deployer-"));
  for (const name of ["azd", "npm"]) {
    await writeFile(join(folder, name), COMMAND);
    await chmod(join(folder, name), 0o755);
  }
  const log = join(folder, "commands.log");
  await writeFile(log, "");
  const requests: string[] = [];
  const answers: Deployer["answers"] = {};
  const server = createServer((req, res) => {
    const line = `${req.method} ${req.url}`;
    if (req.headers.authorization?.endsWith(".canary")) requests.push(line);
    const key = Object.keys(answers)
      .filter((start) => line.startsWith(start))
      .sort((a, b) => b.length - a.length)[0];
    const answer = key === undefined ? undefined : answers[key];
    const isMissing = answer === undefined || (answer.missing ?? 0) > 0;
    if (answer?.missing) answer.missing -= 1;
    const { status = 200, body } = isMissing ? { status: 404 } : answer;
    res.writeHead(status, { "content-type": "application/json" }).end(body === undefined ? "" : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const deployer: Deployer = {
    origin,
    answers,
    requests,
    claims: {},
    run: async (hook, environment = {}) =>
      new Promise((resolve) => {
        const child = execFile(
          process.execPath,
          ["--import", "tsx", join(HOOKS, hook)],
          {
            timeout: TIMEOUT_MS,
            env: {
              PATH: `${folder}${delimiter}${process.env["PATH"]}`,
              AZURE_ENV_NAME: "contoso",
              AZURE_LOCATION: "westeurope",
              AZURE_SUBSCRIPTION_ID: "11111111-1111-1111-1111-111111111111",
              AZURE_TENANT_ID: "22222222-2222-2222-2222-222222222222",
              AZURE_RESOURCE_MANAGER_ENDPOINT: origin,
              GRAPH_ENDPOINT: origin,
              FAKE_LOG: log,
              FAKE_CLAIMS: Object.keys(deployer.claims).length === 0 ? "" : JSON.stringify(deployer.claims),
              ...environment,
            },
          },
          (error, stdout, stderr) => resolve({ exitCode: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
        );
        child.stdin?.end();
      }),
    commands: async () => (await readFile(log, "utf8")).split("\n").filter(Boolean),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
      await rm(folder, { recursive: true, force: true });
    },
  };
  return deployer;
}
