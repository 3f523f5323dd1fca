import { Worker } from "node:worker_threads";
import type { ExtractText, FileToRead } from "../mcp/extract-text.ts";
import { createKeyedSemaphore } from "../mcp/keyed-semaphore.ts";
import { ToolError } from "../mcp/tool-error.ts";
import { clean } from "../safety/clean.ts";
import { collect } from "./collector.ts";
import { formatOf } from "./format.ts";
import { decodeText, tidy } from "./plain-text.ts";
import type { Outcome, Task } from "./task.ts";
import { type Reason, Unreadable } from "./unreadable.ts";

/** How to run extraction. */
export interface ExtractorOptions {
  /** The compiled `worker.ts`. */
  readonly worker: URL;
  /** Longest time for one file, waiting for its turn not counted. */
  readonly timeoutMs: number;
  /** Most memory for one file. */
  readonly maxMemoryMb?: number;
}

const WATCH_MS = 50;
/** A mail with half a megabyte of markup is read in some 20 ms. */
const MAX_HERE_BYTES = 512 * 1024;
const MAX_HERE_DEPTH = 300;

const SENTENCES: Readonly<Record<Reason, string>> = {
  damaged: "The file is damaged, or is not what its name says: no text could be read.",
  protected: "The file is protected by a password or a sensitivity label: its text cannot be read here.",
  excessive: "The file unpacks to far more than a document of its kind should: it was not read.",
  slow: "Reading the text of this file took too long or too much memory: it was given up.",
  large: "The file is too large to read its text here.",
  binary: "The file is not text, whatever its name says.",
  unsupported: "Text can be read of Word, Excel, PowerPoint, PDF, HTML and plain text files, and this is another kind.",
};

/**
 * Builds the reader of files. What has a structure is taken apart in a worker thread of its own, one per file, so that
 * a hostile file costs neither the server nor the next file anything; nothing is started before the first file. Small
 * HTML pages, the bodies of mails, are read at once.
 */
export function createExtractor(options: ExtractorOptions): ExtractText {
  // One worker at a time: each may take half a gigabyte. With one file of each user in line, who reads many waits longest.
  const line = createKeyedSemaphore(1);
  const ofUser = createKeyedSemaphore(1);
  return async (file, { signal, user }) => {
    try {
      return await read(file, (task) =>
        ofUser.run(user, { signal }, () => line.run("all", { signal }, () => runWorker(task, signal, options))),
      );
    } catch (error) {
      throw error instanceof Unreadable ? toToolError(error, file.webUrl) : error;
    }
  };
}

async function read(file: FileToRead, run: (task: Omit<Task, "partialAfterMs">) => Promise<Outcome>): Promise<string> {
  const { bytes, truncated = false } = file;
  const format = formatOf(file);
  if (format === undefined) throw new Unreadable("unsupported");
  if (format === "text") return withNote(clean(decodeText(bytes, { truncated })), truncated);
  if (format !== "html" && truncated) throw new Unreadable("large");
  const outcome = (await readHere(format, bytes, truncated)) ?? (await run({ format, bytes, truncated }));
  if ("reason" in outcome) throw new Unreadable(outcome.reason);
  return withNote(outcome.text, truncated);
}

/**
 * Reads a page of the size of a mail at once: a worker takes longer to start than that. Undefined for everything else,
 * and for a page whose structure makes it a risk.
 */
async function readHere(format: Task["format"], bytes: Uint8Array, truncated: boolean): Promise<Outcome | undefined> {
  if (format !== "html" || bytes.length > MAX_HERE_BYTES) return undefined;
  const { readHtml } = await import("./html.ts");
  try {
    const { text } = await collect((collector) => readHtml(bytes, { truncated, maxDepth: MAX_HERE_DEPTH }, collector));
    return { text: tidy(clean(text)) };
  } catch (error) {
    if (error instanceof Unreadable && error.reason !== "excessive") throw error;
    return undefined;
  }
}

function withNote(text: string, truncated: boolean): string {
  return truncated ? `${text}\n\n[The file is larger: this is its beginning.]` : text;
}

function toToolError({ reason, cause }: Unreadable, webUrl: string | undefined): ToolError {
  return new ToolError("unreadable", `${SENTENCES[reason]}${webUrl ? ` It can be opened at ${webUrl}` : ""}`, {
    cause,
  });
}

/** Runs one task in a new worker and ends it, whatever happens. Rejects with the reason of `signal`, or when no worker can be had. */
async function runWorker(
  task: Omit<Task, "partialAfterMs">,
  signal: AbortSignal,
  { worker: file, timeoutMs, maxMemoryMb = 512 }: ExtractorOptions,
): Promise<Outcome> {
  // Cancelled while it got its turn.
  signal.throwIfAborted();
  // A copy of its own, because a buffer may share its memory with others that the worker must not get.
  const bytes = new Uint8Array(task.bytes);
  const worker = new Worker(file, {
    workerData: { ...task, bytes, partialAfterMs: timeoutMs / 2 } satisfies Task,
    transferList: [bytes.buffer],
    resourceLimits: { maxOldGenerationSizeMb: maxMemoryMb / 2, maxYoungGenerationSizeMb: 32 },
    env: {},
    execArgv: [],
    // What a library prints is neither ours nor for the log.
    stdout: true,
    stderr: true,
  });
  const memoryBefore = process.memoryUsage.rss();
  let timeout: NodeJS.Timeout | undefined;
  let watch: NodeJS.Timeout | undefined;
  let cancel = (): void => undefined;
  try {
    return await new Promise<Outcome>((resolve, reject) => {
      const giveUp = (): void => resolve({ reason: "slow" });
      cancel = () => reject(signal.reason as Error);
      signal.addEventListener("abort", cancel, { once: true });
      timeout = setTimeout(giveUp, timeoutMs);
      // The worker's own limit does not count buffers, into which a stream in a PDF can unpack without end.
      watch = setInterval(() => {
        if (process.memoryUsage.rss() - memoryBefore > maxMemoryMb * 1024 * 1024) giveUp();
      }, WATCH_MS);
      worker.once("message", resolve).once("exit", giveUp);
      worker.once("error", (error: NodeJS.ErrnoException) => {
        if (error.code === "ERR_WORKER_OUT_OF_MEMORY") giveUp();
        else reject(error);
      });
    });
  } finally {
    clearTimeout(timeout);
    clearInterval(watch);
    signal.removeEventListener("abort", cancel);
    await worker.terminate();
  }
}
