/**
 * What a test may change about the emulated Graph while it runs.
 *
 * - `graph.innerError`: how the inner object of an error is spelled, or that it is left out. Graph does all three.
 * - `graph.emptyPage`: the first page of a collection is empty and still has an `@odata.nextLink`.
 * - `graph.latencyMs`: milliseconds to wait before a request is looked at; a batch waits once.
 * - `graph.requireClaims`: a claims challenge (JSON). While set, tokens with the client capability `cp1` get 401
 *   `insufficient_claims`; others are served. A challenge that demands `access_token.nbf` is met by a token issued at
 *   or after that second, any other is never met.
 * - `graph.throttleLimitPercentage`: share of the limit used (Graph reports 0.8 to 1.8); sets the `x-ms-throttle-*`
 *   headers of directory answers.
 * - `graph.throttledBatchItems`: batch items whose url starts with this text answer 429 with `Retry-After`.
 */
export interface GraphSwitches {
  "graph.innerError": "innerError" | "innererror" | "absent";
  "graph.emptyPage": boolean;
  "graph.latencyMs": number;
  "graph.requireClaims": string | undefined;
  "graph.throttleLimitPercentage": number | undefined;
  "graph.throttledBatchItems": string | undefined;
}

/** Graph on a good day. */
export const defaultSwitches: GraphSwitches = {
  "graph.innerError": "innerError",
  "graph.emptyPage": false,
  "graph.latencyMs": 0,
  "graph.requireClaims": undefined,
  "graph.throttleLimitPercentage": undefined,
  "graph.throttledBatchItems": undefined,
};
