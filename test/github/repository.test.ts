import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv } from "ajv";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { ROOT } from "./workflows.ts";

interface Dependabot {
  readonly updates: readonly {
    readonly "package-ecosystem": string;
    readonly cooldown: Readonly<Record<string, number>>;
    readonly groups: Readonly<Record<string, { patterns?: readonly string[] }>>;
  }[];
}

const read = (path: string) => readFileSync(join(ROOT, ".github", path), "utf8");
const FORMS = readdirSync(join(ROOT, ".github/ISSUE_TEMPLATE")).filter((file) => file !== "config.yml");

const text = z.string().min(1);
const id = z.string().regex(/^[\w-]+$/);
const validations = z.strictObject({ required: z.boolean() }).optional();
const field = { label: text, description: text.optional() };
const written = { ...field, placeholder: text.optional(), value: text.optional() };
/** https://docs.github.com/en/communities/using-templates-to-encourage-useful-issues-and-pull-requests/syntax-for-issue-forms */
const issueForm = z.strictObject({
  name: text,
  description: text,
  labels: z.array(text),
  body: z.array(
    z.discriminatedUnion("type", [
      z.strictObject({ type: z.literal("markdown"), attributes: z.strictObject({ value: text }) }),
      z.strictObject({ type: z.literal("input"), id, validations, attributes: z.strictObject(written) }),
      z.strictObject({
        type: z.literal("textarea"),
        id,
        validations,
        attributes: z.strictObject({ ...written, render: text.optional() }),
      }),
      z.strictObject({
        type: z.literal("dropdown"),
        id,
        validations,
        attributes: z.strictObject({ ...field, options: z.array(text).min(1), multiple: z.boolean().optional() }),
      }),
    ]),
  ),
});

describe("dependabot.yml", () => {
  const dependabot = parse(read("dependabot.yml")) as Dependabot;

  test("fits the schema of Dependabot", () => {
    const schema = readFileSync(join(import.meta.dirname, "schemas/dependabot-2.0.json"), "utf8");
    const validate = new Ajv({ strict: false, allErrors: true }).compile(JSON.parse(schema) as object);
    validate(dependabot);
    expect(validate.errors).toBeNull();
  });

  test("waits a week before it proposes a new version of a package or an action", () => {
    const cooldown = dependabot.updates.map((update) => [update["package-ecosystem"], update.cooldown]);
    expect(cooldown).toEqual([
      ["npm", { "default-days": 7, "semver-major-days": 14 }],
      // Any other key than this one, which the schema lets through, makes GitHub drop the entry.
      ["github-actions", { "default-days": 7 }],
    ]);
  });

  test("groups what has to change together, by names that are in package.json", () => {
    const { dependencies, devDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as Record<
      string,
      Record<string, string>
    >;
    const names = Object.keys({ ...dependencies, ...devDependencies });
    const patterns = dependabot.updates
      .filter((update) => update["package-ecosystem"] === "npm")
      .flatMap(({ groups }) => Object.values(groups).flatMap((group) => group.patterns ?? []));
    expect(patterns).toContain("@opentelemetry/*");
    const fits = (pattern: string) => names.some((name) => name.startsWith(pattern.replace("*", "")));
    expect(patterns.filter((pattern) => !fits(pattern))).toEqual([]);
  });
});

describe("CODEOWNERS", () => {
  const lines = read("CODEOWNERS")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split(/\s+/));

  test("owns everything, and names only what is there", () => {
    expect(lines[0]?.[0]).toBe("*");
    const paths = lines.slice(1).map(([path = ""]) => path);
    expect(paths.filter((path) => !path.startsWith("/") || !existsSync(join(ROOT, path)))).toEqual([]);
  });

  test("asks security about what has rights and what gives them", () => {
    const guarded = lines.filter((owners) => owners.includes("@your-org/security")).map(([path]) => path);
    expect(guarded).toEqual(
      expect.arrayContaining(["/.github/", "/infra/", "/package-lock.json", "/src/auth/", "/src/mcp/gate.ts"]),
    );
  });
});

describe.each(FORMS)("issue form %s", (file) => {
  const form = parse(read(`ISSUE_TEMPLATE/${file}`)) as { body: { id?: string; attributes: { label?: string } }[] };

  test("is one that GitHub can show", () => {
    expect(issueForm.safeParse(form).error?.issues ?? []).toEqual([]);
  });

  test("has no two fields of one name", () => {
    for (const key of ["id", "label"] as const) {
      const names = form.body.flatMap((element) => (key === "id" ? element.id : element.attributes.label) ?? []);
      expect(new Set(names).size).toBe(names.length);
    }
  });
});

test("an issue is written on a form, and the one for faults sends weaknesses elsewhere", () => {
  expect(parse(read("ISSUE_TEMPLATE/config.yml"))).toEqual({ blank_issues_enabled: false });
  expect(read("ISSUE_TEMPLATE/bug.yml")).toContain("Report a vulnerability");
});
