import { areAlike, type Color, parseColor } from "./color.ts";
import { type Declarations, readDeclarations, type StyleSheet } from "./style-sheet.ts";

/** How the text directly inside an element looks. */
export interface Look {
  /** Nothing inside can be seen, whatever it says of itself. */
  readonly gone: boolean;
  /** `visibility` and size: something inside can be seen again. */
  readonly hidden: boolean;
  readonly tiny: boolean;
  readonly color: Color | undefined;
  /** Undefined where it is not known: a picture, for example. */
  readonly background: Color | undefined;
}

/** How text looks on an empty page. */
export const PAGE: Look = { gone: false, hidden: false, tiny: false, color: [0, 0, 0], background: [255, 255, 255] };
const LINK_COLOR: Color = [0, 0, 238];
const MIN_OPACITY = 0.1;
const MIN_FONT_PX = 2;
const MIN_FONT_EM = 0.15;
const EM_PX = 16;
const FAR_OFF_PX = 500;
const FAR_AWAY_PX = 3_000;
const COLLAPSING = ["height", "max-height", "width", "max-width"];
const MOVING = ["left", "top", "right", "bottom", "margin-left", "margin-top", "text-indent"];

/** Whether a reader sees text of this look. */
export function isSeen({ gone, hidden, tiny, color, background }: Look): boolean {
  if (gone || hidden || tiny || color === "transparent") return false;
  return color === undefined || background === undefined || !areAlike(color, background);
}

/** How text looks inside an element, as far as inline styles, old attributes and simple rules of the sheet tell. */
export function lookInside(
  parent: Look,
  element: { readonly name: string; readonly attributes: Readonly<Record<string, string>> },
  sheet: StyleSheet,
): Look {
  const { name, attributes } = element;
  if (parent.gone || "hidden" in attributes || attributes["aria-hidden"] === "true") return { ...parent, gone: true };
  const style = styleOf(name, attributes, sheet);
  const get = (property: string) => style.get(property);
  if (isGone(get)) return { ...parent, gone: true };
  return {
    gone: false,
    hidden: hides(get("visibility")) ?? parent.hidden,
    tiny: isTiny(get("font-size") ?? get("font")) ?? parent.tiny,
    color: colorOf(element, get("color"), parent.color),
    background: backgroundOf(attributes, get, parent.background),
  };
}

function styleOf(name: string, attributes: Readonly<Record<string, string>>, sheet: StyleSheet): Declarations {
  const inline = attributes["style"] === undefined ? undefined : readDeclarations(attributes["style"]);
  if (sheet.size === 0) return inline ?? new Map<string, string>();
  const classes = (attributes["class"] ?? "").split(/\s+/).filter(Boolean);
  const id = attributes["id"];
  const keys = [
    name,
    ...classes.flatMap((word) => [`.${word}`, `${name}.${word}`]),
    ...(id === undefined ? [] : [`#${id}`, `${name}#${id}`]),
  ];
  const style = new Map<string, string>();
  for (const declarations of [...keys.map((key) => sheet.get(key)), inline]) {
    for (const [property, value] of declarations ?? []) style.set(property, value);
  }
  return style;
}

type Get = (property: string) => string | undefined;

function isGone(get: Get): boolean {
  if (get("display") === "none" || get("content-visibility") === "hidden") return true;
  if (Number.parseFloat(get("opacity") ?? "1") < MIN_OPACITY) return true;
  if (/opacity\(\s*0(?:[.%)]|\.0)/.test(get("filter") ?? "")) return true;
  const clipped = get("overflow") === "hidden" && COLLAPSING.some((property) => isAtMost(get(property), 1));
  if (clipped || /rect\((?:\s*[01](?:px)?[\s,]*){4}\)/.test(get("clip") ?? "")) return true;
  if (/inset\(\s*(?:50|100)%/.test(get("clip-path") ?? "")) return true;
  if (/translate[xy3d]*\([^)]*-\d{4}|scale[xy]?\(\s*0?\.?0*\s*[,)]/.test(get("transform") ?? "")) return true;
  return MOVING.some((property) => isFarOff(get(property)));
}

function isFarOff(value: string | undefined): boolean {
  const pixels = value === undefined ? undefined : pixelsOf(value);
  return pixels !== undefined && (pixels <= -FAR_OFF_PX || pixels >= FAR_AWAY_PX);
}

function isAtMost(value: string | undefined, limit: number): boolean {
  const pixels = value === undefined ? undefined : pixelsOf(value);
  return pixels !== undefined && pixels <= limit;
}

function hides(visibility: string | undefined): boolean | undefined {
  if (visibility === "visible") return false;
  return visibility === "hidden" || visibility === "collapse" ? true : undefined;
}

function isTiny(size: string | undefined): boolean | undefined {
  const [, number, unit] = /(?:^|\s)(\d*\.?\d+)(px|pt|em|rem|%)?(?:$|[\s/])/.exec(size ?? "") ?? [];
  if (number === undefined) return size === undefined || size === "inherit" ? undefined : false;
  const amount = Number(number);
  if (unit === "em" || unit === "rem") return amount < MIN_FONT_EM;
  return unit === "%" ? amount < MIN_FONT_EM * 100 : amount < MIN_FONT_PX;
}

function pixelsOf(value: string): number | undefined {
  const [, number, unit] = /^(-?\d*\.?\d+)(px|pt|em|rem|%|vw|vh)?$/.exec(value) ?? [];
  if (number === undefined) return undefined;
  return Number(number) * (unit === undefined || unit === "px" || unit === "pt" ? 1 : EM_PX);
}

function colorOf(
  { name, attributes }: { readonly name: string; readonly attributes: Readonly<Record<string, string>> },
  declared: string | undefined,
  inherited: Color | undefined,
): Color | undefined {
  if (declared !== undefined && declared !== "inherit") return parseColor(declared);
  const attribute = name === "font" ? attributes["color"] : name === "body" ? attributes["text"] : undefined;
  if (declared === undefined && attribute !== undefined) return parseColor(attribute.toLowerCase());
  return declared === undefined && name === "a" && "href" in attributes ? LINK_COLOR : inherited;
}

function backgroundOf(
  attributes: Readonly<Record<string, string>>,
  get: Get,
  behind: Color | undefined,
): Color | undefined {
  const picture = `${get("background-image") ?? ""} ${get("background") ?? ""}`;
  if (/url\(|gradient\(/.test(picture) || "background" in attributes) return undefined;
  const declared = get("background-color") ?? get("background") ?? attributes["bgcolor"]?.toLowerCase();
  if (declared === undefined || ["none", "inherit", "transparent", "initial", ""].includes(declared)) return behind;
  const color = parseColor(declared) ?? /#[0-9a-f]+|rgba?\([^)]*\)|\b(?:white|black)\b/.exec(declared)?.[0];
  const parsed = typeof color === "string" ? parseColor(color) : color;
  return parsed === "transparent" ? behind : parsed;
}
