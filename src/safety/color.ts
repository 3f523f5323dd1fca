/** A colour as its red, green and blue parts, or by its name where that is all that is known of it. */
export type Color = readonly [red: number, green: number, blue: number] | string;

const NAMES: Readonly<Record<string, Color>> = {
  black: [0, 0, 0],
  white: [255, 255, 255],
  snow: [255, 250, 250],
  ivory: [255, 255, 240],
  ghostwhite: [248, 248, 255],
  floralwhite: [255, 250, 240],
  whitesmoke: [245, 245, 245],
  azure: [240, 255, 255],
  mintcream: [245, 255, 250],
  red: [255, 0, 0],
  blue: [0, 0, 255],
  yellow: [255, 255, 0],
  gray: [128, 128, 128],
  grey: [128, 128, 128],
  silver: [192, 192, 192],
  navy: [0, 0, 128],
};
/** Sum of the differences below which nobody reads one colour on the other. */
const ALIKE = 48;
const SEEN_THROUGH = 0.1;

/** Reads a CSS colour; `transparent` for one that is hardly there, undefined for what is no colour. */
export function parseColor(value: string): Color | undefined {
  const text = value.trim();
  if (text.startsWith("#")) return parseHex(text.slice(1));
  const named = Object.hasOwn(NAMES, text) ? NAMES[text] : undefined;
  if (named) return named;
  const [, kind, inner = ""] = /^(rgb|hsl)a?\(([^)]*)\)$/.exec(text) ?? [];
  if (kind === undefined) return /^[a-z]+$/.test(text) ? text : undefined;
  const parts = inner.split(/[\s,/]+/).filter(Boolean);
  const [first = 0, second = 0, third = 0, alpha = 1] = parts.map((part) => amountOf(part, kind === "rgb" ? 255 : 1));
  if (parts[3] !== undefined && (parts[3].endsWith("%") ? Number.parseFloat(parts[3]) / 100 : alpha) < SEEN_THROUGH) {
    return "transparent";
  }
  if (kind === "rgb") return [first, second, third];
  // Of the others only those that are as good as white or black matter.
  if (third >= 0.97) return [255, 255, 255];
  return third <= 0.03 ? [0, 0, 0] : text;
}

/** Whether text of the one colour on the other cannot be read. */
export function areAlike(color: Color, background: Color): boolean {
  if (typeof color === "string" || typeof background === "string") return color === background;
  return color.reduce((sum, part, index) => sum + Math.abs(part - (background[index] ?? 0)), 0) <= ALIKE;
}

function parseHex(digits: string): Color | undefined {
  if (!/^(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})$/.test(digits)) return undefined;
  const long = digits.length < 6 ? digits.replaceAll(/./g, "$&$&") : digits;
  const [red = 0, green = 0, blue = 0, alpha = 255] = (long.match(/../g) ?? []).map((part) =>
    Number.parseInt(part, 16),
  );
  return alpha < 255 * SEEN_THROUGH ? "transparent" : [red, green, blue];
}

function amountOf(part: string, whole: number): number {
  const number = Number.parseFloat(part);
  if (!Number.isFinite(number)) return 0;
  return part.endsWith("%") ? (number / 100) * whole : number;
}
