import * as z from "zod";
import { untrustedText } from "../safety/untrusted.ts";

/** Arguments of a tool that returns a long text in parts; spread them into its input. */
export const excerptRange = {
  offset: z.int().min(0).default(0).describe("next_offset of the part before"),
  max_chars: z.int().min(100).max(20_000).default(4_000),
};

/** Result fields of such a tool; `next_offset` is the offset of the next part, absent with the last. */
export const excerptResult = {
  text: untrustedText(),
  truncated: z.boolean(),
  next_offset: z.int().optional(),
};

/** Cuts a part out of a text, never inside a character (surrogate pair). */
export function excerpt(text: string, { offset, max_chars }: { readonly offset: number; readonly max_chars: number }) {
  const start = isInsideCharacter(text, offset) ? offset + 1 : offset;
  const limit = start + max_chars;
  const end = isInsideCharacter(text, limit) ? limit - 1 : limit;
  const truncated = end < text.length;
  return { text: text.slice(start, end), truncated, ...(truncated && { next_offset: end }) };
}

function isInsideCharacter(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return index > 0 && code >= 0xdc00 && code <= 0xdfff;
}
