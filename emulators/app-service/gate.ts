import type { IncomingMessage, ServerResponse } from "node:http";
import { bearerChallenge } from "./challenge.ts";
import { type Caller, isCrossSite } from "./identity.ts";
import { isAdmitted, isSignInAdmitted } from "./policy.ts";
import { corsHeaders, refuse } from "./refusal.ts";
import { authPrefix, isListedPath, unauthenticatedAction } from "./settings.ts";
import { advertisedAddress, forwardedAddress, pathOf, type Site } from "./site.ts";

/** Whether the unauthenticated action does not apply to `path`. */
export function isExempt(site: Site, path: string): boolean {
  const { excludedPaths = [] } = site.authSettings.globalValidation ?? {};
  if (site.switches["easyauth.healthCheckBypass"] && path === site.healthCheckPath) return true;
  return isListedPath(path, excludedPaths, site.switches["easyauth.excludedPathsMatch"]);
}

/** Answers a request that may not reach the application, and says whether it did. */
export function turnAway(req: IncomingMessage, res: ServerResponse, site: Site, caller: Caller): boolean {
  const { runtimeVersion = "~1" } = site.authSettings.platform ?? {};
  if (runtimeVersion === "~1" && !site.switches["easyauth.runtimeV1Enforces"]) return false;
  if (caller.kind === "anonymous") return !isExempt(site, pathOf(req.url ?? "/")) && turnAwayAnonymous(req, res, site);
  if (caller.kind === "invalid") {
    challenge(req, res, site, { tokenRefused: true });
    return true;
  }
  const admitted = caller.kind === "bearer" ? isAdmitted : isSignInAdmitted;
  if (!admitted(site, caller.claims)) {
    refuse(res, site.switches["easyauth.forbiddenStatus"]);
    return true;
  }
  const byBrowser = caller.kind === "session" ? caller.browser : site.switches["easyauth.csrfForBearer"];
  if (!byBrowser || !isCrossSite(req, site, forwardedAddress(req, site).origin)) return false;
  refuse(res, 403);
  return true;
}

function turnAwayAnonymous(req: IncomingMessage, res: ServerResponse, site: Site): boolean {
  const action = unauthenticatedAction(site.authSettings);
  if (action === "Return401") challenge(req, res, site, { tokenRefused: false });
  if (action === "Return403") refuse(res, 403);
  if (action === "RedirectToLoginPage") {
    const back = encodeURIComponent(req.url ?? "/");
    refuse(res, 302, { Location: `${authPrefix(site.authSettings)}/login/aad?post_login_redirect_uri=${back}` });
  }
  return action !== "AllowAnonymous";
}

function challenge(
  req: IncomingMessage,
  res: ServerResponse,
  site: Site,
  { tokenRefused }: { readonly tokenRefused: boolean },
): void {
  const address = advertisedAddress(req, site);
  const value = bearerChallenge(site, { address, path: pathOf(req.url ?? "/"), tokenRefused });
  refuse(res, 401, { ...corsHeaders(site), ...(value ? { "WWW-Authenticate": value } : {}) });
}
