import type { Log } from "../diagnostics.ts";
import type { Entry, Vault } from "./vault.ts";

/** How clients' metadata documents are had. */
export interface ClientDocumentOptions {
  readonly vault: Vault;
  /** Must not reach into the network of this server. */
  readonly fetchDocument: (url: URL | string) => Promise<Response>;
  /** How long a sign-in may take: a grant that it leads to keeps the document from then on. */
  readonly signInMs: number;
  readonly log: Log;
}

/** Metadata documents of clients, of which the last good one is kept while somebody is signed in with it. */
export interface ClientDocuments {
  /** As `fetch`; answers with the document that is kept while its publisher cannot be asked. */
  fetch(address: URL | string): Promise<Response>;
  /** Notes a document that was found good, for clients that somebody is signed in with, or is signing in with now. */
  note(metadata: { readonly client_id: string }, use: { readonly signingIn: boolean }): Promise<void>;
}

/** Where the last good document of a client is kept. */
export function documentEntryOf(clientId: string): Entry {
  return { kind: "client-document", id: clientId };
}

/**
 * Fetches clients' metadata documents, so that a publisher's outage signs nobody out.
 *
 * What the publisher says counts at once: a document that changed or became invalid is never replaced by an older one,
 * and 404 or 410 also forgets what was kept. Everything else that is not a document (no connection, no answer in time,
 * 5xx, a limit, a redirect to a page of excuses) is an outage. Nothing is kept longer than the grants of the client.
 */
export function createClientDocuments(options: ClientDocumentOptions): ClientDocuments {
  const { vault, fetchDocument, signInMs, log } = options;

  /** The publisher's answer, complete; undefined for an outage. */
  async function ask(address: URL | string): Promise<Response | undefined> {
    const response = await fetchDocument(address);
    if (response.status === 200) return new Response(await response.arrayBuffer(), { headers: response.headers });
    await response.body?.cancel();
    if (response.status !== 404 && response.status !== 410) return undefined;
    await vault.delete(documentEntryOf(String(address)));
    return new Response(null, { status: response.status });
  }

  return {
    async fetch(address) {
      let failure: unknown;
      const answer = await ask(address).catch((error: unknown) => {
        failure = error;
        return undefined;
      });
      if (answer) return answer;
      const kept = await vault.get(documentEntryOf(String(address)));
      if (kept === undefined) throw new Error("The document could not be fetched.", { cause: failure });
      log.warn("A client's metadata document cannot be fetched; its last good one is used");
      return Response.json(kept);
    },
    async note(metadata, { signingIn }) {
      const entry = documentEntryOf(metadata.client_id);
      const known = await vault.replace(entry, metadata);
      if (!known && signingIn) await vault.put(entry, metadata, signInMs);
    },
  };
}
