import { describe, expect, test } from "vitest";
import * as z from "zod";
import { publish } from "../../src/mcp/definition.ts";
import { defineTool, page, pageResult, type Tool } from "../../src/mcp/tool.ts";
import { toolsets } from "../../src/tools/index.ts";

const FACTS = {
  name: "move_file",
  title: "Move a file",
  description: "Moves a file.",
  effect: "read",
  permissions: ["Files.ReadWrite"],
} as const;

const PLAIN = defineTool({
  ...FACTS,
  input: z.strictObject({}),
  output: z.object({}),
  handler: async () => ({}),
});

const hintsOf = (facts: Partial<Pick<Tool, "effect" | "idempotent" | "openWorld">>) =>
  publish({ ...PLAIN, ...facts }).annotations;

describe("hints", () => {
  test.each<[string, Parameters<typeof hintsOf>[0], ReturnType<typeof hintsOf>]>([
    ["reads", { effect: "read" }, { readOnlyHint: true, openWorldHint: true }],
    ["reads its own account only", { effect: "read", openWorld: false }, { readOnlyHint: true, openWorldHint: false }],
    [
      "reads and calls itself idempotent",
      { effect: "read", idempotent: true },
      { readOnlyHint: true, openWorldHint: true },
    ],
    [
      "writes",
      { effect: "write" },
      { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
    ],
    [
      "writes the same twice",
      { effect: "write", idempotent: true },
      { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    ],
    [
      "destroys",
      { effect: "destructive", openWorld: false },
      { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
    ],
  ])("of a tool that %s follow from its effect", (_what, facts, hints) => {
    expect(hintsOf(facts)).toEqual(hints);
  });
});

describe("schemas", () => {
  test("are those of the zod objects: inputs before defaults are filled in and closed, outputs after it and open", () => {
    const tool = defineTool({
      ...FACTS,
      input: z.strictObject({ query: z.string().min(1).describe("Words"), ...page }),
      output: z.object({ files: z.array(z.object({ id: z.string(), size: z.number().nullable() })), ...pageResult }),
      handler: async () => ({ files: [] }),
    });

    expect(publish(tool)).toEqual({
      name: "move_file",
      title: "Move a file",
      description: "Moves a file.",
      inputSchema: {
        type: "object",
        properties: {
          query: { type: "string", description: "Words" },
          limit: { type: "integer", minimum: 1, maximum: 50, default: 10 },
          cursor: {
            type: "string",
            description: "next of the page before; same arguments",
          },
        },
        required: ["query"],
        additionalProperties: false,
      },
      outputSchema: {
        type: "object",
        properties: {
          files: {
            type: "array",
            items: {
              type: "object",
              properties: { id: { type: "string" }, size: { type: ["number", "null"] } },
            },
          },
          next: { type: "string" },
        },
      },
      annotations: { readOnlyHint: true, openWorldHint: true },
    });
  });

  const published = Object.values(toolsets)
    .flat()
    .map((tool) => [tool.name, publish(tool)] as const);

  test.each(published)(
    "of %s take no unknown arguments and use only keywords that every client knows",
    (_name, tool) => {
      expect(tool.inputSchema).toMatchObject({ type: "object", additionalProperties: false });
      expect(keywordsOf(tool.inputSchema)).not.toEqual(
        expect.arrayContaining([expect.stringMatching(/^(\$.*|anyOf|oneOf|allOf|not|if|patternProperties)$/)]),
      );
      expect(keywordsOf(tool.outputSchema)).not.toEqual(expect.arrayContaining([expect.stringMatching(/^\$/)]));
    },
  );

  test.each(published)("of %s hold nothing that JSON loses", (_name, tool) => {
    expect(JSON.parse(JSON.stringify(tool))).toEqual(tool);
  });
});

/** Every keyword of a JSON Schema, at any depth; names of properties are none. */
function keywordsOf(schema: unknown): string[] {
  if (Array.isArray(schema)) return schema.flatMap(keywordsOf);
  if (typeof schema !== "object" || schema === null) return [];
  const inside = Object.entries(schema).flatMap(([keyword, value]) =>
    keyword === "properties" ? Object.values(value as object) : [value as unknown],
  );
  return [...Object.keys(schema), ...inside.flatMap(keywordsOf)];
}
