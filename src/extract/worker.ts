import { parentPort, workerData } from "node:worker_threads";
import { clean } from "../safety/clean.ts";
import { type Collector, collect } from "./collector.ts";
import { tidy } from "./plain-text.ts";
import type { Outcome, Task } from "./task.ts";
import { Unreadable } from "./unreadable.ts";

/** Formats are loaded on their own: PDF costs a tenth of a second, and a worker reads one file. */
async function read({ format, bytes, truncated, partialAfterMs }: Task, collector: Collector): Promise<void> {
  switch (format) {
    case "html":
      return (await import("./html.ts")).readHtml(bytes, { truncated }, collector);
    case "docx":
      return (await import("./docx.ts")).readDocx(bytes, collector);
    case "xlsx":
      return (await import("./xlsx.ts")).readXlsx(bytes, collector);
    case "pptx":
      return (await import("./pptx.ts")).readPptx(bytes, collector);
    case "pdf":
      return (await import("./pdf.ts")).readPdf(bytes, partialAfterMs, collector);
  }
}

function answer(outcome: Outcome): void {
  parentPort?.postMessage(outcome, []);
}

/** Whatever a parser throws, the file is to blame: its content is all that differs from call to call. */
function refuse(error: unknown): void {
  answer({ reason: error instanceof Unreadable ? error.reason : "damaged" });
}

process.once("uncaughtException", refuse);
try {
  const { text, notes } = await collect((collector) => read(workerData as Task, collector));
  answer({ text: [tidy(clean(text)), ...notes.map((note) => `[${note}]`)].filter(Boolean).join("\n\n") });
} catch (error) {
  refuse(error);
}
