/**
 * What a test may change about the emulated Content Safety while it runs; failing, hanging and throttling are faults of
 * its `traffic`.
 *
 * - `contentSafety.detects`: which documents are attacks.
 * - `contentSafety.enforceLimits`: more than 5 documents, or 10,000 characters together or in the prompt, are refused.
 * - `contentSafety.latencyMs`: milliseconds to think about a request.
 */
export interface ContentSafetySwitches {
  "contentSafety.detects": (text: string) => boolean;
  "contentSafety.enforceLimits": boolean;
  "contentSafety.latencyMs": number;
}

/** Words of attacks as everybody knows them; the real service understands text. */
const ATTACK =
  /\b(?:ignore|disregard|forget)\b[^.]{0,40}\b(?:instructions?|rules|prompts?)\b|\byou are now\b|\bsystem prompt\b/i;

/** Content Safety on a good day. */
export const defaultSwitches: ContentSafetySwitches = {
  "contentSafety.detects": (text) => ATTACK.test(text),
  "contentSafety.enforceLimits": true,
  "contentSafety.latencyMs": 0,
};
