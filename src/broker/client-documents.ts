import type { Log } from "../diagnostics.ts";
import { SIGN_IN_MS } from "./lifetimes.ts";
import type { Entry, Vault } from "./vault.ts";

/** How clients' metadata documents are had. */
export interface ClientDocumentOptions {
  readonly vault: Vault;
  /** Must not reach into the network of this server. */
  readonly fetchDocument: (url: URL | string) => Promise<Response>;
  readonly log: Log;
}

/** Metadata documents of clients, of which the last one is kept while somebody is signed in with it. */
export interface ClientDocuments {
  /** As `fetch`; answers with the document that is kept while its publisher cannot be asked. */
  fetch(address: URL | string): Promise<Response>;
  isKept(clientId: string): Promise<boolean>;
  /** Keeps a document that was found good, unless there is one already, for a client that somebody is signing in with. */
  note(metadata: { readonly client_id: string }, use: { readonly signingIn: boolean }): Promise<void>;
}

/** Where the last document of a client is kept. */
export function documentEntryOf(clientId: string): Entry {
  return { kind: "client-document", id: clientId };
}

/**
 * Fetches clients' metadata documents, so that a publisher's outage signs nobody out.
 *
 * What the publisher says counts at once: a document that changed or became invalid is never replaced by an older one,
 * not even in a later outage, and 404 or 410 also forgets what was kept. Everything else that is not a document (no connection, no answer in time,
 * 5xx, a limit, a redirect to a page of excuses) is an outage. Nothing is kept longer than the grants of the client.
 */
export function createClientDocuments(options: ClientDocumentOptions): ClientDocuments {
  const { vault, fetchDocument, log } = options;

  /** The publisher's answer, complete; undefined for an outage. */
  async function ask(address: URL | string): Promise<Response | undefined> {
    const response = await fetchDocument(address);
    if (response.status === 200) {
      const text = await response.text();
      // Good or not: what was said before counts no more, not even when the host fails after this.
      // A store that fails here fails the whole request in a moment, and as what it is: not as an unknown client.
      await vault.replace(documentEntryOf(String(address)), text).catch(() => false);
      return new Response(text, { headers: response.headers });
    }
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
      const kept = await vault.get<string>(documentEntryOf(String(address)));
      if (kept === undefined) throw new Error("The document could not be fetched.", { cause: failure });
      log.warn("A client's metadata document cannot be fetched; its last one is used");
      return new Response(kept);
    },
    isKept: (clientId) => vault.has(documentEntryOf(clientId)),
    async note(metadata, { signingIn }) {
      const entry = documentEntryOf(metadata.client_id);
      // `oidc-provider` may have remembered it for a while: what was fetched since, by any instance, is newer. A grant that
      // the sign-in leads to keeps it from then on.
      if (signingIn && !(await vault.has(entry))) await vault.put(entry, JSON.stringify(metadata), SIGN_IN_MS);
    },
  };
}
