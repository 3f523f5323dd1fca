import { NewcomerSession } from "../support/broker.ts";
import { OAuthSession } from "../support/mcp-clients.ts";
import type { RemoteServer } from "./client.ts";

const REDIRECT_URI = "http://localhost:53682/callback";

/** The half of a sign-in that libraries derived from SDK v1 leave to whoever uses them. */
export interface Auth {
  readonly auth: (
    session: OAuthSession,
    options: { serverUrl: string; authorizationCode: string; callbackState: string; callbackIssuer?: string },
  ) => Promise<unknown>;
}

/** A client's side of OAuth, for libraries: with the client id, or with nothing but the URL. */
export function createSession({ clientId }: RemoteServer): OAuthSession {
  return clientId === undefined
    ? new NewcomerSession({ redirectUrl: REDIRECT_URI })
    : new OAuthSession(clientId, REDIRECT_URI);
}

/** Lets a library try, which ends where a person has to sign in, and does that; the session has the tokens afterwards. */
export async function signInFor(
  session: OAuthSession,
  { mcpUrl, signIn }: RemoteServer,
  library: Auth & { readonly attempt: () => Promise<unknown> },
): Promise<void> {
  const refused = await library.attempt().catch((error: unknown) => error);
  if (!session.authorizationUrl) throw new Error("No sign-in was asked for", { cause: refused });
  const { searchParams } = await signIn(session.authorizationUrl);
  const issuer = searchParams.get("iss");
  await library.auth(session, {
    serverUrl: mcpUrl,
    authorizationCode: searchParams.get("code") ?? "",
    callbackState: searchParams.get("state") ?? "",
    ...(issuer !== null && { callbackIssuer: issuer }),
  });
}
