import { createExtractor } from "../../src/extract/extractor.ts";
import type { ExtractText } from "../../src/mcp/extract-text.ts";

/** The built worker, which the tests of the product's own files run: Node runs no TypeScript in a thread. */
export const EXTRACTION_WORKER = new URL("../../dist/extract/worker.js", import.meta.url);

/** Reads files as the product does. */
export const extractText: ExtractText = createExtractor({ worker: EXTRACTION_WORKER, timeoutMs: 10_000 });
