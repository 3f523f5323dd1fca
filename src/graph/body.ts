import type { ItemBody } from "@microsoft/microsoft-graph-types";
import type { FileToRead } from "../mcp/extract-text.ts";

/**
 * The body of a message or an event as a file to extract text from.
 *
 * It is asked for as HTML: where Exchange makes text of it, what its markup hides stands there like everything else.
 * Text too may hold characters that nobody sees.
 */
export function bodyFile(body: ItemBody | null | undefined): FileToRead {
  const { contentType = "text", content } = body ?? {};
  return { name: "", contentType: `text/${contentType}`, bytes: Buffer.from(content ?? "") };
}
