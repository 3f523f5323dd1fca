import { expect, test } from "vitest";
import * as z from "zod";
import { createProtect } from "../../src/safety/protect.ts";
import { untrustedText } from "../../src/safety/untrusted.ts";
import { extractText } from "../support/extractor.ts";
import { honest } from "./honest.ts";

const { signal } = new AbortController();
const schema = z.object({ text: untrustedText() });

/** What a model gets of a text, without the delimiters around it. */
async function shownOf(name: string, content: string): Promise<string> {
  const text = await extractText({ name, contentType: "", bytes: Buffer.from(content) }, { signal, user: "adele" });
  const shown = await createProtect({ datamark: false })({
    tool: "get_message",
    effect: "read",
    schema,
    output: { text },
    signal,
    report: () => undefined,
  });
  return String(shown["text"]).replace(/^<[^\n]*>\n|\n<[^\n]*>$/g, "");
}

test("there are twenty honest texts", () => {
  expect(honest).toHaveLength(20);
});

// The files are for the eyes of a reviewer: everything that its reader would see, and nothing else.
test.each(honest.map(({ name, content }) => [name, content] as const))("%s stays readable", async (name, content) => {
  await expect(await shownOf(name, content)).toMatchFileSnapshot(`honest/${name}.golden`);
});
