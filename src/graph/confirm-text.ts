import { clean, cleanLine } from "../safety/clean.ts";

/** What Exchange takes as a subject or a place, and OneDrive as a name: none of these is cut. */
const MAX_LINE = 255;
const MAX_PREVIEW = 500;

/**
 * A value on one line of a question to a person, at most `max` characters of it.
 *
 * Whatever nobody sees and every line break is taken out, so that the value cannot pose as a line of the question.
 */
export function line(text: string, max = MAX_LINE): string {
  return cut(cleanLine(text), max);
}

/**
 * The start of a text for a question to a person, at most 500 characters, below a line with its length.
 *
 * Each of its lines begins with `> `, so that the text cannot pose as a line of the question.
 */
export function preview(text: string): string {
  const shown = clean(text).trim();
  if (shown === "") return "Text: none";
  const start = cut(shown, MAX_PREVIEW);
  const length = start === shown ? `${shown.length}` : `first ${MAX_PREVIEW} of ${shown.length}`;
  return `Text (${length} characters):\n${start.replace(/^/gm, "> ")}`;
}

/** Cuts, but not inside a character (surrogate pair). */
function cut(text: string, max: number): string {
  return text.length > max ? `${text.slice(0, max).replace(/[\ud800-\udbff]$/, "")}…` : text;
}
