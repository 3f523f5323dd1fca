import { GraphFailure } from "./graph.ts";

/**
 * Returns `link` when it stays on the Graph endpoint and below `/v1.0/`, as a normalised URL.
 *
 * A next link is Graph's word, but following it sends the caller's token: one that leads elsewhere throws
 * {@link GraphFailure} `ForeignNextLink`.
 */
export function checkNextLink(link: string, endpoint: URL): string {
  const url = URL.canParse(link) ? new URL(link) : undefined;
  if (url?.origin !== endpoint.origin || !url.pathname.startsWith("/v1.0/") || url.username || url.password) {
    throw new GraphFailure({ status: 0, code: "ForeignNextLink" });
  }
  return url.href;
}
