/** A call that did not answer in time. */
export class TimeoutError extends Error {
  override readonly name = "TimeoutError";
}

/**
 * Waits for `work` at most `ms` milliseconds. The work itself goes on: several Azure SDK calls ignore their abort
 * signal, so giving up on them is all that a caller can do.
 */
export async function withTimeout<T>(work: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new TimeoutError(`${what} did not answer within ${ms} ms.`)), ms);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits for `work` until `signal` aborts, then throws the signal's reason; the work goes on for whoever shares it. */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    // Both are raced even after an abort, so that a failure of the work is never an unhandled rejection.
    return await Promise.race([aborted, work]);
  } finally {
    if (onAbort) signal.removeEventListener("abort", onAbort);
  }
}
