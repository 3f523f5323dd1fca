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
  const { $schema: _dialect, ...json } = z.toJSONSchema(schema, {
    target: "draft-2020-12",
    io,
    override: ({ jsonSchema }) => abbreviate(jsonSchema, io),
  });
  return { ...json, type: "object" };
}

/** Says the same in fewer tokens: every model reads every tool on every turn. */
function abbreviate(schema: z.core.JSONSchema.BaseSchema, io: "input" | "output"): void {
  const [value, nothing, ...more] = schema.anyOf ?? [];
  if (typeof value?.type === "string" && nothing?.type === "null" && more.length === 0) {
    delete schema.anyOf;
    Object.assign(schema, value, { type: [value.type, "null"] }, schema);
  }
  // A result is this server's own word: what it holds is there, and a later version may say more.
  if (io === "output") {
    delete schema.additionalProperties;
    delete schema.required;
  }
  // The server checks how long a text is, and says so; models write no other text for being told.
  delete schema.maxLength;
  delete schema.minLength;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
}
