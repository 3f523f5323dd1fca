import { LRUCache } from "lru-cache";
import type { Principal } from "../auth/principal.ts";

const MAX_ANSWERS = 5_000;
const MAX_CHARACTERS = 32 * 1024 * 1024;
const LIFETIME_MS = 5 * 60 * 1000;

/** A read, as far as it decides about its answer. */
interface Read {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>> | undefined;
}

/** Answers to reads, each for the user who got it. */
export interface Remembered {
  readonly find: (user: Principal, read: Read) => object | undefined;
  readonly keep: (user: Principal, read: Read, answer: object) => void;
}

/**
 * Remembers answers for five minutes, at most 5,000 of them and 32 Mi characters together; the one of a user is never
 * found by another.
 */
export function createRemembered(): Remembered {
  const answers = new LRUCache<string, object>({
    max: MAX_ANSWERS,
    maxSize: MAX_CHARACTERS,
    sizeCalculation: (answer) => JSON.stringify(answer).length,
    ttl: LIFETIME_MS,
  });
  const keyOf = ({ tenantId, userId }: Principal, { url, headers }: Read): string =>
    JSON.stringify([tenantId, userId, url, headers]);
  return {
    find: (user, read) => answers.get(keyOf(user, read)),
    keep: (user, read, answer) => answers.set(keyOf(user, read), answer),
  };
}
