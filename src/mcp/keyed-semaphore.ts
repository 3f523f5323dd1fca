import { Semaphore } from "async-mutex";
import { untilAborted } from "./abort.ts";

/** How long to wait for room, and how much. */
export interface Turn {
  /** Ends waiting. */
  readonly signal: AbortSignal;
  /** Room that is needed; 0 waits for nobody. One by default. */
  readonly weight?: number;
}

/** Takes turns under each name. */
export interface KeyedSemaphore {
  /** Runs `work` when there is room for it under `name`, in order of arrival. */
  run<T>(name: string, turn: Turn, work: () => Promise<T>): Promise<T>;
}

/** Gives each name room for `max` at once; a name that nothing goes on under is forgotten. */
export function createKeyedSemaphore(max: number): KeyedSemaphore {
  const busy = new Map<string, { readonly room: Semaphore; users: number }>();
  return {
    async run(name, { signal, weight = 1 }, work) {
      if (weight === 0) return work();
      const entry = busy.get(name) ?? { room: new Semaphore(max), users: 0 };
      busy.set(name, entry);
      entry.users++;
      const entered = entry.room.runExclusive(
        async () => {
          signal.throwIfAborted();
          return work();
        },
        Math.min(weight, max),
      );
      const left = entered.finally(() => {
        if (--entry.users === 0) busy.delete(name);
      });
      return untilAborted(left, signal);
    },
  };
}
