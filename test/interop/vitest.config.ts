import { defineConfig } from "vitest/config";
import base from "../../vitest.config.ts";

/** `npm run interop`: apart from `npm test`, because it installs other people's clients. */
export default defineConfig({
  test: { ...base.test, include: ["test/interop/matrix.ts"], testTimeout: 300_000 },
});
