import { createHash } from "node:crypto";
import type { Account } from "./entra.ts";
import { GRANT_MS } from "./lifetimes.ts";
import { isLoopback } from "./redirects.ts";
import type { Vault } from "./vault.ts";

/** A client as a person let it in: its id and the place that codes go to. */
export interface ConnectedClient {
  readonly clientId: string;
  readonly redirectUri: string;
  /** As shown on the consent page. */
  readonly name: string;
  readonly place: string;
}

/** What a person let in, and can end. */
export interface Connection extends ConnectedClient {
  /** Handle on the person's own page. */
  readonly id: string;
  /** Whether the next sign-in of this client needs no approval. */
  readonly remembered: boolean;
}

/** Grants of one person and one client that run at the same time: one for each of their computers, say. */
const MAX_GRANTS = 20;

type Person = Pick<Account, "tenantId" | "userId">;

/** Approvals and running grants of every person, by client id and redirect URI. */
export interface Connections {
  isRemembered(person: Person, client: ConnectedClient): Promise<boolean>;
  /** Notes a grant, and names those that are too many by now: a client that signs in again and again keeps the newest. */
  add(
    person: Person,
    client: ConnectedClient,
    grant: { readonly id: string; readonly remember: boolean },
  ): Promise<readonly string[]>;
  list(person: Person): Promise<Connection[]>;
  /** Forgets an approval and ends its grants by `end`. What could not be ended stays, so that the person can try again. */
  remove(person: Person, connectionId: string, end: (grantId: string) => Promise<void>): Promise<void>;
}

/**
 * Keeps connections in the vault, each as long as a grant lives after its last sign-in.
 *
 * Grants are a set beside their connection, with the time before each: two that begin at once are both in it.
 */
export function createConnections(vault: Vault): Connections {
  const listOf = ({ tenantId, userId }: Person) => ({ kind: "connections", id: `${tenantId} ${userId}` });
  const entryOf = ({ tenantId, userId }: Person, id: string) => ({
    kind: "connection",
    id: `${tenantId} ${userId} ${id}`,
  });
  const grantsOf = ({ tenantId, userId }: Person, id: string) => ({
    kind: "connection-grants",
    id: `${tenantId} ${userId} ${id}`,
  });
  const read = (person: Person, id: string) => vault.get<Connection>(entryOf(person, id));

  return {
    async isRemembered(person, client) {
      return (await read(person, idOf(client)))?.remembered === true;
    },
    async add(person, client, { id: grantId, remember }) {
      const id = idOf(client);
      const running = grantsOf(person, id);
      // First: whoever ends the connection from here on ends this grant with it.
      await vault.sets.add(running, `${Date.now()} ${grantId}`, GRANT_MS);
      const connection: Connection = { ...client, id, remembered: remember };
      await vault.put(entryOf(person, id), connection, GRANT_MS);
      await vault.sets.add(listOf(person), id, GRANT_MS);
      const tooMany = (await vault.sets.read(running)).sort(byTime).slice(0, -MAX_GRANTS);
      await Promise.all(tooMany.map((grant) => vault.sets.remove(running, grant)));
      return tooMany.map(toGrantId);
    },
    async list(person) {
      const ids = await vault.sets.read(listOf(person));
      const found = await Promise.all(ids.map((id) => read(person, id)));
      return found.filter((connection) => connection !== undefined);
    },
    async remove(person, id, end) {
      const running = grantsOf(person, id);
      async function endAll(): Promise<void> {
        for (const grant of await vault.sets.read(running)) {
          await end(toGrantId(grant));
          await vault.sets.remove(running, grant);
        }
      }
      const connection = await read(person, id);
      if (connection) await vault.replace(entryOf(person, id), { ...connection, remembered: false });
      await endAll();
      await vault.sets.remove(listOf(person), id);
      await vault.delete(entryOf(person, id));
      // One that began meanwhile would be on no page.
      await endAll();
    },
  };
}

function byTime(first: string, second: string): number {
  return Number.parseInt(first, 10) - Number.parseInt(second, 10);
}

function toGrantId(grant: string): string {
  return grant.slice(grant.indexOf(" ") + 1);
}

function idOf({ clientId, redirectUri }: ConnectedClient): string {
  // The port of the loopback address is another one at each sign-in.
  const address = isLoopback(redirectUri)
    ? redirectUri.replace(/^(http:\/\/[^/:]+|http:\/\/\[::1\]):\d+/, "$1")
    : redirectUri;
  return createHash("sha256").update(`${clientId}\n${address}`).digest("base64url");
}
