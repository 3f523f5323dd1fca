import {
  bearerAuthChallengeResponse,
  OAuthError,
  OAuthErrorCode,
  verifyBearerToken,
} from "@modelcontextprotocol/server";
import type { RequestHandler, Response } from "express";
import { AuthError } from "../auth/auth-error.ts";
import { readBearerToken, rememberAgreement } from "../auth/easy-auth.ts";
import type { Caller } from "../auth/principal.ts";
import { createFirstSight } from "../auth/verified-tokens.ts";
import type { Audit } from "../diagnostics.ts";
import { type ResourceDescription, toAuthInfo } from "../mcp/auth-info.ts";
import { sendProblem } from "./problem.ts";
import { requestIdOf } from "./request-id.ts";

/** What decides about a request at the door. */
export interface AuthenticateOptions extends ResourceDescription {
  readonly verify: (token: string) => Promise<Caller>;
  /** Short name of the scope that a challenge asks for. */
  readonly requiredScope: string;
  /** Whether App Service Authentication must have seen the request too. */
  readonly behindEasyAuth: boolean;
  readonly audit: Audit;
}

/**
 * Lets a request through to `/mcp` only with a valid access token, and behind App Service Authentication only if the
 * platform's identity is the same.
 *
 * 401 with a challenge for missing or invalid tokens, 403 `insufficient_scope` with one for a missing scope, 403
 * without one where another sign-in would change nothing, 503 when the signing keys can't be had.
 * Source: MCP authorization, RFC 6750 section 3, RFC 9728 section 5.1.
 */
export function createAuthenticate(options: AuthenticateOptions): RequestHandler {
  const { verify, requiredScope, behindEasyAuth, audit, resource, resourceMetadataUrl } = options;
  const challenge = { requiredScopes: [`${resource}/${requiredScope}`], resourceMetadataUrl };

  const requireAgreement = rememberAgreement();
  const isFirstSight = createFirstSight();

  return async (req, res, next) => {
    const requestId = requestIdOf(res);
    const verifyAccessToken = async (token: string) => {
      const caller = await verify(token);
      if (behindEasyAuth) requireAgreement(req.headers, caller);
      if (isFirstSight(caller)) {
        const { tenantId, userId, clientId } = caller.principal;
        const { tokenId } = caller;
        audit({ event: "sign_in", decision: "allowed", requestId, tokenId, tenantId, userId, clientId });
      }
      return toAuthInfo({ caller, requestId }, options);
    };
    const header = behindEasyAuth ? readBearerToken(req.headers) : req.headers.authorization;
    try {
      // Whoever stands in front might have looked at the other one.
      if ((req.headersDistinct["authorization"]?.length ?? 0) > 1) {
        throw new AuthError("invalid_token", "The request has more than one Authorization header.");
      }
      req.auth = await verifyBearerToken(header, { verifier: { verifyAccessToken }, ...challenge });
    } catch (error) {
      if (!(error instanceof AuthError || error instanceof OAuthError)) throw error;
      audit({ event: "sign_in", decision: "denied", requestId, ...describe(error, header) });
      await refuse(res, error);
      return;
    }
    next();
  };

  async function refuse(res: Response, error: AuthError | OAuthError): Promise<void> {
    if (error instanceof OAuthError) return sendChallenge(res, error);
    switch (error.failure) {
      case "invalid_token":
      case "principal_mismatch":
        return sendChallenge(res, new OAuthError(OAuthErrorCode.InvalidToken, error.message));
      case "insufficient_scope":
        return sendChallenge(res, new OAuthError(OAuthErrorCode.InsufficientScope, error.message));
      case "app_only_token":
      case "tenant_not_allowed":
      case "client_not_allowed":
        return sendProblem(res, 403, "Forbidden", error.message);
      case "keys_unavailable":
        res.set("retry-after", "10");
        return sendProblem(res, 503, "Service unavailable", error.message);
    }
  }

  async function sendChallenge(res: Response, error: OAuthError): Promise<void> {
    const answer = bearerAuthChallengeResponse(error, challenge);
    res.status(answer.status).set("www-authenticate", answer.headers.get("www-authenticate") ?? "Bearer");
    res.json(await answer.json());
  }
}

/** What the audit keeps of a refusal; the SDK's own are about the header and about a lifetime that just ended. */
function describe(error: AuthError | OAuthError, header: string | undefined) {
  if (error instanceof AuthError) return { reason: error.failure, ...error.subject };
  return { reason: header ? "invalid_token" : "missing_token" };
}
