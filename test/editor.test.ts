import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CONTOSO } from "../emulators/contoso/tenant.ts";

const ROOT = join(import.meta.dirname, "..");

/** Reads JSON whose comments have a line of their own. */
const read = (name: string): unknown =>
  JSON.parse(readFileSync(join(ROOT, name), "utf8").replaceAll(/^\s*\/\/.*$/gm, ""));

const { scripts } = read("package.json") as { scripts: Record<string, string> };
const { tasks } = read(".vscode/tasks.json") as { tasks: { label: string; script?: string; dependsOn?: string[] }[] };
const { configurations, inputs } = read(".vscode/launch.json") as {
  configurations: { program: string; args: string[]; preLaunchTask: string }[];
  inputs: { id: string }[];
};

test("tasks are npm scripts, and launches wait for tasks that exist", () => {
  const labels = new Set(tasks.map(({ label }) => label));
  expect(tasks.flatMap(({ script = [] }) => script).filter((script) => scripts[script] === undefined)).toEqual([]);
  expect(tasks.flatMap(({ dependsOn = [] }) => dependsOn).filter((label) => !labels.has(label))).toEqual([]);
  expect(configurations.filter(({ preLaunchTask }) => !labels.has(preLaunchTask))).toEqual([]);
});

test("launches ask for what they use", () => {
  const used = JSON.stringify(configurations).matchAll(/\$\{input:([\w-]+)\}/g);
  expect(new Set([...used].map(([, id]) => id))).toEqual(new Set(inputs.map(({ id }) => id)));
});

test("mcp.json has the local stack with its client id, and a deployment whose host is asked for", () => {
  const { servers, inputs } = read(".vscode/mcp.json") as {
    servers: Record<string, unknown>;
    inputs: { id: string }[];
  };

  expect(servers["azure-graph (local)"]).toEqual({
    type: "http",
    url: "http://localhost:3000/mcp",
    oauth: { clientId: CONTOSO.sampleClientId },
  });
  expect(servers["azure-graph (deployed)"]).toEqual({ type: "http", url: "https://${input:azure-graph-host}/mcp" });
  expect(inputs.map(({ id }) => id)).toEqual(["azure-graph-host"]);
});

test("the dev container has the recommended extensions", () => {
  const { recommendations } = read(".vscode/extensions.json") as { recommendations: string[] };
  const container = read(".devcontainer/devcontainer.json") as { customizations: { vscode: { extensions: string[] } } };
  expect(container.customizations.vscode.extensions).toEqual(recommendations);
});
