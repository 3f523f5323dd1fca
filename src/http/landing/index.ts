import type { Request, RequestHandler } from "express";
import type { LandingOptions } from "./options.ts";
import { renderLanding } from "./page.ts";
import { SCRIPT_SOURCE, STYLE_SOURCE } from "./sources.ts";
import { readVisitor } from "./visitor.ts";

export type { LandingOptions } from "./options.ts";

const HEADERS = {
  "content-security-policy": [
    "default-src 'none'",
    `style-src ${STYLE_SOURCE}`,
    `script-src ${SCRIPT_SOURCE}`,
    // The icon in the tab.
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

/**
 * Serves the page for people: what this server is, how to connect, and for whoever is signed in to App Service what
 * they may call. It shows, and decides nothing: a forged identity sees a page made for it and can do no more.
 */
export function createLanding(options: LandingOptions): RequestHandler {
  return (req, res) => {
    const visitor = options.authMode === "easy-auth" ? readVisitor(req.headers) : undefined;
    res.set(HEADERS).vary("Accept").type("html").send(renderLanding(options, visitor).markup);
  };
}

/** Lets only browsers through to the page; an MCP client that opens the same address names another type, or none. */
export function forBrowsers(landing: RequestHandler): RequestHandler {
  return (req, res, next) => (prefersHtml(req) ? landing(req, res, next) : next());
}

/** Accepting everything is not asking for a page: the first of two equals wins. */
function prefersHtml(req: Request): boolean {
  return req.accepts(["application/json", "text/event-stream", "text/html"]) === "text/html";
}
