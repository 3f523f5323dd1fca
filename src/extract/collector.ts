const MAX_CHARS = 2_000_000;

/** Thrown to leave a parser in whose document there is nothing more to read. */
class Full extends Error {}

/** Collects the text of one file, up to two million characters. */
export interface Collector {
  /** Adds text; once there is too much it ends the {@link collect} that it belongs to. */
  readonly add: (text: string) => void;
  /** Says at the end what was left out. */
  readonly note: (note: string) => void;
}

/** Runs `work` with a collector and returns what it collected, whole or up to the limit, with its notes. */
export async function collect(
  work: (collector: Collector) => void | Promise<void>,
): Promise<{ text: string; notes: string[] }> {
  const parts: string[] = [];
  const notes: string[] = [];
  let length = 0;
  try {
    await work({
      add(text) {
        parts.push(text);
        length += text.length;
        if (length > MAX_CHARS) throw new Full();
      },
      note: (note) => notes.push(note),
    });
  } catch (error) {
    if (!(error instanceof Full)) throw error;
    notes.push("The text goes on: only its first two million characters were read.");
  }
  return { text: parts.join("").slice(0, MAX_CHARS), notes };
}
