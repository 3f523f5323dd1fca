import type { Site } from "./site.ts";

/**
 * Whether the site trusts the origin of `url`: its own `origin`, or that of one of `login.allowedExternalRedirectUrls`.
 *
 * `url` may be relative to the site.
 */
export function isTrusted(site: Site, url: string, origin: string): boolean {
  if (!URL.canParse(url, origin)) return false;
  const named = new URL(url, origin).origin;
  // The origin of every non-web scheme reads "null".
  if (named === "null") return false;
  const trusted = [origin, ...(site.authSettings.login?.allowedExternalRedirectUrls ?? [])];
  return trusted.some((entry) => URL.canParse(entry) && new URL(entry).origin === named);
}
