import { createHash } from "node:crypto";
import { type Adapter, type AdapterPayload, errors, Provider } from "oidc-provider";
import { documentEntryOf } from "./client-documents.ts";
import type { EndGrant, GrantEnd } from "./grant-end.ts";
import { GRANT_MS, REGISTRATION_MS } from "./lifetimes.ts";
import { isDocumentId } from "./redirects.ts";
import type { Entry, Vault } from "./vault.ts";

/** For models that name no lifetime. */
const DEFAULT_MS = 60 * 60 * 1000;

/** What happens when a grant ends. */
export interface GrantEndings {
  /** Ends what hangs on the grant elsewhere; runs again when an end that failed half-way is tried again. */
  endSession(grantId: string): Promise<void>;
  /** Once for each grant, when nothing is left of it; `end` is absent where `oidc-provider` ends it. */
  onEnded(grantId: string, grant: AdapterPayload, end?: GrantEnd): void;
}

/**
 * Keeps everything of `oidc-provider` in the vault, under hashes of its ids.
 *
 * A registration lasts an hour, and it and a client's document an hour longer than its last grant. A code or refresh token is
 * consumed in one step: the second of two requests at once ends the grant like any replay. `endings` hear whenever a grant
 * ends, for whatever reason.
 */
export function createAdapterFactory(
  vault: Vault,
  endings: GrantEndings,
): {
  readonly adapter: (model: string) => Adapter;
  readonly endGrant: EndGrant;
  /** Makes codes and refresh tokens that a request consumed good again, where its client got nothing for them. */
  readonly undoConsumption: (ctx: object) => Promise<void>;
} {
  const consumedBy = new WeakMap<object, Entry[]>();
  const digest = (id: string) => createHash("sha256").update(id).digest("base64url");
  const membersOf = (grantId: string) => ({ kind: "grant-members", id: grantId });

  async function endGrant(grantId: string, end?: GrantEnd): Promise<void> {
    const members = await vault.sets.read(membersOf(grantId));
    await vault.delete(
      membersOf(grantId),
      ...members.map((member) => {
        const [kind = "", id = ""] = member.split(" ");
        return { kind, id };
      }),
    );
    await endings.endSession(grantId);
    // Last, and by one of those that end it: whoever fails before this has ended nothing that could not be ended again.
    const grant = await vault.take<AdapterPayload>({ kind: "Grant", id: digest(grantId) });
    if (grant) endings.onEnded(grantId, grant, end);
  }

  async function keepClient(clientId: string): Promise<void> {
    const entry = isDocumentId(clientId) ? documentEntryOf(clientId) : { kind: "Client", id: digest(clientId) };
    const client = await vault.get(entry);
    if (client !== undefined) await vault.put(entry, client, GRANT_MS + REGISTRATION_MS);
  }

  const adapter = (model: string): Adapter => {
    // `oidc-provider` takes them from its classes: a bundler that drops or changes those would turn off what is tied to them.
    if (!/^[A-Z][A-Za-z]+$/.test(model)) throw new Error("oidc-provider was bundled without the names of its classes.");
    const unlimitedMs = model === "Client" ? REGISTRATION_MS : DEFAULT_MS;
    const entryOf = (id: string) => ({ kind: model, id: digest(id) });
    const consumedOf = (id: string) => ({ kind: `${model}-consumed`, id: digest(id) });
    return {
      async upsert(id, payload, expiresIn) {
        const ttlMs = expiresIn === undefined ? unlimitedMs : expiresIn * 1000;
        if (payload.grantId !== undefined && model !== "Interaction") {
          await vault.sets.add(membersOf(payload.grantId), `${model} ${digest(id)}`, GRANT_MS);
        }
        await vault.put(entryOf(id), payload, ttlMs);
        if (model === "Grant" && payload.clientId !== undefined) await keepClient(payload.clientId);
      },
      async find(id) {
        const payload = await vault.get<AdapterPayload>(entryOf(id));
        if (!payload) return undefined;
        const consumable = model === "RefreshToken" || model === "AuthorizationCode";
        return consumable && (await vault.has(consumedOf(id))) ? { ...payload, consumed: true } : payload;
      },
      async consume(id) {
        const payload = await vault.get<AdapterPayload>(entryOf(id));
        const ttlMs = Math.max(1_000, (payload?.exp ?? 0) * 1000 - Date.now());
        if (await vault.claim(consumedOf(id), ttlMs)) {
          const { ctx } = Provider;
          if (ctx) consumedBy.set(ctx, [...(consumedBy.get(ctx) ?? []), consumedOf(id)]);
          return;
        }
        if (payload?.grantId !== undefined) await endGrant(payload.grantId);
        throw new errors.InvalidGrant("already used");
      },
      async destroy(id) {
        if (model === "Grant") await endGrant(id);
        else await vault.delete(entryOf(id));
      },
      revokeByGrantId: (grantId) => endGrant(grantId),
      // Sessions of the provider's own and device codes are not in use.
      findByUid: async () => undefined,
      findByUserCode: async () => undefined,
    };
  };
  return {
    adapter,
    endGrant,
    async undoConsumption(ctx) {
      const marks = consumedBy.get(ctx);
      if (marks) await vault.delete(...marks);
    },
  };
}
