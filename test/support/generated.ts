import { readFileSync } from "node:fs";
import { join } from "node:path";
import type * as z from "zod";
import { settings } from "../../src/config.ts";
import { catalogue, toolsets } from "../../src/tools/index.ts";

const ROOT = join(import.meta.dirname, "../..");

/** One setting as documents show it. */
interface Setting {
  readonly name: string;
  readonly description: string;
  readonly example: string;
  /** What holds when it is not set; undefined when it has to be. */
  readonly fallback: string | undefined;
}

/** The settings in the order of the code. */
function listSettings(): Setting[] {
  return Object.entries<z.ZodType>(settings(catalogue)).map(([name, schema]) => {
    const { description = "", example } = schema.meta() ?? {};
    const absent = schema.safeParse(undefined);
    const value = absent.data as string | number | boolean | string[] | undefined;
    return {
      name,
      description,
      example: String(example),
      fallback: absent.success ? (Array.isArray(value) ? value.join(",") : String(value ?? "")) : undefined,
    };
  });
}

/** `.env.example`: what must be set, then what may be, with its default. */
export function envExample(): string {
  const blocks = listSettings().map(({ name, description, example, fallback }) => {
    const text = description.replaceAll("`", "");
    return fallback === undefined
      ? `# ${text}. Required.\n${name}=${example}`
      : `# ${text}.\n# ${name}=${fallback || example}`;
  });
  return `# Settings of azure-graph-mcp, made from src/config.ts by \`npm run lock\`.\n\n${blocks.join("\n\n")}\n`;
}

function configurationTable(): string {
  const rows = listSettings().map(({ name, description, fallback }) => {
    const shown = fallback === undefined ? "**required**" : fallback === "" ? "" : `\`${fallback}\``;
    return `| \`${name}\` | ${description} | ${shown} |`;
  });
  return ["| Variable | Meaning | Default |", "|---|---|---|", ...rows].join("\n");
}

function toolTable(): string {
  const rows = Object.entries(toolsets).flatMap(([toolset, tools]) =>
    tools.map(({ name, title, permissions, optionalPermissions = [], effect }) => {
      const optional = optionalPermissions.map((permission) => `(${permission})`);
      return `| \`${name}\` | ${toolset} | ${effect} | ${title} | ${[...permissions, ...optional].join(", ")} |`;
    }),
  );
  return [
    "| Tool | Toolset | Effect | What it does | Delegated Graph permissions (optional ones) |",
    "|---|---|---|---|---|",
    ...rows,
  ].join("\n");
}

/** A document with its generated parts written anew, between `<!-- generated: NAME -->` and `<!-- end -->`. */
export function withGeneratedParts(file: string): string {
  const parts: Readonly<Record<string, () => string>> = { configuration: configurationTable, tools: toolTable };
  return readFileSync(join(ROOT, file), "utf8").replace(
    /(<!-- generated: (\w+) -->\n)[\s\S]*?(\n<!-- end -->)/g,
    (_all, start: string, name: string, end: string) => `${start}${parts[name]?.()}${end}`,
  );
}
