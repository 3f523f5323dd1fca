/** What the operator wants to happen with what the shield finds. */
export interface ShieldPolicy {
  readonly policy: "annotate" | "block";
  /** Whether content that could not be checked is refused (`closed`) or handed over with a remark (`open`). */
  readonly onFailure: "closed" | "open";
}

/**
 * Says of each document whether it holds an attack, in one request to the service. Rejects when there is no answer.
 * At most {@link MAX_DOCUMENTS} documents with {@link MAX_CHARACTERS} characters together.
 */
export type ShieldDocuments = (documents: readonly string[], signal: AbortSignal) => Promise<readonly boolean[]>;

/** A text of a result, and where it stands in there. */
export interface Passage {
  readonly path: string;
  readonly text: string;
}

/** Finds attacks among the texts of one result. */
export interface PromptShield extends ShieldPolicy {
  /** The paths of the passages that are in a document with an attack. Rejects when the service does not answer in time. */
  readonly find: (passages: readonly Passage[], signal: AbortSignal) => Promise<ReadonlySet<string>>;
}

/** Most documents of one request. Source: Azure AI Content Safety, "Input requirements" of Prompt Shields. */
export const MAX_DOCUMENTS = 5;
/** Most characters of one request, of all its documents together. Same source. */
export const MAX_CHARACTERS = 10_000;
/** Parts of a long text overlap, so that what stands at a cut is seen whole. */
const OVERLAP = 200;

interface Document {
  readonly paths: string[];
  text: string;
}

/** Builds a shield on a service; `timeoutMs` is for all requests about one result together, which go out at once. */
export function createPromptShield(
  shieldDocuments: ShieldDocuments,
  { timeoutMs, ...policy }: ShieldPolicy & { readonly timeoutMs: number },
): PromptShield {
  return {
    ...policy,
    async find(passages, signal) {
      // Without one answer the others are of no use.
      const over = new AbortController();
      const limited = AbortSignal.any([signal, over.signal, AbortSignal.timeout(timeoutMs)]);
      const requests = pack(passages);
      const asked = requests.map((documents) =>
        shieldDocuments(
          documents.map(({ text }) => text),
          limited,
        ),
      );
      const verdicts = await Promise.all(asked).finally(() => over.abort());
      return new Set(
        requests.flatMap((documents, index) =>
          documents.flatMap(({ paths }, at) => (verdicts[index]?.[at] === true ? paths : [])),
        ),
      );
    },
  };
}

/**
 * Packs passages into as few requests as their length allows. Within a request short ones share documents, about evenly
 * and in their order, so that a finding names few fields.
 */
function pack(passages: readonly Passage[]): Document[][] {
  const parts = withoutRepeats(passages).flatMap(cut);
  const total = parts.reduce((sum, { text }) => sum + text.length + 1, 0);
  const enough = Math.min(total, MAX_CHARACTERS) / MAX_DOCUMENTS;
  const isFull = (document: Document | undefined) => document !== undefined && document.text.length >= enough;
  const requests: Document[][] = [];
  let request: Document[] = [];
  let room = 0;
  for (const { paths, text } of parts) {
    const last = request.at(-1);
    if (requests.length === 0 || text.length + 1 > room || (request.length === MAX_DOCUMENTS && isFull(last))) {
      request = [{ paths: [...paths], text }];
      requests.push(request);
      room = MAX_CHARACTERS - text.length;
    } else if (last && !isFull(last)) {
      last.paths.push(...paths);
      last.text += `\n${text}`;
      room -= text.length + 1;
    } else {
      request.push({ paths: [...paths], text });
      room -= text.length;
    }
  }
  return requests;
}

/** The same text in several places, a sender's name for example, is asked about once. */
function withoutRepeats(passages: readonly Passage[]): Document[] {
  const byText = new Map<string, Document>();
  for (const { path, text } of passages) {
    const known = byText.get(text);
    if (known) known.paths.push(path);
    else byText.set(text, { paths: [path], text });
  }
  return [...byText.values()];
}

function cut({ paths, text }: Document): Document[] {
  if (text.length <= MAX_CHARACTERS) return [{ paths, text }];
  const parts: Document[] = [];
  for (let start = 0; start + OVERLAP < text.length; start += MAX_CHARACTERS - OVERLAP) {
    parts.push({ paths, text: text.slice(start, start + MAX_CHARACTERS).toWellFormed() });
  }
  return parts;
}
