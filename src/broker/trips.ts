import type { Request, Response } from "express";
import { refusalOf } from "../auth/on-behalf-of.ts";
import type { Audit, Log } from "../diagnostics.ts";
import { requestIdOf } from "../http/request-id.ts";
import { isSameBrowser, markBrowser, newSecret } from "./browser.ts";
import { type Account, type Entra, type EntraRequest, ForeignTenantError } from "./entra.ts";
import { SIGN_IN_MS } from "./lifetimes.ts";
import { lost, PageError } from "./page-error.ts";
import { nextStepsPage, PATHS } from "./pages.ts";
import type { EntraTokens, GrantKey } from "./sessions.ts";
import type { Vault } from "./vault.ts";

/** What a person goes to Entra for. */
export type Purpose =
  | { readonly kind: "client"; readonly uid: string }
  | { readonly kind: "connections" }
  | { readonly kind: "step-up"; readonly handle: string; readonly grant: GrantKey };

/** Why somebody leaves for Entra, and the claims challenge that they have to meet there, as JSON. */
export interface Departure extends Pick<EntraRequest, "claims"> {
  readonly purpose: Purpose;
}

/** A trip to Entra, until it comes back in the same browser. */
interface Trip extends Pick<EntraRequest, "nonce" | "verifier"> {
  readonly purpose: Purpose;
  readonly browser: string;
}

/** Why Entra let nobody in, in words that are safe to show. */
export interface EntraRefusal {
  /** Error code of OAuth 2.0. */
  readonly error: string;
  /** Entra's own number, with its prefix. */
  readonly aadsts: string | undefined;
}

/** A person who is back from Entra. */
export interface Arrival {
  readonly account: Account;
  readonly tokens: EntraTokens;
  /** For `isSameBrowser`. */
  readonly browser: string;
}

/** Ways to Entra and back, each in one browser. */
export interface Trips {
  /** Sends a browser to Entra. */
  leave(req: Request, res: Response, trip: Departure): Promise<void>;
  /** Ends a trip. Throws {@link PageError} where it is none of this browser's, or the person can mend what went wrong. */
  arrive(req: Request, res: Response): Promise<{ readonly purpose: Purpose; readonly outcome: Arrival | EntraRefusal }>;
}

/** Numbers with which Entra says that somebody else has to consent first. */
const CONSENT_MISSING = new Set(["AADSTS65001", "AADSTS90094", "AADSTS90095"]);
/** Error codes of an authorization response (OAuth 2.0, OpenID Connect Core 1.0, Entra): others are nobody's to repeat. */
const ERROR_CODES = new Set([
  "access_denied",
  "consent_required",
  "interaction_required",
  "invalid_client",
  "invalid_request",
  "invalid_resource",
  "invalid_scope",
  "login_required",
  "temporarily_unavailable",
  "unauthorized_client",
]);

/** Sends people to Entra and takes them back: state, nonce and PKCE verifier of each trip are for one use in one browser. */
export function createTrips(options: {
  readonly entra: Entra;
  readonly vault: Vault;
  readonly adminConsent: (tenantId: string) => string;
  readonly audit: Audit;
  readonly log: Log;
}): Trips {
  const { entra, vault, audit, log } = options;

  /** Shows the administrator's link, and the way on from where the person is. */
  function throwIfConsentMissing({ aadsts = "" }: EntraRefusal, purpose: Purpose): void {
    if (!CONSENT_MISSING.has(aadsts)) return;
    const title = "An administrator has to allow this first";
    const message = `Nobody has allowed this server to use Microsoft Graph for you (${aadsts}). An administrator can, for everyone.`;
    throw new PageError(
      nextStepsPage({ title, message, status: 403 }, [
        { text: "Allow it as an administrator", href: options.adminConsent(entra.tenant) },
        { text: "Sign in again", href: startOf(purpose) },
      ]),
    );
  }

  function notLetIn({ account }: ForeignTenantError, res: Response, purpose: Purpose): PageError {
    const requestId = requestIdOf(res);
    audit({ event: "sign_in", decision: "denied", reason: "tenant_not_allowed", requestId, ...account });
    const title = "Not with this account";
    const message = "Its organisation may not use this server. Sign in with another account.";
    return new PageError(
      nextStepsPage({ title, message, status: 403 }, [{ text: "Sign in again", href: startOf(purpose) }]),
    );
  }

  return {
    async leave(req, res, { purpose, claims }) {
      const [state, nonce, verifier] = [newSecret(), newSecret(), newSecret()];
      const trip: Trip = { purpose, nonce, verifier, browser: markBrowser(req, res) };
      await vault.put({ kind: "trip", id: state }, trip, SIGN_IN_MS);
      res.redirect(303, entra.authorizeUrl({ state, nonce, verifier, claims }));
    },

    async arrive(req, res) {
      const { state, code } = req.query;
      const trip = typeof state === "string" ? await vault.take<Trip>({ kind: "trip", id: state }) : undefined;
      if (!trip || !isSameBrowser(req, trip.browser)) throw lost();
      const { purpose, browser } = trip;
      if (typeof code !== "string") {
        const refusal = refusalIn(req);
        log.warn("Entra ID refused a sign-in", { ...refusal });
        throwIfConsentMissing(refusal, purpose);
        return { purpose, outcome: refusal };
      }
      const { account, ...tokens } = await entra.redeem(code, trip).catch((cause: Error) => {
        if (cause instanceof ForeignTenantError) throw notLetIn(cause, res, purpose);
        const { errorCode = cause.name, errorNo } = refusalOf(cause);
        const refusal = { error: errorCode, aadsts: errorNo === undefined ? undefined : `AADSTS${errorNo}` };
        log.warn("A sign-in at Entra ID could not be completed", refusal);
        throwIfConsentMissing(refusal, purpose);
        const message = "Entra ID could not complete the sign-in.";
        throw new PageError(
          nextStepsPage({ title: "You are not signed in", message, status: 502 }, [
            { text: "Sign in again", href: startOf(purpose) },
          ]),
        );
      });
      return { purpose, outcome: { account, tokens, browser } };
    },
  };
}

/** Where a trip begins. */
function startOf(purpose: Purpose): string {
  if (purpose.kind === "client") return PATHS.signIn(purpose.uid);
  return purpose.kind === "step-up" ? PATHS.stepUp(purpose.handle) : PATHS.connections;
}

/** What Entra's redirect says; only words of the protocol and a number are taken from it, which went through a browser. */
function refusalIn({ query }: Request): EntraRefusal {
  const { error, error_description: description } = query;
  const [aadsts] = /^AADSTS\d{1,10}\b/.exec(typeof description === "string" ? description : "") ?? [];
  return { error: typeof error === "string" && ERROR_CODES.has(error) ? error : "server_error", aadsts };
}
