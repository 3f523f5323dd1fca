import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { type Certificates, createCertificates } from "../../emulators/kernel/certificates.ts";

declare module "vitest" {
  interface ProvidedContext {
    certificates: Certificates;
  }
}

/** One throw-away certificate authority for the whole run, trusted by every worker and whatever it starts. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), "azure-graph-mcp-"));
  const certificates = await createCertificates();
  const file = join(folder, "ca.pem");
  await writeFile(file, certificates.ca);
  process.env["NODE_EXTRA_CA_CERTS"] = file;
  project.provide("certificates", certificates);
  return () => rm(folder, { recursive: true, force: true });
}
