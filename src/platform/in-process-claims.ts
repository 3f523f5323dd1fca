import { LRUCache } from "lru-cache";
import type { ClaimOnce } from "../mcp/claim-once.ts";

const MAX_CLAIMS = 100_000;

/** Claims of a single instance: they are kept in the process, the newest 100,000 of them. */
export function createInProcessClaims(): ClaimOnce {
  const claimed = new LRUCache<string, true>({ max: MAX_CLAIMS });
  return async (name, ttlMs) => {
    if (claimed.has(name)) return false;
    claimed.set(name, true, { ttl: ttlMs });
    return true;
  };
}
