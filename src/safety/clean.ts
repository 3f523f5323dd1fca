/** Scripts whose words need joiners: Persian and Urdu half-spaces, Indic conjuncts. */
const JOINING = "Arab Syrc Mong Nkoo Deva Beng Guru Gujr Orya Taml Telu Knda Mlym Sinh Khmr Mymr Tibt Laoo"
  .split(" ")
  .map((script) => String.raw`\p{scx=${script}}`);
const LETTER = `[[${JOINING.join("")}]&&[\\p{L}\\p{M}]]`;

const EMOJI = String.raw`(?:\p{RI}\p{RI}|\p{ExtPict}(?:[\uFE0E\uFE0F]|\p{EMod})?)`;
const READABLE = [
  // The flags of England, Scotland and Wales: no other sequence of tag characters is an emoji in use.
  String.raw`\u{1F3F4}\u{E0067}\u{E0062}(?:\u{E0065}\u{E006E}\u{E0067}|\u{E0073}\u{E0063}\u{E0074}|\u{E0077}\u{E006C}\u{E0073})\u{E007F}`,
  `${EMOJI}(?:\\u200D${EMOJI})*`,
  String.raw`[0-9#*]\uFE0F\u20E3`,
  `(?<=${LETTER})[\\u200C\\u200D](?=${LETTER})`,
].join("|");
/** What Unicode says is shown as nothing, control characters, and the marks of interlinear notes. */
const INVISIBLE = String.raw`[\p{DI}[\p{Cc}--[\n\t]]\uFFF9-\uFFFB]`;

const ANY_INVISIBLE = new RegExp(INVISIBLE, "v");
const READABLE_OR_INVISIBLE = new RegExp(`(${READABLE})|${INVISIBLE}+`, "gv");

/**
 * Makes line ends alike and removes what no reader sees, which can carry words for a model: zero-width, bidirectional,
 * tag, variation and control characters. Joiners stay between letters of scripts that need them and inside emoji.
 *
 * In time proportional to the length; cleaning twice changes nothing more.
 */
export function clean(text: string): string {
  const lines = text.toWellFormed().replace(/\r\n?|[\v\f\u0085\u2028\u2029]/g, "\n");
  return ANY_INVISIBLE.test(lines) ? lines.replace(READABLE_OR_INVISIBLE, "$1") : lines;
}

/** Cleans a text that is one line where people see it, such as a name: breaks become blanks, so that it can't begin a new one. */
export function cleanLine(text: string): string {
  return clean(text).replace(/\s+/g, " ").trim();
}
