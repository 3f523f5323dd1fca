import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

// Vitest's reporter calls it to print a failed test, and Node 20 lacks it: without this, a failure there has no message.
const groupBy = <K, T>(items: Iterable<T>, keyOf: (item: T, index: number) => K) => {
  const groups = new Map<K, T[]>();
  let index = 0;
  for (const item of items) {
    const key = keyOf(item, index++);
    groups.set(key, [...(groups.get(key) ?? []), item]);
  }
  return groups;
};
if (!("groupBy" in Map)) Object.assign(Map, { groupBy });

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/support/certificates.setup.ts",
    // Node reads NODE_EXTRA_CA_CERTS when a process starts: workers must be processes, started after the set-up.
    pool: "forks",
    // Most of a test's time is waiting: one worker less than cores, the default, would leave a small machine idle.
    maxWorkers: Math.max(2, availableParallelism()),
    testTimeout: 15_000,
    hookTimeout: 30_000,
  },
});
