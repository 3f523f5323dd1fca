import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { createCertificates } from "../../emulators/kernel/certificates.ts";

/** The same answer for every request, after `latencyMs`: what the servers under test share as Microsoft Graph. */
export async function startGraphStub() {
  const certificates = await createCertificates();
  const body = JSON.stringify({
    id: "87d349ed-44d7-43e1-9a83-5f2406dee5bd",
    displayName: "Adele Vance",
    mail: "AdeleV@contoso.com",
  });
  const head = {
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(body)),
    "request-id": "bench",
  };
  let latencyMs = 0;
  const server = createServer(
    { key: certificates.key, cert: certificates.cert, keepAliveTimeout: 60_000 },
    (_req, res) => {
      const answer = (): void => void res.writeHead(200, head).end(body);
      if (latencyMs > 0) setTimeout(answer, latencyMs);
      else answer();
    },
  );
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as { port: number };
  return {
    certificates,
    origin: `https://localhost:${port}`,
    setLatency(ms: number) {
      latencyMs = ms;
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Resident memory of a process in MiB (Linux). */
export function residentMiB(pid: number): number {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
  return (pages * 4096) / 1024 / 1024;
}
