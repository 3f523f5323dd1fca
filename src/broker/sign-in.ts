import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import express, { type Request, type RequestHandler, type Response, Router } from "express";
import type { InteractionResults, Provider } from "oidc-provider";
import { refusalOf } from "../auth/on-behalf-of.ts";
import type { Principal } from "../auth/principal.ts";
import type { Audit, Log } from "../diagnostics.ts";
import type { ConnectedClient, Connections } from "./connections.ts";
import type { Account, Entra, EntraRequest } from "./entra.ts";
import {
  connectionsPage,
  consentPage,
  displayNameOf,
  messagePage,
  type OfferedTool,
  type Page,
  placeOf,
  sendPage,
} from "./pages.ts";
import { accountIdOf, SIGN_IN_SECONDS } from "./provider.ts";
import { isLoopback } from "./redirects.ts";
import type { EntraTokens, GrantKey, Sessions } from "./sessions.ts";
import type { Vault } from "./vault.ts";

/** What the pages work with. */
export interface SignInOptions {
  /** The authorization server with the keys in use. */
  readonly provider: () => Promise<Provider>;
  readonly entra: Entra;
  readonly vault: Vault;
  readonly sessions: Sessions;
  readonly connections: Connections;
  readonly endGrant: (grantId: string) => Promise<void>;
  /** Tools that this principal would have. */
  readonly offeredTools: (principal: Principal) => readonly OfferedTool[];
  /** Short name of the scope. */
  readonly scope: string;
  readonly audit: Audit;
  readonly log: Log;
}

/** What a person went to Entra for. */
type Purpose =
  | { readonly kind: "client"; readonly uid: string }
  | { readonly kind: "connections" }
  | { readonly kind: "step-up"; readonly grant: GrantKey };

/** A trip to Entra, until it comes back in the same browser. */
interface Trip extends Pick<EntraRequest, "nonce" | "verifier"> {
  readonly purpose: Purpose;
  readonly browser: string;
}

/** A person who came back from Entra and has to decide about a client. */
interface Decision {
  readonly browser: string;
  readonly csrf: string;
  readonly account: Account;
  readonly tokens: EntraTokens;
}

/** The browser of a person on their own page. */
interface Visit {
  readonly csrf: string;
  readonly account: Account;
}

/** A consent, or with claims a challenge, that waits for its person. */
interface StepUp {
  readonly grant: GrantKey;
  readonly claims?: string | undefined;
}

const SIGN_IN_MS = SIGN_IN_SECONDS * 1000;
const BROWSER_COOKIE = "__Host-browser";
const VISIT_COOKIE = "__Host-visit";
const MAX_FORM = "8kb";
const SECRET = /^[\w-]{43}$/;

/** Paths of the pages. */
const PAGES = {
  signIn: "/oauth/sign-in/:uid",
  callback: "/oauth/entra/callback",
  consent: "/oauth/consent/:uid",
  stepUp: "/oauth/step-up/:handle",
  connections: "/oauth/connections",
} as const;

/** A page instead of what was asked for. */
class PageError extends Error {
  override readonly name = "PageError";
  readonly page: Page;
  constructor(title: string, message: string, status = 400) {
    super(title);
    this.page = messagePage(title, message, status);
  }
}

/** Notes what a grant's person has to do at Entra and makes the address where they do it; good for as long as a sign-in. */
export async function createStepUp(vault: Vault, issuer: string, grant: GrantKey, claims?: string): Promise<string> {
  const handle = newSecret();
  await vault.put({ kind: "step-up", id: handle }, { grant, claims } satisfies StepUp, SIGN_IN_MS);
  return `${issuer}/oauth/step-up/${handle}`;
}

/**
 * The pages of a sign-in: to Entra and back, then the person's approval for this client, every time unless they chose
 * to be remembered; and the page where they end what they let in.
 *
 * The browser that left for Entra is the one that may come back and decide: a cookie of its own is bound to every step.
 */
