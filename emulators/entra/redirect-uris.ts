import type { AppRegistration } from "../directory.ts";

/** Platform that a redirect URI is registered for; decides how the client must authenticate. */
export type Platform = keyof AppRegistration["redirectUris"];

const PLATFORMS: readonly Platform[] = ["public", "web", "spa"];

// Without [::1], which Entra does not support.
const LOOPBACK = /^(http:\/\/(?:localhost|127\.0\.0\.1))(?::\d+)?/;

/** Without the port of a loopback address, and with an empty path written as `/`. */
const comparable = (uri: string) => uri.replace(LOOPBACK, "$1").replace(/^(\w+:\/\/[^/?]+)(?=\?|$)/, "$1/");

/** The platform that a redirect URI is registered for: path and query are compared, a loopback port is not. */
export function platformOf(client: AppRegistration, redirectUri: string): Platform | undefined {
  const wanted = comparable(redirectUri);
  return PLATFORMS.find((platform) => client.redirectUris[platform].some((uri) => comparable(uri) === wanted));
}

/** What a Content-Security-Policy calls the place that a redirect URI leads to. */
export function sourceOf(redirectUri: string): string {
  const { protocol, host } = new URL(redirectUri);
  return protocol === "http:" || protocol === "https:" ? `${protocol}//${host}` : protocol;
}

/** Sources of a Content-Security-Policy `form-action` that let a sign-in page end at the client. */
export function formActionSources(client: AppRegistration): string[] {
  const registered = PLATFORMS.flatMap((platform) => client.redirectUris[platform]).map(sourceOf);
  return [...new Set(["http://127.0.0.1:*", "http://localhost:*", ...registered])];
}
