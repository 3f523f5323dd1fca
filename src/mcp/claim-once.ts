/**
 * Claims a name for `ttlMs`: true for the first who asks, false for everybody else until then, on all instances that
 * share it. Rejects when that cannot be told.
 */
export type ClaimOnce = (name: string, ttlMs: number) => Promise<boolean>;
