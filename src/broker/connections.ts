import { createHash } from "node:crypto";
import type { Account } from "./entra.ts";
import { GRANT_MS } from "./lifetimes.ts";
import { isLoopback } from "./redirects.ts";
import type { Entry, Vault } from "./vault.ts";

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

/**
 * Grants of one person and one client that run at the same time: one for each of their computers, say. As many may wait for
 * their code to be redeemed: those that a page makes a browser begin push out each other, and none that runs.
 */
const MAX_GRANTS = 20;

type GrantState = "begun" | "redeemed";
type Person = Pick<Account, "tenantId" | "userId">;

/** Approvals and running grants of every person, by client id and redirect URI. */
export interface Connections {
  isRemembered(person: Person, client: ConnectedClient): Promise<boolean>;
  /** Notes a grant, and names the oldest of those that nobody redeemed, where they are too many by now. */
  add(
    person: Person,
    client: ConnectedClient,
    grant: { readonly id: string; readonly remember: boolean },
  ): Promise<readonly string[]>;
  /** Notes that a grant runs, and names those that are too many by now: a client that signs in again and again keeps the newest. */
  noteRedeemed(
    person: Person,
    client: Pick<ConnectedClient, "clientId" | "redirectUri">,
    grantId: string,
  ): Promise<readonly string[]>;
  list(person: Person): Promise<Connection[]>;
  /** Forgets an approval and ends its grants by `end`. What could not be ended stays, so that the person can try again. */
  remove(person: Person, connectionId: string, end: (grantId: string) => Promise<void>): Promise<void>;
}

/**
 * Keeps connections in the vault, each as long as a grant lives after its last sign-in.
 *
 * Grants are a set beside their connection, each with its time and whether it was redeemed: two that begin at once are both in it.
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

  /** Takes out, of the grants in one state, all but the newest, and names them. */
  async function dropOldest(running: Entry, state: GrantState): Promise<readonly string[]> {
    const inState = (await vault.sets.read(running)).filter((member) => stateOf(member) === state);
    const tooMany = inState.sort(byTime).slice(0, -MAX_GRANTS);
    await Promise.all(tooMany.map((member) => vault.sets.remove(running, member)));
    return tooMany.map(toGrantId);
  }

  return {
    async isRemembered(person, client) {
      return (await read(person, idOf(client)))?.remembered === true;
    },
    async add(person, client, { id: grantId, remember }) {
      const id = idOf(client);
      const running = grantsOf(person, id);
      // First: whoever ends the connection from here on ends this grant with it.
      await vault.sets.add(running, memberOf(grantId, "begun"), GRANT_MS);
      const connection: Connection = { ...client, id, remembered: remember };
      await vault.put(entryOf(person, id), connection, GRANT_MS);
      await vault.sets.add(listOf(person), id, GRANT_MS);
      return dropOldest(running, "begun");
    },
    async noteRedeemed(person, client, grantId) {
      const running = grantsOf(person, idOf(client));
      const begun = (await vault.sets.read(running)).filter((member) => toGrantId(member) === grantId);
      // In this order: whoever ends the connection meanwhile finds it.
      await vault.sets.add(running, memberOf(grantId, "redeemed"), GRANT_MS);
      await Promise.all(begun.map((member) => vault.sets.remove(running, member)));
      return dropOldest(running, "redeemed");
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

function memberOf(grantId: string, state: GrantState): string {
  return `${Date.now()} ${grantId} ${state}`;
}

function stateOf(member: string): string | undefined {
  return member.split(" ")[2];
}

function toGrantId(member: string): string {
  return member.split(" ")[1] ?? "";
}

function idOf({ clientId, redirectUri }: Pick<ConnectedClient, "clientId" | "redirectUri">): string {
  // The port of the loopback address is another one at each sign-in.
  const address = isLoopback(redirectUri)
    ? redirectUri.replace(/^(http:\/\/[^/:]+|http:\/\/\[::1\]):\d+/, "$1")
    : redirectUri;
  return createHash("sha256").update(`${clientId}\n${address}`).digest("base64url");
}
