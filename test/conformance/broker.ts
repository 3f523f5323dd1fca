import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createCertificates } from "../../emulators/kernel/certificates.ts";
import { startLocalCloud } from "../../emulators/local-cloud.ts";
import { PrintedSignIn } from "../interop/printed-sign-in.ts";
import { register, signInAtBroker } from "../support/broker.ts";
import { freePort, startServerProcess } from "../support/server-process.ts";
import type { ScenarioResult, Suite } from "./suite.ts";

/** The built server, seen from where this file is compiled to. */
const MAIN = join(import.meta.dirname, "../../../../../dist/main.js");

/**
 * Starts the local cloud with the server as the broker in it, registers the suite as a client, and signs in as Adele
 * where the suite asks for it. Results and log go into `folder`.
 */
export async function runAtBroker(suite: Suite, revision: string, folder: string): Promise<readonly ScenarioResult[]> {
  const [port, callbackPort] = [await freePort(), await freePort()];
  const issuer = `http://localhost:${port}`;
  const certificates = await createCertificates();
  const caFile = join(folder, "../ca.pem");
  await mkdir(join(folder, ".."), { recursive: true });
  await writeFile(caFile, certificates.ca);
  const cloud = await startLocalCloud({ certificates, serverOrigin: issuer, broker: true });
  const environment = { ...cloud.environment(), NODE_EXTRA_CA_CERTS: caFile, HOST: "127.0.0.1", PORT: String(port) };
  const server = await startServerProcess(environment, MAIN);
  try {
    if (server.port === 0) throw new Error(`The broker does not start: ${server.output()}`);
    const registered = await register(issuer, { redirect_uris: [`http://127.0.0.1:${callbackPort}/callback`] });
    const { client_id: clientId } = (await registered.json()) as { readonly client_id: string };
    const signIn = new PrintedSignIn((url) => signInAtBroker(url, { as: "AdeleV" }));
    const target = { issuer, clientId, port: callbackPort, resource: cloud.mcpUrl, signIn };
    return await suite.runAuthorization(target, revision, folder);
  } finally {
    await server.stop();
    await cloud.close();
  }
}
