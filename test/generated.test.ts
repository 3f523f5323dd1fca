import { expect, test } from "vitest";
import { publish } from "../src/mcp/definition.ts";
import { toolsets } from "../src/tools/index.ts";
import { envExample, withGeneratedParts } from "./support/generated.ts";

// `npm run lock` writes all of these anew; a difference is for the eyes of a reviewer.

test(".env.example says what src/config.ts reads", async () => {
  await expect(envExample()).toMatchFileSnapshot("../.env.example");
});

test("README's tables say what the code says", async () => {
  await expect(withGeneratedParts("README.md")).toMatchFileSnapshot("../README.md");
});

test("the published catalogue of tools is the reviewed one", async () => {
  const published = Object.values(toolsets).flatMap((tools) => tools.map(publish));
  await expect(`${JSON.stringify(published, undefined, 2)}\n`).toMatchFileSnapshot("__snapshots__/tools.json");
});

test("the default catalogue fits into 3,500 tokens, at four bytes each", () => {
  const published = Object.values(toolsets).flatMap((tools) => tools.map(publish));
  expect(Buffer.byteLength(JSON.stringify({ tools: published })) / 4).toBeLessThan(3_500);
});
