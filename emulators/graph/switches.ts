/**
 * What a test may change about the emulated Graph while it runs.
 *
 * - `graph.innerError`: how the inner object of an error is spelled, or that it is left out. Graph does all three.
 * - `graph.downloadSeconds`: how long the address of a file's content is good.
 * - `graph.emptyPage`: the first page of a collection is empty and still has an `@odata.nextLink`.
 * - `graph.latencyMs`: milliseconds to wait before a request is looked at; a batch waits once.
 * - `graph.mailboxBusyMs`: each request to a mailbox occupies it for so many milliseconds, and a fifth at once of the same
 *   application is 429 `ApplicationThrottled`.
 * - `graph.requireClaims`: a claims challenge (JSON). While set, tokens with the client capability `cp1` get 401
 *   `insufficient_claims`; others are served. A challenge that demands `access_token.nbf` is met by a token issued at
 *   or after that second, any other is never met.
 * - `graph.sentDraftKeepsId`: whether a draft has the same immutable id when it was sent; Graph's pages contradict each other.
 * - `graph.throttleLimitPercentage`: share of the limit used (Graph reports 0.8 to 1.8); sets the `x-ms-throttle-*`
 *   headers of directory answers.
 * - `graph.today`: ISO date around which the sample calendars are laid out; undefined takes the real one.
 * - `graph.throttledBatchItems`: batch items whose url starts with this text answer 429 with `Retry-After`.
 */
export interface GraphSwitches {
  "graph.innerError": "innerError" | "innererror" | "absent";
  "graph.downloadSeconds": number;
  "graph.emptyPage": boolean;
  "graph.latencyMs": number;
  "graph.mailboxBusyMs": number | undefined;
  "graph.requireClaims": string | undefined;
  "graph.sentDraftKeepsId": boolean;
  "graph.throttleLimitPercentage": number | undefined;
  "graph.throttledBatchItems": string | undefined;
  "graph.today": string | undefined;
}

/** Graph on a good day. */
export const defaultSwitches: GraphSwitches = {
  "graph.innerError": "innerError",
  "graph.downloadSeconds": 600,
  "graph.emptyPage": false,
  "graph.latencyMs": 0,
  "graph.mailboxBusyMs": undefined,
  "graph.requireClaims": undefined,
  "graph.sentDraftKeepsId": true,
  "graph.throttleLimitPercentage": undefined,
  "graph.throttledBatchItems": undefined,
  "graph.today": undefined,
};
