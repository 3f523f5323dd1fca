import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import express, { type Express, type Request, type Response } from "express";
import { LRUCache } from "lru-cache";
import type { FileContent } from "../drive.ts";
import type { Traffic } from "../kernel/traffic.ts";

const CHUNK_BYTES = 64 * 1024;

/** A file as the store behind Graph hands it out. */
export interface Download {
  readonly content: FileContent;
  readonly entityTag: string;
}

/** The store that Graph redirects to: whoever has an address may read the file, for a while, and needs no token. */
export interface Downloads {
  readonly app: Express;
  /** Makes an address, relative to the store's origin, that is good for `seconds`. */
  issue(download: Download, seconds: number): string;
}

/** Builds the store. */
export function createDownloads(traffic: Traffic): Downloads {
  const issued = new LRUCache<string, Download & { readonly expires: number }>({ max: 10_000 });

  async function serve(req: Request, res: Response): Promise<void> {
    // SharePoint takes the header for another way to sign in, and refuses a token that is not its own.
    if (req.get("authorization") !== undefined) return void res.status(401).end();
    const { tempauth } = req.query;
    const download = typeof tempauth === "string" ? issued.get(tempauth) : undefined;
    if (!download || download.expires <= Date.now()) return void res.status(401).end();
    const { content, entityTag } = download;
    res.set({ ETag: entityTag, "Accept-Ranges": "bytes" });
    // Not through Express, which would add a charset.
    res.setHeader("Content-Type", content.mimeType);
    if (req.get("if-none-match") === entityTag) return void res.status(304).end();
    const range = rangeOf(req.get("range"), content.size);
    if (range === "unsatisfiable") {
      return void res.status(416).set("Content-Range", `bytes */${content.size}`).end();
    }
    const { start, end } = range ?? { start: 0, end: content.size };
    if (range) res.status(206).set("Content-Range", `bytes ${start}-${end - 1}/${content.size}`);
    res.set("Content-Length", String(end - start));
    await pipeline(Readable.from(chunks(content, start, end)), res).catch(() => undefined);
  }

  return {
    app: express()
      .disable("x-powered-by")
      .use(traffic.middleware)
      .get("/download", (req, res) => void serve(req, res)),
    issue(download, seconds) {
      const key = randomBytes(24).toString("base64url");
      issued.set(key, { ...download, expires: Date.now() + seconds * 1000 });
      return `/download?tempauth=${key}`;
    },
  };
}

function* chunks({ read }: FileContent, start: number, end: number) {
  for (let at = start; at < end; at += CHUNK_BYTES) yield read(at, Math.min(at + CHUNK_BYTES, end));
}

/** One range of bytes, with its end excluded; what is no such range is ignored (RFC 9110, section 14.2). */
function rangeOf(header: string | undefined, size: number) {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(header ?? "") ?? [];
  if (first === undefined) return undefined;
  const start = Number(first);
  const end = last ? Math.min(Number(last) + 1, size) : size;
  return start < end ? { start, end } : ("unsatisfiable" as const);
}
