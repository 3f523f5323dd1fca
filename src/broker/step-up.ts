import type { RequestHandler, Response } from "express";
import type { Audit } from "../diagnostics.ts";
import { requestIdOf } from "../http/request-id.ts";
import { newSecret } from "./browser.ts";
import { SIGN_IN_MS } from "./lifetimes.ts";
import { PageError } from "./page-error.ts";
import { messagePage, PATHS, sendPage } from "./pages.ts";
import { accountIdOf, type GrantKey, type Sessions } from "./sessions.ts";
import type { Arrival, Trips } from "./trips.ts";
import type { Vault } from "./vault.ts";

/** A consent, or with claims a challenge, that waits for its person. */
interface StepUp {
  readonly grant: GrantKey;
  readonly claims?: string | undefined;
}

/** Notes what a grant's person has to do at Entra and makes the address where they do it; good for as long as a sign-in. */
export async function createStepUp(vault: Vault, issuer: string, grant: GrantKey, claims?: string): Promise<string> {
  const handle = newSecret();
  await vault.put({ kind: "step-up", id: handle }, { grant, claims } satisfies StepUp, SIGN_IN_MS);
  return `${issuer}${PATHS.stepUp(handle)}`;
}

/** The page behind such an address, and what happens when its person is back from Entra. */
export function createStepUpPage(options: {
  readonly vault: Vault;
  readonly sessions: Sessions;
  readonly trips: Trips;
  readonly audit: Audit;
}) {
  const begin: RequestHandler<{ handle: string }> = async (req, res) => {
    const { handle } = req.params;
    const waiting = await options.vault.get<StepUp>({ kind: "step-up", id: handle });
    if (!waiting) {
      const message = "Call the tool again in your client for a new one.";
      throw new PageError(messagePage("This address is used up", message, 400));
    }
    const { grant, claims } = waiting;
    await options.trips.leave(req, res, { purpose: { kind: "step-up", handle, grant }, claims });
  };

  async function finish(res: Response, grant: GrantKey, { account, tokens }: Arrival): Promise<void> {
    if (accountIdOf(account) !== accountIdOf(grant)) {
      const message = "This step is for the account that you use in your client. Try again.";
      throw new PageError(messagePage("Another account", message, 403));
    }
    if (!(await options.sessions.update(grant, tokens))) {
      throw new PageError(messagePage("This sign-in has ended", "Sign in again in your client.", 400));
    }
    const { tenantId, userId, clientId } = grant;
    const requestId = requestIdOf(res);
    options.audit({ event: "grant", decision: "stepped_up", requestId, tenantId, userId, clientId });
    sendPage(res, messagePage("Done", "Go back to your client and try again."));
  }

  return { begin, finish };
}