export function createSignInPages(options: SignInOptions): Router {
  const { entra, vault, sessions, connections } = options;

  async function leaveForEntra(
    res: Response,
    purpose: Purpose,
    more: Pick<EntraRequest, "claims" | "loginHint"> = {},
  ): Promise<void> {
    const [state, nonce, verifier, browser] = [newSecret(), newSecret(), newSecret(), newSecret()];
    const trip: Trip = { purpose, nonce, verifier, browser: digest(browser) };
    await vault.put({ kind: "trip", id: state }, trip, SIGN_IN_MS);
    setCookie(res, BROWSER_COOKIE, browser);
    res.redirect(303, entra.authorizeUrl({ state, nonce, verifier, ...more }));
  }

  /** The client's request that this browser is in the middle of. */
  async function interactionOf(req: Request, res: Response, uid: string) {
    const provider = await options.provider();
    const interaction = await provider.interactionDetails(req, res).catch(() => undefined);
    if (interaction?.uid !== uid) throw lost();
    const client = await provider.Client.find(String(interaction.params["client_id"]));
    if (!client) throw lost();
    const connected: ConnectedClient = {
      clientId: client.clientId,
      redirectUri: String(interaction.params["redirect_uri"]),
      name: displayNameOf(client.clientName),
      place: placeOf(client.clientId),
    };
    return { provider, interaction, client: connected };
  }

  const signIn: RequestHandler<{ uid: string }> = async (req, res) => {
    const { interaction } = await interactionOf(req, res, req.params.uid);
    await leaveForEntra(res, { kind: "client", uid: interaction.uid });
  };

  const stepUp: RequestHandler<{ handle: string }> = async (req, res) => {
    const waiting = await vault.get<StepUp>({ kind: "step-up", id: req.params.handle });
    if (!waiting) throw new PageError("This address is used up", "Call the tool again in your client for a new one.");
    await leaveForEntra(res, { kind: "step-up", grant: waiting.grant }, { claims: waiting.claims });
  };

  const callback: RequestHandler = async (req, res) => {
    const { state, code } = req.query;
    const trip = typeof state === "string" ? await vault.take<Trip>({ kind: "trip", id: state }) : undefined;
    if (!trip || !isSameBrowser(req, trip.browser)) throw lost();
    const { purpose } = trip;
    if (typeof code !== "string") {
      if (purpose.kind === "client") return refuse(req, res, purpose.uid, "access_denied");
      throw new PageError("You are not signed in", "Entra ID ended the sign-in. Try again.");
    }
    const { account, ...tokens } = await entra.redeem(code, trip).catch((cause: Error) => {
      const { errorCode = cause.name, errorNo } = refusalOf(cause);
      options.log.warn("A sign-in at Entra ID could not be completed", { error: errorCode, aadsts: errorNo });
      throw new PageError("You are not signed in", "Entra ID could not complete the sign-in. Start again.", 502);
    });
    switch (purpose.kind) {
      case "client":
        return decideOrAsk(req, res, purpose.uid, { browser: trip.browser, csrf: newSecret(), account, tokens });
      case "step-up":
        return finishStepUp(res, purpose.grant, account, tokens);
      case "connections": {
        const visit = newSecret();
        await vault.put({ kind: "visit", id: visit }, { csrf: newSecret(), account } satisfies Visit, SIGN_IN_MS);
        setCookie(res, VISIT_COOKIE, visit);
        res.redirect(303, PAGES.connections);
      }
    }
  };

  async function decideOrAsk(req: Request, res: Response, uid: string, decision: Decision): Promise<void> {
    const { client, interaction } = await interactionOf(req, res, uid);
    const mustAsk = !canRemember(client) || String(interaction.params["prompt"]).split(" ").includes("consent");
    if (!mustAsk && (await connections.isRemembered(decision.account, client))) {
      return approve(req, res, uid, decision, { remember: true });
    }
    await vault.put({ kind: "decision", id: uid }, decision, SIGN_IN_MS);
    res.redirect(303, `/oauth/consent/${uid}`);
  }

  async function finishStepUp(res: Response, grant: GrantKey, account: Account, tokens: EntraTokens): Promise<void> {
    if (accountIdOf(account) !== accountIdOf(grant)) {
      throw new PageError(
        "Another account",
        "This step is for the account that you use in your client. Try again.",
        403,
      );
    }
    if (!(await sessions.update(grant, tokens))) {
      throw new PageError("This sign-in has ended", "Sign in again in your client.");
    }
    sendPage(res, messagePage("Done", "Go back to your client and try again."));
  }

  /** The decision that this browser has to make; `take` makes it the last time. */
  async function decisionOf(req: Request, uid: string, take: boolean): Promise<Decision> {
    const entry = { kind: "decision", id: uid };
    const decision = await vault.get<Decision>(entry);
    if (!decision || !isSameBrowser(req, decision.browser)) throw lost();
    if (take && !(await vault.take(entry))) throw lost();
    return decision;
  }

  const showConsent: RequestHandler<{ uid: string }> = async (req, res) => {
    const { uid } = req.params;
    const { client } = await interactionOf(req, res, uid);
    const { account, csrf, tokens } = await decisionOf(req, uid, false);
    const principal = { ...account, clientId: client.clientId, scopes: [options.scope], roles: tokens.roles };
    sendPage(
      res,
      consentPage(client, account, {
        tools: options.offeredTools(principal),
        action: `/oauth/consent/${uid}`,
        csrf,
        canRemember: canRemember(client),
      }),
    );
  };

  const decide: RequestHandler<{ uid: string }> = async (req, res) => {
    const { uid } = req.params;
    const form = formOf(req);
    await interactionOf(req, res, uid);
    const { csrf } = await decisionOf(req, uid, false);
    requireOwnForm(req, form, csrf);
    const decision = await decisionOf(req, uid, true);
    if (form["decision"] !== "approve") {
      const { client } = await interactionOf(req, res, uid);
      options.audit({
        event: "sign_in",
        decision: "denied",
        reason: "consent_denied",
        requestId: String(res.locals["requestId"]),
        tenantId: decision.account.tenantId,
        userId: decision.account.userId,
        clientId: client.clientId,
      });
      return refuse(req, res, uid, "access_denied");
    }
    return approve(req, res, uid, decision, { remember: form["remember"] === "yes" });
  };

  async function approve(
    req: Request,
    res: Response,
    uid: string,
    { account, tokens }: Decision,
    { remember }: { readonly remember: boolean },
  ): Promise<void> {
    const { provider, interaction, client } = await interactionOf(req, res, uid);
    const accountId = accountIdOf(account);
    const grant = new provider.Grant({ accountId, clientId: client.clientId });
    for (const resource of [interaction.params["resource"]].flat()) {
      grant.addResourceScope(String(resource), String(interaction.params["scope"]));
    }
    const grantId = await grant.save();
    await sessions.create({ ...account, clientId: client.clientId, grantId }, tokens);
    const tooMany = await connections.add(account, client, {
      id: grantId,
      remember: remember && canRemember(client),
    });
    await Promise.all(tooMany.map((old) => options.endGrant(old)));
    await finish(req, res, provider, {
      login: { accountId, remember: false },
      consent: { grantId },
      select_account: {},
    });
  }

  async function refuse(req: Request, res: Response, uid: string, error: string): Promise<void> {
    const { provider } = await interactionOf(req, res, uid);
    await finish(req, res, provider, { error, error_description: "The person did not let this client in." });
  }

  async function finish(req: Request, res: Response, provider: Provider, result: InteractionResults): Promise<void> {
    clearCookie(res, BROWSER_COOKIE);
    res.redirect(303, await provider.interactionResult(req, res, result));
  }

  async function visitOf(req: Request): Promise<Visit | undefined> {
    const visit = cookieOf(req, VISIT_COOKIE);
    return visit === undefined ? undefined : vault.get<Visit>({ kind: "visit", id: visit });
  }

  const showConnections: RequestHandler = async (req, res) => {
    const visit = await visitOf(req);
    if (!visit) return leaveForEntra(res, { kind: "connections" });
    sendPage(res, connectionsPage(await connections.list(visit.account), visit.account, visit.csrf));
  };

  const endConnection: RequestHandler = async (req, res) => {
    const visit = await visitOf(req);
    if (!visit) throw lost();
    const form = formOf(req);
    requireOwnForm(req, form, visit.csrf);
    const grants = await connections.remove(visit.account, form["end"] ?? "");
    await Promise.all(grants.map((grantId) => options.endGrant(grantId)));
    res.redirect(303, PAGES.connections);
  };

  const form = express.urlencoded({ extended: false, limit: MAX_FORM });
  const router = Router();
  router.get(PAGES.signIn, signIn);
  router.get(PAGES.callback, callback);
  router.get(PAGES.consent, showConsent);
  router.post(PAGES.consent, form, decide);
  router.get(PAGES.stepUp, stepUp);
  router.get(PAGES.connections, showConnections);
  router.post(PAGES.connections, form, endConnection);
  router.use("/oauth", (error: unknown, _req: Request, res: Response, next: (error: unknown) => void) => {
    if (error instanceof PageError) sendPage(res, error.page);
    else next(error);
  });
  return router;
}

