import { createHash } from "node:crypto";
import type { Account } from "./entra.ts";
import { GRANT_MS } from "./sessions.ts";
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
  readonly grants: readonly string[];
}

type Person = Pick<Account, "tenantId" | "userId">;

/** Approvals and running grants of every person, by client id and redirect URI. */
export interface Connections {
  isRemembered(person: Person, client: ConnectedClient): Promise<boolean>;
  add(
    person: Person,
    client: ConnectedClient,
    grant: { readonly id: string; readonly remember: boolean },
  ): Promise<void>;
  list(person: Person): Promise<Connection[]>;
  /** Forgets an approval and names the grants that end with it. */
  remove(person: Person, connectionId: string): Promise<readonly string[]>;
}

/** Keeps connections in the vault, each as long as a grant lives after its last sign-in. */
export function createConnections(vault: Vault): Connections {
  const listOf = ({ tenantId, userId }: Person) => ({ kind: "connections", id: `${tenantId} ${userId}` });
  const entryOf = ({ tenantId, userId }: Person, id: string) => ({
    kind: "connection",
    id: `${tenantId} ${userId} ${id}`,
  });
  const read = (person: Person, id: string) => vault.get<Connection>(entryOf(person, id));

  return {
    async isRemembered(person, client) {
      return (await read(person, idOf(client)))?.remembered === true;
    },
    async add(person, client, { id: grantId, remember }) {
      const id = idOf(client);
      const known = await read(person, id);
      const connection: Connection = {
        ...client,
        id,
        remembered: remember,
        grants: [...(known?.grants ?? []), grantId].slice(-20),
      };
      await vault.put(entryOf(person, id), connection, GRANT_MS);
      await vault.list.add(listOf(person), id, GRANT_MS);
    },
    async list(person) {
      const ids = await vault.list.read(listOf(person));
      const found = await Promise.all(ids.map((id) => read(person, id)));
      return found.filter((connection) => connection !== undefined);
    },
    async remove(person, id) {
      const known = await vault.take<Connection>(entryOf(person, id));
      await vault.list.remove(listOf(person), id);
      return known?.grants ?? [];
    },
  };
}

function idOf({ clientId, redirectUri }: ConnectedClient): string {
  return createHash("sha256").update(`${clientId}\n${redirectUri}`).digest("base64url");
}
