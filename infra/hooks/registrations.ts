import { setTimeout as sleep } from "node:timers/promises";
import { type Azure, AzureError, type Deployment, readPages } from "./deployment.ts";

/** A registration of this deployment in Entra ID. */
export interface Registration {
  /** Object id. */
  readonly id: string;
  readonly appId: string;
  readonly displayName: string;
  readonly uniqueName: string;
  /** Whether it is in the bin, where it keeps its unique name for 30 days. */
  readonly deleted: boolean;
}

interface Application {
  readonly id: string;
  readonly appId: string;
  readonly displayName: string;
  readonly uniqueName?: string;
}

const MAX_ATTEMPTS = 6;
const RETRY_MS = 2_000;
const SELECT = "$select=id,appId,displayName,uniqueName";

/** Names that main.bicep gives to its registrations: the server's and the clients'. */
export function uniqueNames({ environmentName, subscriptionId }: Deployment): readonly string[] {
  const server = `azure-graph-mcp-${environmentName}-${subscriptionId}`;
  return [server, `${server}-client`];
}

/** Finds what this deployment made in Entra ID, in use and in the bin. */
export async function findRegistrations(azure: Azure, deployment: Deployment): Promise<readonly Registration[]> {
  const names = uniqueNames(deployment);
  const inUse = await Promise.all(names.map(async (name) => findInUse(azure, name)));
  return [...inUse.flat(), ...(await findDeleted(azure, names))];
}

/** Deletes a registration for good: its unique name is free again. */
export async function removeRegistration(azure: Azure, { id, deleted }: Registration): Promise<void> {
  if (!deleted) await azure.graph(`/applications/${id}`, "DELETE");
  // What was deleted a moment ago may not have reached every copy of the directory.
  for (let attempts = 1; ; attempts++) {
    try {
      await azure.graph(`/directory/deletedItems/${id}`, "DELETE");
      return;
    } catch (error) {
      if (!(error instanceof AzureError) || error.status !== 404 || attempts === MAX_ATTEMPTS) throw error;
      await sleep(RETRY_MS);
    }
  }
}

async function findInUse(azure: Azure, uniqueName: string): Promise<Registration[]> {
  try {
    const found = await azure.graph<Application>(`/applications(uniqueName='${uniqueName}')?${SELECT}`);
    return [{ ...found, uniqueName, deleted: false }];
  } catch (error) {
    if (error instanceof AzureError && error.status === 404) return [];
    throw error;
  }
}

async function findDeleted(azure: Azure, names: readonly string[]): Promise<Registration[]> {
  const first = `/directory/deletedItems/microsoft.graph.application?${SELECT}&$top=100`;
  const applications = await readPages<Application>(first, (path) => azure.graph(path));
  return applications.flatMap(({ uniqueName, ...application }) =>
    uniqueName !== undefined && names.includes(uniqueName) ? [{ ...application, uniqueName, deleted: true }] : [],
  );
}
