import { expect, test } from "vitest";
import { publish } from "../src/mcp/definition.ts";
import { catalogue, toolsets } from "../src/tools/index.ts";
import { envExample, graphPermissions, withGeneratedParts } from "./support/generated.ts";

// `npm run lock` writes all of these anew; a difference is for the eyes of a reviewer.

test(".env.example says what src/config.ts reads", async () => {
  await expect(envExample()).toMatchFileSnapshot("../.env.example");
});

test("README's tables say what the code says", async () => {
  await expect(withGeneratedParts("README.md")).toMatchFileSnapshot("../README.md");
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

test("the default catalogue is twelve tools that read, within 3,500 tokens at four bytes each", () => {
  const shown = published(catalogue.defaultToolsets).filter(({ effect }) => effect === "read");
  expect(shown).toHaveLength(12);
  expect(tokensOf(shown)).toBeLessThan(3_500);
});

test("all 25 tools together fit into 6,000 tokens", () => {
  const shown = published(catalogue.toolsets);
  expect(shown).toHaveLength(25);
  expect(tokensOf(shown)).toBeLessThan(6_000);
});
