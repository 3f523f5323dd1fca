const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** Whether codes go to a program on the person's own computer; any program there can claim to be the client. */
export function isLoopback(redirectUri: string): boolean {
  const { protocol, hostname } = new URL(redirectUri);
  return protocol === "http:" && LOOPBACK.has(hostname);
}

/** Scheme and host, for `https://vscode.dev/redirect` and for `cursor://anysphere.cursor-mcp/oauth/callback` alike. */
export function originOf(uri: string): string {
  const { protocol, host } = new URL(uri);
  return `${protocol}//${host}`;
}

/**
 * Whether a client may name this redirect URI: loopback, an origin that the operator allows, or the host that publishes
 * the client's metadata document.
 */
export function isAllowedRedirect(redirectUri: string, clientId: string, allowed: readonly string[]): boolean {
  if (!URL.canParse(redirectUri) || new URL(redirectUri).username !== "") return false;
  if (isLoopback(redirectUri) || allowed.includes(originOf(redirectUri))) return true;
  return isDocumentId(clientId) && originOf(redirectUri) === originOf(clientId);
}

/** Whether a client id is the address of a client ID metadata document. */
export function isDocumentId(clientId: string): boolean {
  return clientId.startsWith("https://") && URL.canParse(clientId);
}

/** What a Content-Security-Policy calls the place that a redirect URI leads to. */
export function policySourceOf(redirectUri: string): string {
  const { protocol, hostname, origin } = new URL(redirectUri);
  // A source can't be an IPv6 address.
  if (hostname.startsWith("[")) return protocol;
  return protocol === "https:" || protocol === "http:" ? origin : protocol;
}
