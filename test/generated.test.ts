import { expect, test } from "vitest";
import { publish } from "../src/mcp/definition.ts";
import { catalogue, toolsets } from "../src/tools/index.ts";
import { envExample, graphPermissions, toolsLock, withGeneratedParts } from "./support/generated.ts";

// `npm run lock` writes all of these anew; a difference is for the eyes of a reviewer.

test(".env.example says what src/config.ts reads", async () => {
  await expect(envExample()).toMatchFileSnapshot("../.env.example");
});

test("README's tables say what the code says", async () => {
  await expect(withGeneratedParts("README.md")).toMatchFileSnapshot("../README.md");
});

test("the page on operations lists the options of the templates", async () => {
  await expect(withGeneratedParts("docs/operations.md")).toMatchFileSnapshot("../docs/operations.md");
});

test("infra/graph-permissions.json names what the tools declare, and nothing else", async () => {
  await expect(graphPermissions()).toMatchFileSnapshot("../infra/graph-permissions.json");
});

const published = (names: readonly string[]) =>
  names.flatMap((name) => toolsets[name] ?? []).map((tool) => ({ effect: tool.effect, shown: publish(tool) }));
const tokensOf = (tools: readonly { readonly shown: unknown }[]) =>
  Buffer.byteLength(JSON.stringify({ tools: tools.map(({ shown }) => shown) })) / 4;

test("the published catalogue of tools is the reviewed one", async () => {
  const all = published(catalogue.toolsets).map(({ shown }) => shown);
  await expect(`${JSON.stringify(all, undefined, 2)}\n`).toMatchFileSnapshot("__snapshots__/tools.json");
});

test("src/tools.lock.json has the digest of every tool: a changed definition is reviewed before it is served", async () => {
  await expect(toolsLock()).toMatchFileSnapshot("../src/tools.lock.json");
});

// One more tool has to be as thrifty as these; one less takes nothing from the others.
const budget = (tokens: number, count: number, shown: readonly unknown[]) =>
  (tokens / count) * Math.max(count, shown.length);

test("the default tools that read take 3,500 tokens for twelve of them, at four bytes each", () => {
  const shown = published(catalogue.defaultToolsets).filter(({ effect }) => effect === "read");
  expect(tokensOf(shown)).toBeLessThan(budget(3_500, 12, shown));
});

test("all tools together take 6,000 tokens for 25 of them", () => {
  const shown = published(catalogue.toolsets);
  expect(tokensOf(shown)).toBeLessThan(budget(6_000, 25, shown));
});
