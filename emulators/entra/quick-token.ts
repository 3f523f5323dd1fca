import type { RequestHandler } from "express";
import type { Authority } from "./authority.ts";
import { EntraError } from "./errors.ts";
import { issueAccessToken } from "./issue.ts";

/** What `/emulator/token` issues when the request does not say. */
export interface QuickToken {
  /** App id. */
  readonly client: string;
  /** Fully qualified. */
  readonly scope: string;
}

/** Answers an access token for `?user=` as plain text, to paste into a terminal; on the http origin only. */
export function quickToken(authority: Authority, defaults: QuickToken): RequestHandler {
  return async (req, res, next) => {
    if (req.secure) {
      next();
      return;
    }
    const { searchParams } = new URL(req.originalUrl, authority.origins.http);
    try {
      const token = await issueAccessToken(authority, {
        user: searchParams.get("user") ?? "",
        client: searchParams.get("client") ?? defaults.client,
        scope: searchParams.get("scope") ?? defaults.scope,
      });
      res.set("cache-control", "no-store").type("text").send(token);
    } catch (error) {
      if (!(error instanceof EntraError)) throw error;
      res.status(400).type("text").send(`AADSTS${error.number}: ${error.message}\n`);
    }
  };
}
