import { Agent, request } from "undici";

/** One request to the deployment. */
export interface Probe {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** What came back; header names in lower case, several of one name joined with ", ". */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** At most 256 KiB; what had come when time ran out, for a stream that does not end. */
  readonly body: string;
}

/** Sends one request, relative to the deployment or absolute. Follows no redirect. Throws {@link NoAnswerError}. */
export type Send = (target: string | URL, probe?: Probe) => Promise<Answer>;

/** There was no answer, or none that can be judged; `code` is that of the socket or of TLS. */
export class NoAnswerError extends Error {
  override readonly name = "NoAnswerError";
  readonly code: string;

  constructor(target: URL, code: string) {
    super(`${target.origin}${target.pathname} did not answer (${code}).`);
    this.code = code;
  }
}

/** What requests are sent with. */
export interface Prober {
  readonly send: Send;
  close(): Promise<void>;
}

const MAX_BODY_BYTES = 256 * 1024;
const MAX_PAUSE_MS = 5_000;

/**
 * Opens a prober for an origin. Each request ends after `timeoutMs`, all of them when `deadline` aborts; one that is
 * answered with 429 is sent once more after the pause that the server asks for.
 */
export function openProber(
  origin: string,
  { timeoutMs, deadline }: { readonly timeoutMs: number; readonly deadline: AbortSignal },
): Prober {
  const dispatcher = new Agent({ connect: { timeout: timeoutMs } });

  async function sendOnce(url: URL, { method = "GET", headers = {}, body }: Probe): Promise<Answer> {
    const signal = AbortSignal.any([deadline, AbortSignal.timeout(timeoutMs)]);
    try {
      const response = await request(url, {
        dispatcher,
        method,
        headers,
        signal,
        ...(body === undefined ? {} : { body }),
      });
      return {
        status: response.statusCode,
        headers: Object.fromEntries(
          Object.entries(response.headers).map(([name, value]) => [name, [value ?? ""].flat().join(", ")]),
        ),
        body: await readSome(response.body),
      };
    } catch (error) {
      throw new NoAnswerError(url, codeOf(error));
    }
  }

  return {
    async send(target, probe = {}) {
      const url = new URL(target, origin);
      const answer = await sendOnce(url, probe);
      if (answer.status !== 429) return answer;
      await pause(Math.min(Number(answer.headers["retry-after"] ?? 1) * 1000 || 1000, MAX_PAUSE_MS));
      const second = await sendOnce(url, probe);
      if (second.status === 429) throw new NoAnswerError(url, "429: it limits requests; try again later");
      return second;
    },
    close: () => dispatcher.destroy(),
  };
}

async function readSome(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > MAX_BODY_BYTES) break;
    }
  } catch {
    // A stream that was still open: what it has said is enough.
  }
  return Buffer.concat(chunks).subarray(0, MAX_BODY_BYTES).toString("utf8");
}

function codeOf(error: unknown): string {
  const { code, name, cause } = error as { code?: string; name?: string; cause?: { code?: string } };
  if (name === "TimeoutError" || name === "AbortError") return "time ran out";
  return code ?? cause?.code ?? name ?? "unknown";
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
