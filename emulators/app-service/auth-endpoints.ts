import express, { type RequestHandler, Router } from "express";
import { clearSessionCookie } from "./cookies.ts";
import { readSession } from "./identity.ts";
import { principalClaims, principalName } from "./principal.ts";
import { isTrusted } from "./redirects.ts";
import { refuse } from "./refusal.ts";
import { authPrefix } from "./settings.ts";
import { beginSignIn, completeSignIn, type SignInContext, signInWithToken } from "./sign-in.ts";
import { forwardedAddress } from "./site.ts";

/** The endpoints under `/.auth`. Nothing below that path reaches the application. */
export function authEndpoints(context: SignInContext): Router {
  return Router()
    .get("/login/aad", beginSignIn(context))
    .post("/login/aad", express.json(), signInWithToken(context))
    .post("/login/aad/callback", express.urlencoded({ extended: false }), completeSignIn(context))
    .get("/login/done", sayPlainly("You are signed in."))
    .get("/me", describeUser(context))
    .all("/refresh", refreshTokens(context))
    .get("/logout", signOut(context))
    .get("/logout/complete", sayPlainly("You are signed out."))
    .use((_req, res) => refuse(res, 404));
}

function sayPlainly(text: string): RequestHandler {
  return (_req, res) => {
    res.type("text").send(text);
  };
}

function describeUser({ site, sessions }: SignInContext): RequestHandler {
  return async (req, res) => {
    if (!site.authSettings.login?.tokenStore?.enabled) {
      refuse(res, 404);
      return;
    }
    const caller = await readSession(req, sessions);
    if (caller.kind !== "session") {
      refuse(res, 401);
      return;
    }
    const { idToken, accessToken, expiresOn } = sessions.tokens(caller.session) ?? {};
    res.json([
      {
        ...(accessToken ? { access_token: accessToken } : {}),
        ...(expiresOn ? { expires_on: new Date(expiresOn * 1000).toISOString() } : {}),
        ...(idToken ? { id_token: idToken } : {}),
        provider_name: "aad",
        user_claims: principalClaims(caller.claims, site.switches["easyauth.claimNames"]),
        user_id: principalName(caller.claims) ?? caller.claims.sub,
      },
    ]);
  };
}

// Sign-in without a client credential yields no refresh token, so there is never anything to refresh.
function refreshTokens({ sessions }: SignInContext): RequestHandler {
  return async (req, res) => {
    const caller = await readSession(req, sessions);
    refuse(res, caller.kind === "session" ? 403 : 401);
  };
}

function signOut({ site, sessions }: SignInContext): RequestHandler {
  return async (req, res) => {
    const caller = await readSession(req, sessions);
    if (caller.kind === "session") sessions.forget(caller.session);
    clearSessionCookie(res);
    const requested = req.query["post_logout_redirect_uri"];
    const { origin } = forwardedAddress(req, site);
    const honoured = typeof requested === "string" && isTrusted(site, requested, origin);
    res.redirect(honoured ? requested : `${authPrefix(site.authSettings)}/logout/complete`);
  };
}
