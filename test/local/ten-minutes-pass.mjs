// Preloaded into a server: what it would do after ten minutes it does after three seconds.
const TEN_MINUTES_MS = 10 * 60 * 1000;
const realSetTimeout = globalThis.setTimeout;
globalThis.setTimeout = (work, ms, ...args) => realSetTimeout(work, ms === TEN_MINUTES_MS ? 3_000 : ms, ...args);
