import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { inject } from "vitest";

/** A client ID metadata document on this computer; the broker has to trust its host. */
export interface ClientDocument {
  /** Every other path of this host has a document of its own. */
  readonly url: string;
  readonly host: string;
  /** How often somebody asked for something here. */
  readonly requests: number;
  /** What the next request is answered with, instead of the document as it is. */
  answer: DocumentAnswer;
  close(): void;
}

/** A document that is not as it should be. */
export interface DocumentAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** In place of the fields of the good document. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** Cuts the connection. */
  readonly resets?: boolean;
}

/** Publishes a metadata document of a client that waits for its codes at `/callback` or `/` of this computer. */
export async function publishClientDocument(): Promise<ClientDocument> {
  const { cert, key } = inject("certificates");
  let answer: DocumentAnswer = {};
  let requests = 0;
  const server = createServer({ cert, key }, (req, res) => {
    requests += 1;
    if (answer.resets === true) {
      req.socket.destroy();
      return;
    }
    res.writeHead(answer.status ?? 200, { "content-type": "application/json", ...answer.headers });
    res.end(
      JSON.stringify({
        client_id: `https://${host}${req.url}`,
        client_name: "Documented client",
        redirect_uris: ["http://localhost/callback", "http://127.0.0.1/callback", "http://127.0.0.1/"],
        token_endpoint_auth_method: "none",
        ...answer.fields,
      }),
    );
  });
  await new Promise<void>((done) => {
    server.listen(0, "127.0.0.1", done);
  });
  const host = `localhost:${(server.address() as AddressInfo).port}`;
  const url = `https://${host}/client.json`;
  return {
    url,
    host,
    get requests() {
      return requests;
    },
    get answer() {
      return answer;
    },
    set answer(next) {
      answer = next;
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
