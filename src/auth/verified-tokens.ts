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
