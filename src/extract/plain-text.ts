import { Unreadable } from "./unreadable.ts";

/** Tells the encoding of text by its byte order mark; undefined without one. */
export function markedEncoding(bytes: Uint8Array): string | undefined {
  const [first, second, third] = bytes;
  if (first === 0xff && second === 0xfe) return "utf-16le";
  if (first === 0xfe && second === 0xff) return "utf-16be";
  return first === 0xef && second === 0xbb && third === 0xbf ? "utf-8" : undefined;
}

/**
 * Decodes text by its byte order mark, as UTF-8 where it is valid, or else as windows-1252, which fits any bytes.
 *
 * Throws {@link Unreadable} `binary` where there are null characters: no text has them.
 */
export function decodeText(bytes: Uint8Array, { truncated = false }: { readonly truncated?: boolean } = {}): string {
  const text = decode(bytes, truncated);
  if (text.includes("\0")) throw new Unreadable("binary");
  return text;
}

function decode(bytes: Uint8Array, truncated: boolean): string {
  const encoding = markedEncoding(bytes);
  // With `stream` the half of a character at the cut is left out.
  if (encoding) return new TextDecoder(encoding).decode(bytes, { stream: truncated });
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: truncated });
  } catch {
    return decodeWindows1252(bytes);
  }
}

/** What windows-1252 has in place of the control characters 80 to 9F of Latin-1. */
const WINDOWS_1252 = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ";

/** By hand, because `TextDecoder` took it for Latin-1 in some versions of Node. */
function decodeWindows1252(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString("latin1")
    .replace(/[\u0080-\u009f]/g, (character) => WINDOWS_1252.charAt(character.charCodeAt(0) - 0x80));
}

/** Removes the blanks that taking a layout apart leaves behind. */
export function tidy(text: string): string {
  return text
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}
