import { LRUCache } from "lru-cache";
import type { BrokerStore } from "../broker/store.ts";

/** Of each kind: what anybody may fill (registrations) must not push out what people rely on (sign-ins). */
const LIMITS = { max: 20_000, maxSize: 128 * 1024 * 1024, sizeCalculation: sizeOf };

/** Keeps the broker's state in the process: for one instance, and it ends with it. */
export function createInProcessStore(): BrokerStore {
  const kinds = new Map<string, LRUCache<string, string | Set<string>>>();
  const kindOf = (key: string) => {
    const name = key.slice(0, key.lastIndexOf(":"));
    const known = kinds.get(name) ?? new LRUCache<string, string | Set<string>>(LIMITS);
    kinds.set(name, known);
    return known;
  };
  const textAt = (key: string) => {
    const value = kindOf(key).get(key);
    return typeof value === "string" ? value : undefined;
  };
  const setAt = (key: string) => {
    const value = kindOf(key).get(key);
    return value instanceof Set ? value : new Set<string>();
  };
  return {
    get: async (key) => textAt(key),
    async set(key, value, ttlMs) {
      kindOf(key).set(key, value, { ttl: ttlMs });
    },
    async replace(key, value) {
      const kind = kindOf(key);
      if (!kind.has(key)) return false;
      kind.set(key, value, { noUpdateTTL: true });
      return true;
    },
    async extend(key, ttlMs) {
      const value = kindOf(key).get(key);
      if (value !== undefined) kindOf(key).set(key, value, { ttl: ttlMs });
      return value !== undefined;
    },
    async take(key) {
      const value = textAt(key);
      kindOf(key).delete(key);
      return value;
    },
    async claim(key, ttlMs) {
      const kind = kindOf(key);
      if (kind.has(key)) return false;
      kind.set(key, "1", { ttl: ttlMs });
      return true;
    },
    async delete(...keys) {
      for (const key of keys) kindOf(key).delete(key);
    },
    async addMember(key, member, ttlMs) {
      kindOf(key).set(key, new Set([...setAt(key), member]), { ttl: ttlMs });
    },
    async removeMember(key, member) {
      setAt(key).delete(member);
    },
    members: async (key) => [...setAt(key)],
    async close() {
      kinds.clear();
    },
  };
}

/** Characters, which are bytes here: keys and values are ASCII. */
function sizeOf(value: string | Set<string>, key: string): number {
  const texts = typeof value === "string" ? [value] : [...value];
  return texts.reduce((sum, text) => sum + text.length, key.length);
}
