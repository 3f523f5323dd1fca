import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { inject } from "vitest";

/** A client ID metadata document on this computer; the broker has to trust its host. */
export interface ClientDocument {
  readonly url: string;
  readonly host: string;
  close(): void;
}

/** Publishes a metadata document of a client that waits for its codes at `/callback` or `/` of this computer. */
export async function publishClientDocument(): Promise<ClientDocument> {
  const { cert, key } = inject("certificates");
  const server = createServer({ cert, key }, (_req, res) => {
    res.setHeader("content-type", "application/json");
    res.end(
      JSON.stringify({
        client_id: url,
        client_name: "Documented client",
        redirect_uris: ["http://localhost/callback", "http://127.0.0.1/callback", "http://127.0.0.1/"],
        token_endpoint_auth_method: "none",
      }),
    );
  });
  await new Promise<void>((done) => {
    server.listen(0, "127.0.0.1", done);
  });
  const host = `localhost:${(server.address() as AddressInfo).port}`;
  const url = `https://${host}/client.json`;
  return { url, host, close: () => void server.close() };
}
