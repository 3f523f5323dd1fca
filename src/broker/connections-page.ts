import type { Request, RequestHandler, Response } from "express";
import { requestIdOf } from "../http/request-id.ts";
import { cookieOf, formOf, newSecret, requireOwnForm, setCookie } from "./browser.ts";
import type { Connections } from "./connections.ts";
import type { Account } from "./entra.ts";
import type { EndGrant } from "./grant-end.ts";
import { SIGN_IN_MS } from "./lifetimes.ts";
import { lost } from "./page-error.ts";
import { connectionsPage, PATHS, sendPage } from "./pages.ts";
import type { Arrival, Trips } from "./trips.ts";
import type { Vault } from "./vault.ts";

/** The browser of a person on their own page. */
interface Visit {
  readonly csrf: string;
  readonly account: Account;
}

const VISIT_COOKIE = "__Host-visit";

/** The page where a person sees and ends what they let in. */
export function createConnectionsPage(options: {
  readonly vault: Vault;
  readonly connections: Connections;
  readonly endGrant: EndGrant;
  readonly trips: Trips;
}) {
  const { vault, connections } = options;

  async function visitOf(req: Request): Promise<Visit | undefined> {
    const visit = cookieOf(req, VISIT_COOKIE);
    return visit === undefined ? undefined : vault.get<Visit>({ kind: "visit", id: visit });
  }

  async function begin(res: Response, { account }: Arrival): Promise<void> {
    const visit = newSecret();
    const value: Visit = { csrf: newSecret(), account };
    await vault.put({ kind: "visit", id: visit }, value, SIGN_IN_MS);
    setCookie(res, VISIT_COOKIE, visit);
    res.redirect(303, PATHS.connections);
  }

  const show: RequestHandler = async (req, res) => {
    const visit = await visitOf(req);
    if (!visit) return options.trips.leave(req, res, { purpose: { kind: "connections" } });
    sendPage(res, connectionsPage(await connections.list(visit.account), visit.account, visit.csrf));
  };

  const end: RequestHandler = async (req, res) => {
    const visit = await visitOf(req);
    if (!visit) throw lost();
    const form = formOf(req);
    requireOwnForm(req, form, visit.csrf);
    const requestId = requestIdOf(res);
    await connections.remove(visit.account, form["end"] ?? "", (grantId) =>
      options.endGrant(grantId, { reason: "signed_out", requestId }),
    );
    res.redirect(303, PATHS.connections);
  };

  return { begin, show, end };
}
