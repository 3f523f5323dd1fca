import { Parser } from "htmlparser2";
import { markedEncoding } from "./plain-text.ts";
import { Unreadable } from "./unreadable.ts";

/** What is done with the parts of a document; names are without prefix, those of attributes with it. */
export interface XmlHandler {
  readonly open?: (name: string, attributes: Readonly<Record<string, string>>) => void;
  readonly text?: (text: string) => void;
  readonly close?: (name: string) => void;
}

const MAX_DEPTH = 500;
const CHUNK_BYTES = 64 * 1024;

/**
 * Reads an XML document from beginning to end, as it comes: no tree is built, and neither the entities of a document
 * type nor anything outside the document is ever resolved.
 *
 * Throws {@link Unreadable} `damaged` when its root is not `root`, or `excessive` when it is too deep.
 */
export function readXml(bytes: Uint8Array, root: string, { open, text, close }: XmlHandler): void {
  let depth = 0;
  let empty = true;
  const local = (name: string): string => name.slice(name.indexOf(":") + 1);
  const parser = new Parser(
    {
      onopentag(name, attributes) {
        if (empty && local(name) !== root) throw new Unreadable("damaged");
        empty = false;
        depth += 1;
        if (depth > MAX_DEPTH) throw new Unreadable("excessive");
        open?.(local(name), attributes);
      },
      ontext: (part) => text?.(part),
      onclosetag(name) {
        depth -= 1;
        close?.(local(name));
      },
    },
    { xmlMode: true },
  );
  const decoder = new TextDecoder(markedEncoding(bytes) ?? "utf-8");
  for (let start = 0; start < bytes.length; start += CHUNK_BYTES) {
    parser.write(decoder.decode(bytes.subarray(start, start + CHUNK_BYTES), { stream: true }));
  }
  parser.end();
  if (empty) throw new Unreadable("damaged");
}
