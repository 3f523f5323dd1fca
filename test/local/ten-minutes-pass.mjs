// Preloaded into a server: what it would do after ten minutes it does after a second.
const TEN_MINUTES_MS = 10 * 60 * 1000;
const realSetTimeout = globalThis.setTimeout;
globalThis.setTimeout = (work, ms, ...args) => realSetTimeout(work, ms === TEN_MINUTES_MS ? 1_000 : ms, ...args);
