import type { ErrorRequestHandler } from "express";
import type { Log } from "../diagnostics.ts";
import { requestIdOf } from "../http/request-id.ts";
import { messagePage, notNowPage, type Page, sendPage } from "./pages.ts";

/** A page instead of what was asked for. */
export class PageError extends Error {
  override readonly name = "PageError";
  readonly page: Page;
  constructor(page: Page) {
    super(page.title);
    this.page = page;
  }
}

/** The answer to a request that belongs to no sign-in of this browser, or to one that is over. */
export function lost(): PageError {
  return new PageError(
    messagePage(
      "This sign-in cannot go on",
      "It took too long, is over already, or was started in another browser. Start again in your client.",
      400,
    ),
  );
}

/** Answers a person with a page whatever happened; of what nobody expected the class is logged. */
export function createPageErrorHandler(log: Log): ErrorRequestHandler {
  return (error: unknown, _req, res, _next) => {
    if (error instanceof PageError) return sendPage(res, error.page);
    if (isBadRequest(error)) return sendPage(res, lost().page);
    const name = error instanceof Error ? error.name : typeof error;
    log.error("A page of the sign-in failed", { requestId: requestIdOf(res), error: name });
    sendPage(res, notNowPage());
  };
}

/** Express gives its own errors (a malformed path, a form that is too large) a status below 500. */
function isBadRequest(error: unknown): boolean {
  const status = (error as { status?: unknown } | null)?.status;
  return typeof status === "number" && status >= 400 && status < 500;
}
