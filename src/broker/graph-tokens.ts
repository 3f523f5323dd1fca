import { setTimeout as sleep } from "node:timers/promises";
import { needsPerson } from "../auth/needs-person.ts";
import { isConsentMissing, refusalOf, toToolError } from "../auth/on-behalf-of.ts";
import type { Caller, Principal } from "../auth/principal.ts";
import type { Log } from "../diagnostics.ts";
import type { AcquireGraphToken } from "../graph/graph.ts";
import { untilAborted } from "../mcp/abort.ts";
import { ToolError } from "../mcp/tool-error.ts";
import { grantIdOf } from "./access-token.ts";
import type { Entra } from "./entra.ts";
import type { EntraTokens, GrantKey, Sessions } from "./sessions.ts";
import type { Vault } from "./vault.ts";

/** How Graph tokens of signed-in people are had. */
export interface GraphTokenOptions {
  readonly entra: Entra;
  readonly sessions: Sessions;
  readonly vault: Vault;
  /** Permissions of all tools that a caller may use, sorted. */
  readonly allPermissions: (principal: Principal) => readonly string[];
  /** Makes the address where the person of a grant consents to what is missing, or does what a claims challenge asks for. */
  readonly createStepUp: (key: GrantKey, claims: string | undefined) => Promise<string>;
  readonly endGrant: (grantId: string) => Promise<void>;
  readonly adminConsent: (tenantId: string) => string;
  readonly timeoutMs: number;
  readonly log: Log;
}

/** A token that a grant has to have. */
interface Wanted {
  readonly key: GrantKey;
  readonly permissions: readonly string[];
  /** Claims challenge of Graph's that it has to meet. */
  readonly claims: string | undefined;
}

/** A token is renewed this long before it expires, so that no call starts with one that ends on the way. */
const EXPIRY_MARGIN_MS = 5 * 60 * 1000;
const POLL_MS = 100;

/** The grant behind an access token is gone. */
class SignedOutError extends Error {
  override readonly name = "SignedOutError";
}

/**
 * Gets Graph tokens from the sign-ins that the broker made, and renews them: one renewal at a time for each grant, in
 * this instance and among all.
 *
 * A sign-in that Entra does not honour any more ends the grant, so that the client starts a new one. What one step of the
 * person can add to it (a missing consent, a claims challenge) leaves it alive and gives the address of that step.
 */
export function createGraphTokens(options: GraphTokenOptions): AcquireGraphToken {
  const { entra, sessions, vault, timeoutMs } = options;
  const renewals = new Map<string, Promise<string>>();

  async function acquire(wanted: Wanted): Promise<string> {
    const { key, permissions, claims } = wanted;
    const tokens = await sessions.read(key);
    if (!tokens) throw new SignedOutError();
    if (claims === undefined && isGoodFor(tokens, permissions)) return tokens.accessToken;
    const name = [key.grantId, permissions.join(" "), claims ?? ""].join("\n");
    const running = renewals.get(name) ?? renew(wanted, tokens).finally(() => renewals.delete(name));
    renewals.set(name, running);
    return running;
  }

  async function renew({ key, permissions, claims }: Wanted, known: EntraTokens): Promise<string> {
    const lock = { kind: "renewal", id: key.grantId };
    // The store is asked before and after Entra.
    const lockMs = timeoutMs * 4;
    const deadline = Date.now() + lockMs;
    while (!(await vault.claim(lock, lockMs))) {
      if (Date.now() > deadline) throw new Error("Another instance did not finish renewing this sign-in.");
      await sleep(POLL_MS);
    }
    try {
      const tokens = await sessions.read(key);
      if (!tokens) throw new SignedOutError();
      // Whoever had the lock before may have done it.
      const isNew = tokens.accessToken !== known.accessToken;
      if (isGoodFor(tokens, permissions) && (claims === undefined || isNew)) return tokens.accessToken;
      const renewed = await entra
        .refresh(tokens, { tenantId: key.tenantId, permissions, claims })
        .catch(async (error) => {
          // The person may have signed in again meanwhile, in a step of their own.
          const latest = await sessions.read(key);
          if (latest === undefined || latest.accessToken === tokens.accessToken) throw error;
          return latest;
        });
      // Ended meanwhile: what was just got is thrown away.
      if (!(await sessions.update(key, renewed))) throw new SignedOutError();
      return renewed.accessToken;
    } finally {
      await vault.delete(lock);
    }
  }

  /** Asks for the permissions of all tools, so that their calls share a token; where not all are allowed, for the call's. */
  async function acquireForCall({ key, permissions, claims }: Wanted, principal: Principal): Promise<string> {
    try {
      return await acquire({ key, permissions: options.allPermissions(principal), claims });
    } catch (error) {
      if (!isConsentMissing(error)) throw error;
      return acquire({ key, permissions: [...permissions].sort(), claims });
    }
  }

  /** Says what the person has to do, and ends what cannot go on. */
  async function explain(error: unknown, { key, permissions }: Wanted, caller: Caller): Promise<ToolError> {
    if (error instanceof SignedOutError) {
      return new ToolError("interaction_required", "This sign-in has ended. Sign in again in your client.", {
        cause: error,
      });
    }
    const { errorCode = "", claims } = refusalOf(error);
    const isStep = claims !== undefined || isConsentMissing(error);
    const signIn = isStep ? await options.createStepUp(key, claims) : undefined;
    if (!isStep && needsPerson(errorCode)) await options.endGrant(key.grantId);
    return toToolError(error, caller, permissions, {
      links: { signIn, adminConsent: options.adminConsent },
      log: options.log,
    });
  }

  return async (caller, permissions, { signal, claims }) => {
    const { principal } = caller;
    const wanted = { key: { ...principal, grantId: grantIdOf(caller) }, permissions, claims };
    try {
      return await untilAborted(acquireForCall(wanted, principal), signal);
    } catch (error) {
      if (signal.aborted) throw error;
      throw await explain(error, wanted, caller);
    }
  };
}

function isGoodFor({ expiresAt, permissions: had }: EntraTokens, permissions: readonly string[]): boolean {
  const known = new Set(had.split(" "));
  // No more than wanted, either: a token has only what the caller's roles let it use.
  const sameSet = known.size === permissions.length && permissions.every((name) => known.has(name));
  return sameSet && expiresAt - EXPIRY_MARGIN_MS > Date.now();
}
