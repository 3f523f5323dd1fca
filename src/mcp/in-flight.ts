/** Counts what is going on under a name. */
export interface InFlight {
  /** Begins one more; what it returns ends it, once. Undefined when as many as allowed are going on. */
  enter(name: string): (() => void) | undefined;
}

/** Allows at most `max` at the same time under each name; a name that nothing goes on under is forgotten. */
export function createInFlight(max: number): InFlight {
  const going = new Map<string, number>();
  return {
    enter(name) {
      const count = going.get(name) ?? 0;
      if (count >= max) return undefined;
      going.set(name, count + 1);
      let ended = false;
      return () => {
        if (ended) return;
        ended = true;
        const left = (going.get(name) ?? 1) - 1;
        if (left > 0) going.set(name, left);
        else going.delete(name);
      };
    },
  };
}
