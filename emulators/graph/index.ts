import type { Tenant } from "../directory.ts";
import type { Certificates } from "../kernel/certificates.ts";
import { listen } from "../kernel/listener.ts";
import { Traffic } from "../kernel/traffic.ts";
import { createApp } from "./app.ts";
import { createDownloads } from "./downloads.ts";
import { defaultSwitches, type GraphSwitches } from "./switches.ts";

export type { GraphSwitches } from "./switches.ts";

/** How to start the Graph emulator. */
export interface GraphOptions {
  /** Whose directory is served. A function is asked at each request: the tenant may need Graph's own origin first. */
  readonly tenant: Tenant | (() => Tenant);
  /** Plain http origin of the Entra emulator, for the keys that sign access tokens. */
  readonly entraOrigin: string;
  readonly certificates: Certificates;
  readonly port?: number;
  readonly switches?: Partial<GraphSwitches>;
}

/** A running Graph emulator. */
export interface GraphEmulator {
  /** `https://localhost:<port>`, without a trailing slash; `/v1.0` is below it. */
  readonly origin: string;
  readonly traffic: Traffic;
  /** The store that files are downloaded from: `https://localhost:<another port>`. */
  readonly downloads: { readonly origin: string; readonly traffic: Traffic };
  /** Mutable: a change counts from the next request on. */
  readonly switches: GraphSwitches;
  close(): Promise<void>;
}

/** Starts Microsoft Graph for one tenant on https. */
export async function startGraph({
  tenant,
  entraOrigin,
  certificates,
  port = 0,
  switches: initial = {},
}: GraphOptions): Promise<GraphEmulator> {
  const traffic = new Traffic();
  const switches: GraphSwitches = { ...defaultSwitches, ...initial };
  const downloadTraffic = new Traffic();
  const downloads = createDownloads(downloadTraffic);
  const store = await listen("the store of the Graph emulator", downloads.app, { certificates });
  const app = createApp({
    tenant: typeof tenant === "function" ? tenant : () => tenant,
    entraOrigin,
    traffic,
    switches,
    origin: () => listener.origin,
    downloads,
    downloadOrigin: () => store.origin,
  });
  const listener = await listen("the Graph emulator", app, { port, certificates }).catch(async (error: unknown) => {
    await store.close();
    throw error;
  });
  return {
    origin: listener.origin,
    traffic,
    downloads: { origin: store.origin, traffic: downloadTraffic },
    switches,
    async close() {
      await listener.close();
      await store.close();
    },
  };
}
