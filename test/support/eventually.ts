import { setTimeout as sleep } from "node:timers/promises";

const PATIENCE_MS = 12_000;

/** Waits, for a while, until `look` gives something that counts as true, and returns it; `what` says in the error what never came. */
export async function eventually<T>(look: () => T | Promise<T>, what: string): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`It did not happen within ${PATIENCE_MS} ms: ${what}.`);
    await sleep(20);
  }
}
