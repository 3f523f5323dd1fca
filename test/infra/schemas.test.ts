import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Ajv } from "ajv";
import { Ajv2019 } from "ajv/dist/2019.js";
import formats from "ajv-formats";
import { expect, test } from "vitest";
import { parse } from "yaml";

const ROOT = join(import.meta.dirname, "../..");
const read = async (path: string) => readFile(join(ROOT, path), "utf8");
const readJson = async <T>(path: string) => JSON.parse(await read(path)) as T;

interface AzureYaml {
  readonly name: string;
  readonly infra: { readonly provider: string; readonly path: string };
  readonly services: Readonly<
    Record<string, { host: string; language: string; dist: string; hooks: Record<string, { run: string }> }>
  >;
  readonly hooks: Readonly<Record<string, { run: string }>>;
}

test("azure.yaml fits the schema of azd", async () => {
  const schema = await readJson<object>("test/infra/schemas/azure.yaml.schema.json");
  const ajv = new Ajv2019({ strict: false, allErrors: true });
  formats.default(ajv);
  // Extensions for other hosts, of which this file uses none.
  const foreign = JSON.stringify(schema).matchAll(/"\$ref":"(https:[^"#]+)"/g);
  for (const url of new Set([...foreign].map(([, ref = ""]) => ref))) ajv.addSchema({ $id: url });
  const validate = ajv.compile(schema);
  validate(parse(await read("azure.yaml")));
  expect(validate.errors).toBeNull();
});

test("azure.yaml names what is there; its schema takes any host and language", async () => {
  const { services, hooks, infra } = parse(await read("azure.yaml")) as AzureYaml;
  expect(Object.keys(services)).toEqual(["mcp"]);
  expect(services["mcp"]).toMatchObject({ host: "appservice", language: "ts", dist: ".local/package" });
  expect(infra).toMatchObject({ provider: "bicep", path: "infra" });
  const scripts = [...Object.values(hooks), ...Object.values(services["mcp"]?.hooks ?? {})].map(({ run }) => run);
  expect(scripts).toHaveLength(5);
  // TypeScript runs on Windows and on Linux; a shell script would need a twin.
  expect(scripts.filter((run) => !run.endsWith(".ts") || !existsSync(join(ROOT, run)))).toEqual([]);
});

test("bicepconfig.json fits the schema of Bicep: every rule exists", async () => {
  const ajv = new Ajv({ strict: false, allErrors: true });
  formats.default(ajv);
  const validate = ajv.compile(await readJson<object>("test/infra/schemas/bicepconfig.schema.json"));
  validate(await readJson("infra/bicepconfig.json"));
  expect(validate.errors).toBeNull();
});
