/** The end of a call: when its client cancels it, or when its time is up. */
export interface Deadline {
  readonly signal: AbortSignal;
  readonly cancelled: () => boolean;
  readonly timedOut: () => boolean;
  /** To be called when the call is over; lets go of timer and listener. */
  readonly end: () => void;
}

/**
 * Starts a deadline of `ms`. One controller and one timer for the whole call: `AbortSignal.any` and
 * `AbortSignal.timeout` cost several times as much, mostly in garbage collection.
 */
export function startDeadline(cancelled: AbortSignal, ms: number): Deadline {
  const controller = new AbortController();
  const onCancel = (): void => controller.abort(cancelled.reason);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    controller.abort(new DOMException("The call took too long.", "TimeoutError"));
  }, ms);
  if (cancelled.aborted) onCancel();
  else cancelled.addEventListener("abort", onCancel, { once: true });
  return {
    signal: controller.signal,
    cancelled: () => cancelled.aborted,
    timedOut: () => late,
    end: () => {
      clearTimeout(timer);
      cancelled.removeEventListener("abort", onCancel);
    },
  };
}
