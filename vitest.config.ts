import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/support/certificates.setup.ts",
    // Node reads NODE_EXTRA_CA_CERTS when a process starts: workers must be processes, started after the set-up.
    pool: "forks",
    testTimeout: 15_000,
    hookTimeout: 30_000,
  },
});