/**
 * Codes for the loopback address can be caught by any program on the computer: such a client is approved every time.
 * Source: RFC 8252, section 8.6.
 */
function canRemember({ redirectUri }: ConnectedClient): boolean {
  return !isLoopback(redirectUri);
}

function lost(): PageError {
  return new PageError(
    "This sign-in cannot go on",
    "It took too long, was replaced by another one, or was started in another browser. Start again in your client.",
  );
}

function newSecret(): string {
  return randomBytes(32).toString("base64url");
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}

function isSameBrowser(req: Request, expected: string): boolean {
  const cookie = cookieOf(req, BROWSER_COOKIE);
  return cookie !== undefined && timingSafeEqual(Buffer.from(digest(cookie)), Buffer.from(expected));
}

/** The page's own token, and where the browser says so also its own origin. */
function requireOwnForm(req: Request, form: Readonly<Record<string, string>>, csrf: string): void {
  const site = req.headers["sec-fetch-site"];
  const sent = form["csrf"] ?? "";
  const matches = SECRET.test(sent) && timingSafeEqual(Buffer.from(sent), Buffer.from(csrf));
  if (!matches || (site !== undefined && site !== "same-origin")) throw lost();
}

function formOf({ body }: Request): Readonly<Record<string, string>> {
  const fields: Record<string, unknown> = (body as Record<string, unknown> | undefined) ?? {};
  return Object.fromEntries(
    Object.entries(fields).filter((field): field is [string, string] => typeof field[1] === "string"),
  );
}

function cookieOf({ headers }: Request, name: string): string | undefined {
  const found = headers.cookie
    ?.split(/;\s*/)
    .find((pair) => pair.startsWith(`${name}=`))
    ?.slice(name.length + 1);
  return found !== undefined && SECRET.test(found) ? found : undefined;
}

function setCookie(res: Response, name: string, value: string): void {
  res.cookie(name, value, { httpOnly: true, secure: true, sameSite: "lax", path: "/", maxAge: SIGN_IN_MS });
}

function clearCookie(res: Response, name: string): void {
  res.clearCookie(name, { httpOnly: true, secure: true, sameSite: "lax", path: "/" });
}
