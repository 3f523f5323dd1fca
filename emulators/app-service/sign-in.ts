import { randomUUID } from "node:crypto";
import type { Request, RequestHandler, Response } from "express";
import { clearCookie, readCookie, setCookie, setSessionCookie } from "./cookies.ts";
import { isAdmitted, isSignInAdmitted } from "./policy.ts";
import { principalName } from "./principal.ts";
import { isTrusted } from "./redirects.ts";
import { refuse } from "./refusal.ts";
import type { Sessions, StoredTokens, Vouchers } from "./sessions.ts";
import { authPrefix, isV2Issuer, registrationOf, secondsOf, tenantOf } from "./settings.ts";
import { forwardedAddress, type Site } from "./site.ts";
import type { TokenValidator } from "./tokens.ts";

/** What the endpoints under `/.auth` work with. */
export interface SignInContext {
  readonly site: Site;
  readonly validate: TokenValidator;
  readonly sessions: Sessions;
  readonly vouchers: Vouchers;
}

const NONCE_COOKIE = "Nonce";

const now = () => Math.floor(Date.now() / 1000);

function authorizeEndpoint(openIdIssuer: string): URL {
  const { origin } = new URL(openIdIssuer);
  const authority = origin === "https://sts.windows.net" ? "https://login.microsoftonline.com" : origin;
  const version = isV2Issuer(openIdIssuer) ? "/v2.0" : "";
  return new URL(`${authority}/${tenantOf(openIdIssuer)}/oauth2${version}/authorize`);
}

function textOf(body: unknown, name: string): string {
  const value = (body as Readonly<Record<string, unknown>> | undefined)?.[name];
  return typeof value === "string" ? value : "";
}

function sessionEnd(site: Site, tokens: StoredTokens): number {
  const { convention = "FixedTime", timeToExpiration = "08:00:00" } = site.authSettings.login?.cookieExpiration ?? {};
  return convention === "FixedTime" ? now() + secondsOf(timeToExpiration) : tokens.expiresOn;
}

/** `GET login/aad`: sends the browser to Entra ID for an id token, which comes back as a form post. */
export function beginSignIn({ site, vouchers }: SignInContext): RequestHandler {
  return async (req, res) => {
    const { origin } = forwardedAddress(req, site);
    const prefix = authPrefix(site.authSettings);
    const requested = req.query["post_login_redirect_uri"];
    const redirect = typeof requested === "string" ? requested : `${prefix}/login/done`;
    if (!isTrusted(site, redirect, origin)) {
      refuse(res, 400);
      return;
    }
    const [nonce, state] = [randomUUID(), randomUUID()];
    const { nonceExpirationInterval = "00:05:00" } = site.authSettings.login?.nonce ?? {};
    const expiresOn = now() + secondsOf(nonceExpirationInterval);
    setCookie(res, NONCE_COOKIE, await vouchers.seal({ nonce, state, redirect }, expiresOn));

    const { openIdIssuer, clientId } = registrationOf(site.authSettings);
    const url = authorizeEndpoint(openIdIssuer);
    const parameters = {
      response_type: "id_token",
      response_mode: "form_post",
      client_id: clientId,
      redirect_uri: `${origin}${prefix}/login/aad/callback`,
      scope: "openid profile email",
      state,
      nonce,
    };
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    for (const parameter of site.authSettings.identityProviders.azureActiveDirectory.login?.loginParameters ?? []) {
      const [name = "", ...value] = parameter.split("=");
      url.searchParams.set(name, value.join("="));
    }
    res.redirect(url.href);
  };
}

/** `POST login/aad/callback`: checks the id token and starts a cookie session. */
export function completeSignIn({ site, validate, sessions, vouchers }: SignInContext): RequestHandler {
  return async (req, res) => {
    const pending = await vouchers.open(readCookie(req, NONCE_COOKIE) ?? "");
    const idToken = textOf(req.body, "id_token");
    const claims = idToken ? await validate(idToken, site.authSettings) : undefined;
    const { validateNonce = true } = site.authSettings.login?.nonce ?? {};
    const expected = claims && pending && pending["state"] === textOf(req.body, "state");
    if (!expected || (validateNonce && claims["nonce"] !== pending["nonce"])) {
      refuse(res, 401);
      return;
    }
    if (!isSignInAdmitted(site, claims)) {
      refuse(res, site.switches["easyauth.forbiddenStatus"]);
      return;
    }
    const tokens = { idToken, expiresOn: claims.exp ?? 0 };
    clearCookie(res, NONCE_COOKIE);
    setSessionCookie(res, await sessions.start(claims, tokens, sessionEnd(site, tokens)));
    res.redirect(String(pending["redirect"]));
  };
}

/** `POST login/aad`: exchanges a token that the client already has for one to send as `X-ZUMO-AUTH`. */
export function signInWithToken({ site, validate, sessions }: SignInContext): RequestHandler {
  return async (req: Request, res: Response) => {
    const [idToken, accessToken] = [textOf(req.body, "id_token"), textOf(req.body, "access_token")];
    const claims = await validate(accessToken || idToken, site.authSettings);
    if (!claims) {
      refuse(res, 401);
      return;
    }
    if (!isAdmitted(site, claims)) {
      refuse(res, site.switches["easyauth.forbiddenStatus"]);
      return;
    }
    const tokens = {
      ...(idToken ? { idToken } : {}),
      ...(accessToken ? { accessToken } : {}),
      expiresOn: claims.exp ?? 0,
    };
    const authenticationToken = await sessions.start(claims, tokens, sessionEnd(site, tokens));
    res.json({ authenticationToken, user: { userId: principalName(claims) ?? claims.sub } });
  };
}
