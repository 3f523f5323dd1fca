import * as z from "zod";
import type { ExtractText } from "../../src/mcp/extract-text.ts";
import { createProtect } from "../../src/safety/protect.ts";
import { untrustedText } from "../../src/safety/untrusted.ts";

const ROW = `<tr><td style="padding:4px;color:#333333"><p class="MsoNormal">Dear team, the <b>figures</b> for store 12 are <a href="https://contoso.com/a">here</a>. \u200bThanks, Zoë 👩\u200d🚀</p></td></tr>`;
const SCHEMA = z.object({ text: untrustedText() });

/** A mail of a bit more than 200 KB, as Outlook writes them. */
export const LONG_MAIL = `<html><head><style>.MsoNormal{margin:0}</style></head><body><table>${ROW.repeat(1_100)}</table></body></html>`;

/** Milliseconds that reading, cleaning and marking that mail takes: the best of several, as a machine does other things too. */
export async function readLongMail(extractText: ExtractText): Promise<number> {
  const { signal } = new AbortController();
  const protect = createProtect({ datamark: false });
  const bytes = Buffer.from(LONG_MAIL);
  const times: number[] = [];
  for (let run = 0; run < 12; run += 1) {
    const started = performance.now();
    const text = await extractText({ name: "", contentType: "text/html", bytes }, { signal, user: "adele" });
    const call = { tool: "get_message", effect: "read", schema: SCHEMA, output: { text }, signal } as const;
    await protect({ ...call, report: () => undefined });
    times.push(performance.now() - started);
  }
  return Math.min(...times);
}
