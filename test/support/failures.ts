import { expect } from "vitest";

/** What a result with this failure matches; with any text where none is given. */
export const failureOf = (code: string, text: unknown = expect.any(String)) => ({
  isError: true,
  content: [{ type: "text", text }],
  _meta: { "azure-graph-mcp/error": { code } },
});
