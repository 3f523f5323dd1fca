import type { KoaContextWithOIDC } from "oidc-provider";

// What this server says in place of `oidc-provider`.

/** What clients are told while something that a sign-in needs is away. */
export const TRY_AGAIN = {
  status: 503,
  retryAfter: "10",
  body: {
    error: "temporarily_unavailable",
    error_description: "Sign-in does not work at the moment. Try again in a minute.",
  },
} as const;

/** The error code of an answer, if it is one. */
export function errorIn(ctx: KoaContextWithOIDC): string | undefined {
  const { body } = ctx as { body: unknown };
  if (typeof body !== "object" || body === null || !("error" in body)) return undefined;
  return typeof body.error === "string" ? body.error : undefined;
}

/** After `server_error` clients throw their tokens away and send the person through a new sign-in; after this they wait. */
export function sayThatItPasses(ctx: KoaContextWithOIDC): void {
  if (!["server_error", "temporarily_unavailable"].includes(errorIn(ctx) ?? "")) return;
  ctx.body = TRY_AGAIN.body;
  ctx.status = TRY_AGAIN.status;
  ctx.set("retry-after", TRY_AGAIN.retryAfter);
}

/** VS Code does not find a code that is the first parameter of the address. */
export function putCodeLast(ctx: KoaContextWithOIDC): void {
  const location = ctx.response.get("location");
  const url = URL.canParse(location) ? new URL(location) : undefined;
  const code = url?.searchParams.get("code");
  if (!url || code === null || code === undefined) return;
  url.searchParams.delete("code");
  url.searchParams.append("code", code);
  ctx.redirect(url.href);
}

/** The library publishes what it could do; this is what clients are to use. */
export function narrowMetadata(ctx: KoaContextWithOIDC, scopes: readonly string[]): void {
  if (!ctx.path.startsWith("/.well-known/") || typeof ctx.body !== "object" || ctx.body === null) return;
  ctx.body = { ...ctx.body, response_modes_supported: ["query"], scopes_supported: scopes };
}

/** What a person can do about an error that ends their sign-in. */
export function explanationOf(error: string): string {
  switch (error) {
    case "invalid_client":
    case "invalid_client_metadata":
      return "This server does not know the client, or its metadata document cannot be used. Remove this server in your client and add it again.";
    case "invalid_redirect_uri":
      return "The client wants to be called back at an address that it did not register.";
    case "invalid_request":
      return "It took too long, was started in another browser, or its address is incomplete. Start again in your client.";
    default:
      return "Start again in your client. If that does not help, tell the administrator of this server.";
  }
}
