import type { AuthInfo } from "@modelcontextprotocol/server";
import type { Caller } from "../auth/principal.ts";

/** The request that a tool call came with, as the way through the SDK carries it; on stdio the call in hand. */
export interface RequestContext {
  readonly caller: Caller;
  readonly requestId: string;
}

/** Where this server's scopes and metadata are; for the SDK's own checks and challenges. */
export interface ResourceDescription {
  readonly resource: string;
  readonly resourceMetadataUrl: string;
}

/** Packs a verified caller into the SDK's `AuthInfo`; scopes are spelled out in full, as in challenges. */
export function toAuthInfo(context: RequestContext, { resource, resourceMetadataUrl }: ResourceDescription): AuthInfo {
  const { principal, accessToken, expiresAt } = context.caller;
  return {
    token: accessToken,
    clientId: principal.clientId,
    scopes: principal.scopes.map((scope) => `${resource}/${scope}`),
    expiresAt,
    resourceMetadataUrl,
    extra: { context },
  };
}

/** Packs the one user of a connection without tokens: `context` is read anew at each call, so that it shows who signed in. */
export function toLocalAuthInfo(context: RequestContext, clientId: string): AuthInfo {
  return { token: "", clientId, scopes: [], extra: { context } };
}

/** Unpacks what {@link toAuthInfo} or {@link toLocalAuthInfo} packed. Throws when authentication was left out, so that nothing runs without it. */
export function requestContextOf(authInfo: AuthInfo | undefined): RequestContext {
  const context = authInfo?.extra?.["context"];
  if (context === undefined) throw new Error("A request reached the MCP server without authentication.");
  return context as RequestContext;
}
