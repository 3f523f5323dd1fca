import * as z from "zod";

/** Where a string of a result came from, and so what the gate does with it. */
export type Origin =
  /** From outside and short: cleaned, made one line, named in the notice. */
  | "line"
  /** From outside and long: cleaned, put between delimiters, named in the notice. */
  | "text"
  /** Made by this server or by Graph: an id, a time, a word out of a list, an address of Graph's. */
  | "trusted";

/** Kept beside the schemas and not in them, so that what is published does not grow. */
const origins = z.registry<{ readonly origin: Origin }>();

/** A short text from outside in a tool's output: a name, a title, an address. */
export function untrusted(): z.ZodString {
  return z.string().register(origins, { origin: "line" });
}

/** A long text from outside in a tool's output: a body, the text of a file. */
export function untrustedText(): z.ZodString {
  return z.string().register(origins, { origin: "text" });
}

/** A string that nobody outside can choose: an id, a time, a word out of a list. */
export function trusted(): z.ZodString {
  return z.string().register(origins, { origin: "trusted" });
}

/** The declared origin of a string; undefined where its author forgot to say. */
export function originOf(schema: z.ZodType): Origin | undefined {
  return origins.get(schema)?.origin;
}
