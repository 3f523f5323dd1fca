import { hostHeaderValidation, originValidation } from "@modelcontextprotocol/express";
import express, { type Express, type RequestHandler } from "express";
import type { Log } from "../diagnostics.ts";
import { createEndpoint, type EndpointOptions } from "../mcp/endpoint.ts";
import { type AuthenticateOptions, createAuthenticate } from "./authenticate.ts";
import { createFloodGuard, type FloodLimits } from "./flood.ts";
import { createReadyz, healthz, type ReadinessCheck } from "./health.ts";
import { createLanding, forBrowsers, type LandingOptions } from "./landing/index.ts";
import { exchange } from "./node-adapter.ts";
import { createErrorHandler, notFound, sendProblem } from "./problem.ts";
import { type ProtectedResource, protectedResourceMetadata } from "./protected-resource.ts";
import { identify } from "./request-id.ts";

/** What the HTTP side is made of. */
export interface AppOptions {
  readonly endpoint: Omit<EndpointOptions, "maxBodyBytes" | "onerror">;
  readonly authenticate: AuthenticateOptions;
  /** Published by this server when nobody in front does. */
  readonly protectedResource?: ProtectedResource | undefined;
  /** The authorization server, where this server is one too. */
  readonly broker?: RequestHandler | undefined;
  /** The page for people; without it there is none. */
  readonly landing?: LandingOptions | undefined;
  /** How many requests one user may send; without it, as many as they like. */
  readonly flood?: FloodLimits | undefined;
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
  readonly readiness: Readonly<Record<string, ReadinessCheck>>;
  /** Numbers that `/readyz` tells. */
  readonly counters?: Readonly<Record<string, () => number>> | undefined;
  readonly log: Log;
}

/** The application, and the two steps of ending it. */
export interface App {
  readonly express: Express;
  /** From now on `/mcp` answers 503, while running calls go on. */
  drain(): void;
  /** Ends streams that would stay open for ever. */
  close(): Promise<void>;
}

const MAX_BODY_BYTES = 4 * 1024 * 1024;

/**
 * Wires the way of a request: id, headers, then for `/mcp` drain, host, origin, authentication, flood and the MCP
 * endpoint.
 *
 * No body parser stands in front of `/mcp`: the endpoint reads the body itself and answers bad ones in JSON-RPC.
 */
export function createApp(options: AppOptions): App {
  const { log, allowedHosts, allowedOrigins } = options;
  let draining = false;

  // Messages of these errors quote the request: only their class is logged.
  const onerror = (error: Error) => log.debug("The MCP endpoint reported an error", { error: error.name });
  const endpoint = createEndpoint({ ...options.endpoint, maxBodyBytes: MAX_BODY_BYTES, onerror });

  const refuseWhileDraining: RequestHandler = (_req, res, next) => {
    if (!draining) return next();
    res.set({ connection: "close", "retry-after": "5" });
    return sendProblem(res, 503, "Service unavailable", "This instance is being replaced. Try again.");
  };

  const app = express();
  app.disable("x-powered-by").disable("etag");
  app.use(identify, securityHeaders);
  app.get("/healthz", healthz);
  app.get(
    "/readyz",
    createReadyz({ checks: options.readiness, counters: options.counters ?? {}, isDraining: () => draining }),
  );
  if (options.landing) {
    const landing = createLanding(options.landing);
    app.get("/", landing).get("/mcp", forBrowsers(landing));
  }
  app.all(
    "/mcp",
    refuseWhileDraining,
    hostHeaderValidation([...allowedHosts]),
    originValidation([...allowedOrigins]),
    createAuthenticate(options.authenticate),
    ...(options.flood ? [createFloodGuard(options.flood, options.authenticate.audit)] : []),
    async (req, res) => {
      await exchange(req, res, (call) => endpoint.handle(call), MAX_BODY_BYTES);
    },
  );
  // Before the metadata of the protected resource, which brings some of an authorization server too.
  if (options.broker) app.use(hostHeaderValidation([...allowedHosts]), options.broker);
  if (options.protectedResource) app.use(protectedResourceMetadata(options.protectedResource));
  app.use(notFound, createErrorHandler(log));

  return {
    express: app,
    drain: () => {
      draining = true;
    },
    close: () => endpoint.close(),
  };
}

const SECURITY_HEADERS = new Map([
  ["strict-transport-security", "max-age=31536000; includeSubDomains"],
  ["x-content-type-options", "nosniff"],
  ["cache-control", "no-store"],
]);

const securityHeaders: RequestHandler = (_req, res, next) => {
  res.setHeaders(SECURITY_HEADERS);
  next();
};
