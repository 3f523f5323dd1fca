import { expect, test } from "vitest";
import { excerpt } from "../../src/mcp/excerpt.ts";

test("a text that fits is whole, and has no next offset", () => {
  expect(excerpt("hello", { offset: 0, max_chars: 5 })).toEqual({ text: "hello", truncated: false });
});

test("the parts of a text make up the text, with no character cut in two", () => {
  const text = `${"a".repeat(99)}😀${"b".repeat(150)}`;
  const first = excerpt(text, { offset: 0, max_chars: 100 });
  const second = excerpt(text, { offset: first.next_offset ?? 0, max_chars: 1000 });
  expect(first).toEqual({ text: "a".repeat(99), truncated: true, next_offset: 99 });
  expect(first.text + second.text).toBe(text);
});

test("an offset beyond the end is an empty part", () => {
  expect(excerpt("hello", { offset: 50, max_chars: 100 })).toEqual({ text: "", truncated: false });
});
