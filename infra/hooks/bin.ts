import { type Azure, type Deployment, readPages } from "./deployment.ts";

/** A resource that was deleted with an earlier resource group of this deployment and keeps its name. */
export interface Deleted {
  readonly name: string;
  readonly location: string;
  /** Day on which the name is free again; empty where Azure does not say. */
  readonly until: string;
}

interface DeletedItem {
  readonly id: string;
  readonly name: string;
  readonly location?: string;
  readonly properties?: {
    readonly vaultId?: string;
    readonly serviceId?: string;
    readonly location?: string;
    readonly scheduledPurgeDate?: string;
  };
}

const KINDS = {
  vaults: "Microsoft.KeyVault/deletedVaults?api-version=2025-05-01",
  accounts: "Microsoft.CognitiveServices/deletedAccounts?api-version=2025-06-01",
  gateways: "Microsoft.ApiManagement/deletedservices?api-version=2024-05-01",
} as const;

/** Lists what this deployment left in the bin: key vaults, Content Safety accounts or API Management services. */
export async function findDeletedResources(
  azure: Azure,
  { subscriptionId, resourceGroup }: Deployment,
  kind: keyof typeof KINDS,
): Promise<readonly Deleted[]> {
  const first = `/subscriptions/${subscriptionId}/providers/${KINDS[kind]}`;
  const items = await readPages<DeletedItem>(first, (path) => azure.manage(path));
  const group = `/resourcegroups/${resourceGroup}/`.toLowerCase();
  return items
    .filter(({ id, properties }) =>
      [properties?.vaultId, properties?.serviceId, id].some((place) => place?.toLowerCase().includes(group)),
    )
    .map(({ name, location, properties }) => ({
      name,
      location: properties?.location ?? location ?? "",
      until: properties?.scheduledPurgeDate?.slice(0, 10) ?? "",
    }));
}
