import type { McpClient } from "./mcp-clients.ts";

/** Calls a tool and follows `next` to the end; the output of each page. */
export async function pagesOf<Output>(
  client: McpClient,
  tool: string,
  args: Record<string, unknown>,
): Promise<Output[]> {
  const pages: Output[] = [];
  let cursor: unknown;
  do {
    const { structuredContent } = await client.call(tool, { ...args, ...(cursor !== undefined && { cursor }) });
    pages.push(structuredContent as Output);
    cursor = structuredContent?.["next"];
  } while (cursor !== undefined);
  return pages;
}
