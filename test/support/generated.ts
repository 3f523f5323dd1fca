import { readFileSync } from "node:fs";
import { join } from "node:path";
import type * as z from "zod";
import { settings } from "../../src/config.ts";
import { lockOf } from "../../src/mcp/manifest.ts";
import { catalogue, toolsets } from "../../src/tools/index.ts";

const ROOT = join(import.meta.dirname, "../..");

/** Delegated permissions of Microsoft Graph and their ids, as Microsoft publishes them. */
const PERMISSION_IDS = JSON.parse(
  readFileSync(join(ROOT, "infra/graph-delegated-permissions.json"), "utf8"),
) as Readonly<Record<string, string>>;

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

/** The options of `azd up`: parameters of main.bicep with what they are called in main.parameters.json. */
function optionTable(): string {
  const read = (name: string) => readFileSync(join(ROOT, name), "utf8");
  const { parameters } = JSON.parse(read("infra/main.parameters.json")) as {
    readonly parameters: Readonly<Record<string, { readonly value: string }>>;
  };
  const template = read("infra/main.bicep");
  const rows = Object.entries(parameters).flatMap(([parameter, { value }]) => {
    const [, option = "", preset = ""] = /^\$\{(\w+)=?(.*)\}$/.exec(value) ?? [];
    // azd asks for these.
    if (option.startsWith("AZURE_")) return [];
    const before = template.slice(0, template.indexOf(`\nparam ${parameter} `));
    const [, long, short] =
      /^@description\((?:'''([^]+)'''|'([^']+)')\)/.exec(before.slice(before.lastIndexOf("@description("))) ?? [];
    const meaning = (long ?? short)?.replaceAll("\n", " ").replace(/\.$/, "");
    if (meaning === undefined) throw new Error(`infra/main.bicep does not describe ${parameter}.`);
    return [`| \`${option}\` | ${meaning} | ${preset === "" ? "" : `\`${preset}\``} |`];
  });
  return ["| Option | Meaning | Default |", "|---|---|---|", ...rows].join("\n");
}

/** `infra/graph-permissions.json`: what the app registration asks for, by toolset and effect. Throws for an unknown permission. */
export function graphPermissions(): string {
  const uses = Object.entries(toolsets).flatMap(([toolset, tools]) =>
    tools.flatMap(({ effect, permissions, optionalPermissions = [] }) => [
      ...permissions.map((name) => ({ name, toolset, effect: effect === "read" ? "read" : "write" })),
      ...optionalPermissions.map((name) => ({ name, toolset, effect: "optional" })),
    ]),
  );
  const kinds = new Set(uses.map(({ name, effect }) => `${name} ${effect}`));
  const rows = [...kinds].map((kind) => {
    const [name = "", effect] = kind.split(" ");
    const id = PERMISSION_IDS[name];
    if (!id) throw new Error(`Microsoft Graph has no delegated permission ${name}.`);
    const same = uses.filter((use) => use.name === name && use.effect === effect);
    return { name, id, effect, toolsets: [...new Set(same.map(({ toolset }) => toolset))] };
  });
  return `${JSON.stringify({ permissions: rows }, undefined, 2)}\n`;
}

/** `src/tools.lock.json`: the digest of every tool, which the server compares with its own at start. */
export function toolsLock(): string {
  return `${JSON.stringify(lockOf(Object.values(toolsets).flat()), undefined, 2)}\n`;
}

/** A document with its generated parts written anew, between `<!-- generated: NAME -->` and `<!-- end -->`. */
export function withGeneratedParts(file: string): string {
  const parts: Readonly<Record<string, () => string>> = {
    configuration: configurationTable,
    options: optionTable,
    tools: toolTable,
  };
  return readFileSync(join(ROOT, file), "utf8").replace(
    /(<!-- generated: (\w+) -->\n)[\s\S]*?(\n<!-- end -->)/g,
    (_all, start: string, name: string, end: string) => `${start}${parts[name]?.()}${end}`,
  );
}
