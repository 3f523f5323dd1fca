import * as z from "zod";
import type { Tool } from "./tool.ts";

/** A tool as `tools/list` publishes it. */
export interface PublishedTool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly inputSchema: { readonly type: "object"; readonly [keyword: string]: unknown };
  readonly outputSchema: { readonly type: "object"; readonly [keyword: string]: unknown };
  readonly annotations: {
    readonly readOnlyHint: boolean;
    readonly destructiveHint?: boolean;
    readonly idempotentHint?: boolean;
    readonly openWorldHint: boolean;
  };
}

/** Derives what clients see of a tool: JSON Schema 2020-12 from its zod schemas, hints from its effect. */
export function publish(tool: Tool): PublishedTool {
  return {
    name: tool.name,
    title: tool.title,
    description: tool.description,
    inputSchema: toJsonSchema(tool.input, "input"),
    outputSchema: toJsonSchema(tool.output, "output"),
    annotations: {
      readOnlyHint: tool.effect === "read",
      // Both hints mean something only for tools that write (MCP, ToolAnnotations).
      ...(tool.effect === "read"
        ? {}
        : { destructiveHint: tool.effect === "destructive", idempotentHint: tool.idempotent ?? false }),
      openWorldHint: tool.openWorld ?? true,
    },
  };
}

function toJsonSchema(schema: z.ZodObject, io: "input" | "output"): PublishedTool["inputSchema"] {
  const { $schema: _dialect, ...json } = z.toJSONSchema(schema, { target: "draft-2020-12", io });
  return { ...json, type: "object" };
}
