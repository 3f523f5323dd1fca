import * as z from "zod";

/** A tool of the servers that the product is compared with. */
export interface PlainTool {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: z.ZodObject;
  readonly outputSchema: z.ZodObject;
}

const GRAPH = process.env["GRAPH_ENDPOINT"] ?? "";

/** Twenty tools of ordinary size; each makes one Graph request, with the token that it was started with. */
export const plainTools: readonly PlainTool[] = Array.from({ length: 20 }, (_none, index) => ({
  name: index === 0 ? "get_my_profile" : `get_item_${index}`,
  description: "Reads one item of Microsoft Graph and returns the fields that matter to a person.",
  inputSchema: z.object({
    limit: z.number().int().min(1).max(50).default(10).describe("Most items to return"),
    query: z.string().max(100).optional().describe("Words to look for"),
    detail: z.boolean().default(false).describe("Also return the details"),
  }),
  outputSchema: z.object({ id: z.string(), name: z.string(), email: z.string() }),
}));

/** What every tool does. */
export async function callGraph() {
  const response = await fetch(`${GRAPH}/v1.0/me?$select=id,displayName,mail`, {
    headers: { authorization: "Bearer plain" },
  });
  const { id, displayName, mail } = (await response.json()) as Record<string, string>;
  const structuredContent = { id: id ?? "", name: displayName ?? "", email: mail ?? "" };
  return { content: [{ type: "text" as const, text: JSON.stringify(structuredContent) }], structuredContent };
}
