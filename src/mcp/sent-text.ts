import * as z from "zod";
import { clean, cleanLine } from "../safety/clean.ts";

/** An argument that goes out as text, without what nobody sees: sent is what the person was shown. */
export function sentText(max: number): z.ZodString {
  return z.string().overwrite(clean).trim().max(max);
}

/** As {@link sentText}, of what may begin or end with blanks, such as a file. */
export function sentContent(max: number): z.ZodString {
  return z.string().overwrite(clean).max(max);
}

/** As {@link sentText}, of what is one line where people see it, such as a subject. */
export function sentLine(max: number): z.ZodString {
  return z.string().overwrite(cleanLine).max(max);
}
