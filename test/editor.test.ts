import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CONTOSO } from "../emulators/contoso/tenant.ts";

const ROOT = join(import.meta.dirname, "..");

/** Reads JSON whose comments have a line of their own. */
const read = <T>(name: string) =>
  JSON.parse(readFileSync(join(ROOT, name), "utf8").replaceAll(/^\s*\/\/.*$/gm, "")) as T;

const { scripts } = read<{ scripts: Record<string, string> }>("package.json");
const { tasks } = read<{ tasks: { label: string; script?: string; dependsOn?: string[] }[] }>(".vscode/tasks.json");
const { configurations, inputs } = read<{
  configurations: { program: string; args: string[]; preLaunchTask: string }[];
  inputs: { id: string }[];
}>(".vscode/launch.json");

test("tasks are npm scripts, and launches wait for tasks that exist", () => {
  const labels = tasks.map(({ label }) => label);
  expect(tasks.flatMap(({ script = [] }) => script).filter((script) => scripts[script] === undefined)).toEqual([]);
  expect(tasks.flatMap(({ dependsOn = [] }) => dependsOn).filter((label) => !labels.includes(label))).toEqual([]);
  expect(configurations.filter(({ preLaunchTask }) => !labels.includes(preLaunchTask))).toEqual([]);
});

test("launches ask for what they use", () => {
  const used = JSON.stringify(configurations).matchAll(/\$\{input:([\w-]+)\}/g);
  expect(new Set([...used].map(([, id]) => id))).toEqual(new Set(inputs.map(({ id }) => id)));
});

test("mcp.json has the local stack with its client id, and a deployment whose host is asked for", () => {
  const { servers, inputs } = read<{ servers: Record<string, unknown>; inputs: { id: string }[] }>(".vscode/mcp.json");

  expect(servers["azure-graph (local)"]).toEqual({
    type: "http",
    url: "http://localhost:3000/mcp",
    oauth: { clientId: CONTOSO.sampleClientId },
  });
  expect(servers["azure-graph (deployed)"]).toEqual({ type: "http", url: "https://${input:azure-graph-host}/mcp" });
  expect(inputs.map(({ id }) => id)).toEqual(["azure-graph-host"]);
});

test("the dev container has the recommended extensions", () => {
  const { recommendations } = read<{ recommendations: string[] }>(".vscode/extensions.json");
  const container = read<{ customizations: { vscode: { extensions: string[] } } }>(".devcontainer/devcontainer.json");
  expect(container.customizations.vscode.extensions).toEqual(recommendations);
});
