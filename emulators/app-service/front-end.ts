import express, { type ErrorRequestHandler, type Express, type RequestHandler, type Router } from "express";
import type { Traffic } from "../kernel/traffic.ts";
import { authEndpoints } from "./auth-endpoints.ts";
import type { Forward } from "./forward.ts";
import { isExempt, turnAway } from "./gate.ts";
import { type Caller, identityHeaders, readCaller } from "./identity.ts";
import { corsHeaders, refuse } from "./refusal.ts";
import { resourceMetadata } from "./resource-metadata.ts";
import { createSessions, createVouchers, type Sessions } from "./sessions.ts";
import { authPrefix } from "./settings.ts";
import { advertisedAddress, forwardedAddress, pathOf, type Site } from "./site.ts";
import type { TokenValidator } from "./tokens.ts";

interface FrontEnd {
  readonly site: Site;
  readonly traffic: Traffic;
  readonly validate: TokenValidator;
  readonly forward: Forward;
}

/** What clients talk to: App Service Authentication with the application behind it. */
export function createFrontEnd(frontEnd: FrontEnd): Express {
  const { site, traffic, validate } = frontEnd;
  const vouchers = createVouchers();
  const sessions = createSessions(vouchers);
  return express()
    .disable("x-powered-by")
    .disable("etag")
    .use(
      traffic.middleware,
      passWhenDisabled(frontEnd),
      serveMetadata(site),
      serveAuthEndpoints(site, authEndpoints({ site, validate, sessions, vouchers })),
      redirectToHttps(site),
      authenticate(frontEnd, sessions),
      answerError,
    );
}

function passWhenDisabled({ site, forward }: FrontEnd): RequestHandler {
  return (req, res, next) => {
    if (site.authSettings.platform?.enabled === false) forward(req, res, undefined);
    else next();
  };
}

function serveMetadata(site: Site): RequestHandler {
  return (req, res, next) => {
    const reads = req.method === "GET" || req.method === "HEAD";
    const document = reads && resourceMetadata(site, pathOf(req.url), advertisedAddress(req, site).origin);
    if (!document) {
      next();
      return;
    }
    const cacheControl = site.switches["easyauth.prmCacheControl"];
    res.set({ ...corsHeaders(site), ...(cacheControl ? { "Cache-Control": cacheControl } : {}) }).json(document);
  };
}

function serveAuthEndpoints(site: Site, endpoints: Router): RequestHandler {
  return (req, res, next) => {
    const path = pathOf(req.url);
    const prefix = authPrefix(site.authSettings);
    if (path === site.authSettings.login?.routes?.logoutEndpoint) req.url = `/logout${req.url.slice(path.length)}`;
    else if (path.startsWith(`${prefix}/`)) req.url = req.url.slice(prefix.length);
    else {
      next();
      return;
    }
    endpoints(req, res, next);
  };
}

function redirectToHttps(site: Site): RequestHandler {
  return (req, res, next) => {
    const { secure, host } = forwardedAddress(req, site);
    if (secure || site.authSettings.httpSettings?.requireHttps === false) next();
    else refuse(res, 302, { Location: `https://${host}${req.url}` });
  };
}

function authenticate({ site, validate, forward }: FrontEnd, sessions: Sessions): RequestHandler {
  return async (req, res) => {
    const ignored = isExempt(site, pathOf(req.url)) && !site.switches["easyauth.excludedPathsIdentity"];
    const caller: Caller = ignored ? { kind: "anonymous" } : await readCaller(req, site, { validate, sessions });
    if (turnAway(req, res, site, caller)) return;
    forward(req, res, identityHeaders(site, caller, sessions));
  };
}

const answerError: ErrorRequestHandler = (error: Error & { readonly status?: number }, _req, res, _next) => {
  if (res.headersSent) res.destroy();
  else
    res
      .status(error.status ?? 500)
      .type("text")
      .send(error.message);
};
