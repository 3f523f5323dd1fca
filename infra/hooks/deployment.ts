import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";

/** What azd knows of this deployment, from the environment that it gives to its hooks. */
export interface Deployment {
  readonly environmentName: string;
  readonly resourceGroup: string;
  /** Absent in the first run, where azd asks for it after the first hook. */
  readonly subscriptionId: string | undefined;
  readonly tenantId: string | undefined;
  readonly option: Option;
}

/** Reads an option of main.parameters.json by its name; empty where it is not set. */
export type Option = (name: string) => string;

/** Azure as the person or pipeline that deploys sees it. */
export interface Azure {
  /** Sends a request to Azure Resource Manager; `path` with its api-version. */
  manage<T>(path: string): Promise<T>;
  /** Sends a request to Microsoft Graph v1.0. */
  graph<T>(path: string, method?: "GET" | "DELETE"): Promise<T>;
  /** Claims of the deployer's token for Microsoft Graph. */
  graphClaims(): Promise<GraphClaims>;
}

/** What says whether the deployer may make registrations. */
export interface GraphClaims {
  /** `app` for a pipeline. */
  readonly idtyp?: string;
  /** Application permissions of a pipeline. */
  readonly roles?: readonly string[];
  /** Template ids of a person's directory roles. */
  readonly wids?: readonly string[];
}

/** Azure or Microsoft Graph refused a request; `status` is 0 where there was no answer. */
export class AzureError extends Error {
  override readonly name = "AzureError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** One page of a list in Azure Resource Manager or Microsoft Graph. */
export interface Page<T> {
  readonly value: readonly T[];
  readonly nextLink?: string;
  readonly "@odata.nextLink"?: string;
}

interface Cloud {
  readonly resourceManager: string;
  readonly graph: string;
}

const TIMEOUT_MS = 30_000;
const MAX_PAGES = 10;

/** Reads what azd says about the deployment. Throws where a hook is run without azd. */
export function readDeployment(environment: NodeJS.ProcessEnv): Deployment {
  const environmentName = environment["AZURE_ENV_NAME"];
  if (!environmentName) throw new Error("AZURE_ENV_NAME is not set. azd runs this: azd hooks run preprovision");
  return {
    environmentName,
    resourceGroup: `rg-${environmentName}`,
    subscriptionId: environment["AZURE_SUBSCRIPTION_ID"] || undefined,
    tenantId: environment["AZURE_TENANT_ID"] || undefined,
    option: (name) => environment[name]?.trim() ?? "",
  };
}

/** Connects with azd's own sign-in: nothing else has to be installed. */
export function connectAzure({ tenantId, option }: Deployment): Azure {
  const clouds = JSON.parse(readFileSync(new URL("../clouds.json", import.meta.url), "utf8")) as Record<string, Cloud>;
  const cloud = clouds[option("AZURE_CLOUD") || "AzureCloud"];
  if (!cloud) throw new Error(`AZURE_CLOUD must be among: ${Object.keys(clouds).join(", ")}`);
  const manager = option("AZURE_RESOURCE_MANAGER_ENDPOINT") || cloud.resourceManager;
  const graph = option("GRAPH_ENDPOINT") || cloud.graph;
  const managerToken = once(() => azdToken(`${cloud.resourceManager}/.default`, tenantId));
  const graphToken = once(() => azdToken(`${cloud.graph}/.default`, tenantId));
  return {
    manage: async <T>(path: string) => send<T>(`${manager}${path}`, "GET", await managerToken()),
    graph: async <T>(path: string, method: "GET" | "DELETE" = "GET") =>
      send<T>(`${graph}/v1.0${path}`, method, await graphToken()),
    graphClaims: async () => claimsOf(await graphToken()),
  };
}

/** Reads a list to its end, or its first ten pages; of a next link only the path counts, so that no token leaves its host. */
export async function readPages<T>(first: string, read: (path: string) => Promise<Page<T>>): Promise<readonly T[]> {
  const items: T[] = [];
  let path: string | undefined = first;
  for (let page = 0; path !== undefined && page < MAX_PAGES; page += 1) {
    const { value, nextLink, "@odata.nextLink": link = nextLink }: Page<T> = await read(path);
    items.push(...value);
    path = link?.slice(new URL(link).origin.length).replace(/^\/v1\.0(?=\/)/, "");
  }
  return items;
}

/** Runs a hook: what it throws becomes one line and exit code 1. */
export async function runHook(main: () => Promise<void> | void): Promise<void> {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof Error ? error.message : "The hook failed.");
    process.exitCode = 1;
  }
}

/** Changes a value of the azd environment. */
export async function setAzdValue(name: string, value: string): Promise<void> {
  await runAzd(["env", "set", name, value]);
}

async function azdToken(scope: string, tenantId: string | undefined): Promise<string> {
  const tenant = tenantId === undefined ? [] : ["--tenant-id", tenantId];
  const { token } = JSON.parse(await runAzd(["auth", "token", "--scope", scope, ...tenant, "--output", "json"])) as {
    token: string;
  };
  return token;
}

async function runAzd(args: readonly string[]): Promise<string> {
  try {
    return (await promisify(execFile)("azd", [...args], { timeout: TIMEOUT_MS })).stdout;
  } catch {
    // What azd printed may hold a token.
    const advice = args[0] === "auth" ? "Sign in first: azd auth login" : "Run it yourself to see why.";
    throw new Error(`"azd ${args.slice(0, 2).join(" ")}" failed. ${advice}`);
  }
}

async function send<T>(url: string, method: string, token: string): Promise<T> {
  const request = `${method} ${new URL(url).pathname}`;
  const { ok, status, text } = await fetch(url, {
    method,
    headers: { authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
    .then(async (response) => ({ ok: response.ok, status: response.status, text: await response.text() }))
    .catch(() => {
      throw new AzureError(0, `${request}: no answer`);
    });
  if (!ok) throw new AzureError(status, `${request}: HTTP ${status}`);
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

function claimsOf(token: string): GraphClaims {
  try {
    return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as GraphClaims;
  } catch {
    return {};
  }
}

function once<T>(get: () => Promise<T>): () => Promise<T> {
  let got: Promise<T> | undefined;
  return () => (got ??= get());
}
