import { type ErrorRequestHandler, Router } from "express";
import { adminConsentForm, decideAdminConsent } from "./admin-consent.ts";
import type { Authority } from "./authority.ts";
import { authorize, logout } from "./authorize.ts";
import { deviceCode, deviceCodeForm, enterDeviceCode } from "./device-code.ts";
import { discoveryDocument, keySet } from "./discovery.ts";
import { EntraError, errorBody } from "./errors.ts";
import { formBody } from "./form.ts";
import { sendPage } from "./page.ts";
import { decideConsent, decideSecondFactor, pickAccount } from "./sign-in.ts";
import { errorPage } from "./sign-in-pages.ts";
import type { EntraSwitches } from "./switches.ts";
import { token } from "./token-endpoint.ts";

const GUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;

/** Answers an {@link EntraError} as JSON, with the correlation id that the caller sent. */
const jsonErrors =
  (switches: EntraSwitches): ErrorRequestHandler =>
  (error, req, res, next) => {
    if (!(error instanceof EntraError)) {
      next(error);
      return;
    }
    const sent = [req.headers["client-request-id"], req.query["client-request-id"]].find(
      (id): id is string => typeof id === "string" && GUID.test(id),
    );
    res
      .status(error.error === "invalid_client" ? switches["entra.invalidClientStatus"] : 400)
      .set("cache-control", "no-store")
      .json(errorBody(error, sent));
  };

/** Answers an {@link EntraError} as a page: there is no client that could be told. */
const pageErrors: ErrorRequestHandler = (error, _req, res, next) => {
  if (error instanceof EntraError) sendPage(res, errorPage(errorBody(error)));
  else next(error);
};

/** Everything that browsers see. */
function pageRoutes(authority: Authority): Router {
  return Router()
    .get("/:tenant/oauth2/v2.0/authorize", authorize(authority))
    .get("/:tenant/oauth2/v2.0/logout", logout(authority))
    .post("/:tenant/login", pickAccount(authority))
    .post("/:tenant/mfa", decideSecondFactor(authority))
    .post("/:tenant/consent", decideConsent(authority))
    .get("/:tenant/adminconsent", adminConsentForm(authority))
    .post("/:tenant/adminconsent", decideAdminConsent(authority))
    .get("/:tenant/deviceauth", deviceCodeForm(authority))
    .post("/:tenant/deviceauth", enterDeviceCode(authority))
    .use(pageErrors);
}

/** Everything that programs call. */
function apiRoutes(authority: Authority): Router {
  return Router()
    .get("/:tenant/v2.0/.well-known/openid-configuration", discoveryDocument(authority))
    .get("/:tenant/discovery/v2.0/keys", keySet(authority))
    .post("/:tenant/oauth2/v2.0/token", token(authority))
    .post("/:tenant/oauth2/v2.0/devicecode", deviceCode(authority))
    .use(jsonErrors(authority.switches));
}

/** Every endpoint of the emulator. */
export function routes(authority: Authority): Router {
  return Router().use(formBody, pageRoutes(authority), apiRoutes(authority));
}
