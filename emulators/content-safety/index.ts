import express, { type ErrorRequestHandler, type RequestHandler } from "express";
import { createAccessTokenVerifier } from "../kernel/access-tokens.ts";
import type { Certificates } from "../kernel/certificates.ts";
import { listen } from "../kernel/listener.ts";
import { Traffic } from "../kernel/traffic.ts";
import { sendError } from "./errors.ts";
import { shieldPrompt } from "./shield-prompt.ts";
import { type ContentSafetySwitches, defaultSwitches } from "./switches.ts";

/** One Content Safety resource. */
export interface ContentSafetyOptions {
  /** Plain http origin of the Entra emulator, for its signing keys. */
  readonly entraOrigin: string;
  readonly tenantId: string;
  /** Object ids that hold the role Cognitive Services User; without the list everybody in the tenant does. */
  readonly users?: readonly string[];
  readonly certificates: Certificates;
  /** 0 (default) takes a free port. */
  readonly port?: number;
}

/** A running resource: Prompt Shields of the Content Safety REST API. */
export interface ContentSafety {
  /** The endpoint, https. */
  readonly origin: string;
  readonly switches: ContentSafetySwitches;
  readonly traffic: Traffic;
  /** The documents of each request that was analysed, in their order. */
  readonly analysed: readonly (readonly string[])[];
  close(): Promise<void>;
}

const AUDIENCE = "https://cognitiveservices.azure.com";
const FIRST_VERSION = "2024-09-01";
const BODY_LIMIT = "1mb";

/** Starts a resource on loopback. */
export async function startContentSafety(options: ContentSafetyOptions): Promise<ContentSafety> {
  const traffic = new Traffic();
  const switches = { ...defaultSwitches };
  const analysed: string[][] = [];
  const app = express()
    .disable("x-powered-by")
    .disable("etag")
    .use(traffic.middleware, requireUser(options), express.json({ limit: BODY_LIMIT }))
    .post("/contentsafety/text\\:shieldPrompt", requireVersion, shieldPrompt(switches, analysed))
    .use((_req, res) => sendError(res, 404, "404", "Resource not found"))
    .use(answerError);
  const listener = await listen("the Content Safety emulator", app, options);
  return { origin: listener.origin, switches, traffic, analysed, close: () => listener.close() };
}

function requireUser({ entraOrigin, tenantId, users }: ContentSafetyOptions): RequestHandler {
  const verify = createAccessTokenVerifier(entraOrigin, tenantId);
  return async (req, res, next) => {
    const token = /^Bearer +(\S+)$/i.exec(req.headers.authorization ?? "")?.[1];
    const claims = token === undefined ? undefined : await verify(token, AUDIENCE).catch(() => undefined);
    if (claims?.tid !== tenantId) {
      sendError(res, 401, "401", "Access denied due to invalid subscription key or wrong API endpoint.");
    } else if (users && !users.includes(claims.oid)) {
      sendError(res, 401, "PermissionDenied", "The principal lacks the required data action for this operation.");
    } else {
      next();
    }
  };
}

/** Versions before this one do not know Prompt Shields. */
const requireVersion: RequestHandler = (req, res, next) => {
  const version = req.query["api-version"];
  if (typeof version === "string" && version >= FIRST_VERSION) next();
  else sendError(res, 404, "404", "Resource not found");
};

const answerError: ErrorRequestHandler = (_error, _req, res, _next) => {
  sendError(res, 400, "InvalidRequestBody", "The request body is invalid.");
};
