import { inject, vi } from "vitest";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { type LocalCloud, startLocalCloud } from "../../emulators/local-cloud.ts";
import { createManagedIdentity } from "../../src/platform/azure-credentials.ts";
import { createContentSafety } from "../../src/platform/content-safety.ts";
import type { ShieldDocuments } from "../../src/safety/prompt-shield.ts";

/** The emulated Content Safety with the server's client on it, over real sockets. */
export interface ContentSafetyConnection {
  readonly cloud: LocalCloud;
  readonly shieldDocuments: ShieldDocuments;
  close(): Promise<void>;
}

/** Starts the local cloud, and lets this process be the site that the managed identity belongs to. */
export async function connectContentSafety(): Promise<ContentSafetyConnection> {
  const cloud = await startLocalCloud({ certificates: inject("certificates"), serverOrigin: "http://localhost:3000" });
  for (const [name, value] of Object.entries(cloud.managedIdentity.environment())) vi.stubEnv(name, value);
  const credential = createManagedIdentity({
    authorityHost: cloud.entra.httpsOrigin,
    instanceDiscovery: false,
    managedIdentityClientId: CONTOSO.managedIdentityClientId,
  });
  return {
    cloud,
    shieldDocuments: createContentSafety({ endpoint: `${cloud.contentSafety.origin}/`, credential }),
    async close() {
      vi.unstubAllEnvs();
      await cloud.close();
    },
  };
}
