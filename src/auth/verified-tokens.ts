import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { Caller } from "./principal.ts";

const MAX_TOKENS = 10_000;
const REMEMBER_MS = 60_000;

/**
 * Remembers for a minute that a token was verified, and never past its expiry; a refusal is not remembered. A signing
 * key that is withdrawn counts for at most that minute longer.
 */
export function rememberVerified(verify: (token: string) => Promise<Caller>): (token: string) => Promise<Caller> {
  const known = new LRUCache<string, Caller>({ max: MAX_TOKENS, ttl: REMEMBER_MS });
  return async (token) => {
    const remembered = known.get(token);
    if (remembered && remembered.expiresAt * 1000 > Date.now()) return remembered;
    const caller = await verify(token);
    known.set(token, caller);
    return caller;
  };
}

/** Tells whether a caller comes with a token that did not come before; a token that expired is forgotten. */
export function createFirstSight(): (caller: Caller) => boolean {
  // The caller of a remembered token is the same object: its hash is computed once a minute.
  const callers = new WeakSet<Caller>();
  const tokens = new LRUCache<string, true>({ max: MAX_TOKENS });
  return (caller) => {
    if (callers.has(caller)) return false;
    callers.add(caller);
    const digest = createHash("sha256").update(caller.accessToken).digest("base64url");
    if (tokens.has(digest)) return false;
    tokens.set(digest, true, { ttl: Math.max(1, caller.expiresAt * 1000 - Date.now()) });
    return true;
  };
}
