import type { Request, RequestHandler, Response } from "express";
import { errors, type InteractionResults, type Provider } from "oidc-provider";
import type { Principal } from "../auth/principal.ts";
import type { Audit } from "../diagnostics.ts";
import { requestIdOf } from "../http/request-id.ts";
import { clearCookie, formOf, isSameBrowser, newSecret, requireOwnForm } from "./browser.ts";
import type { ConnectedClient, Connections } from "./connections.ts";
import type { EndGrant } from "./grant-end.ts";
import { SIGN_IN_MS } from "./lifetimes.ts";
import { lost } from "./page-error.ts";
import { consentPage, displayNameOf, type OfferedTool, PATHS, placeOf, sendPage } from "./pages.ts";
import { chooseSignIn, cookieNamesOf } from "./provider-cookies.ts";
import { isLoopback } from "./redirects.ts";
import { accountIdOf, type Sessions } from "./sessions.ts";
import type { Arrival, EntraRefusal, Trips } from "./trips.ts";
import type { Entry, Vault } from "./vault.ts";

/** What a client's sign-in works with. */
export interface SignInOptions {
  /** The authorization server with the keys in use. */
  readonly provider: () => Promise<Provider>;
  readonly vault: Vault;
  readonly sessions: Sessions;
  readonly connections: Connections;
  readonly trips: Trips;
  readonly endGrant: EndGrant;
  /** Tools that this principal would have. */
  readonly offeredTools: (principal: Principal) => readonly OfferedTool[];
  /** Short name of the scope. */
  readonly scope: string;
  readonly audit: Audit;
}

/** A client's request that a browser is in the middle of, as the request for one of its pages found it. */
interface UnderWay {
  readonly req: Request;
  readonly res: Response;
  readonly provider: Provider;
  readonly interaction: Awaited<ReturnType<Provider["interactionDetails"]>>;
  readonly client: ConnectedClient;
}

/** A person who came back from Entra and has to decide about a client. */
interface Decision extends Arrival {
  readonly csrf: string;
}

/** Entra's number for a person who did not consent. */
const DECLINED = "AADSTS65004";
const NOT_LET_IN = { error: "access_denied", error_description: "The person did not let this client in." } as const;

/**
 * A client's sign-in: to Entra and back, then the person's approval for this client, every time unless they chose to be
 * remembered.
 *
 * The browser that left for Entra is the one that may come back and decide: a cookie of its own is bound to every step.
 */
export function createSignIn(options: SignInOptions) {
  const { vault, sessions, connections, audit } = options;

  /** Finds the client's request that this browser is in the middle of. */
  async function findUnderWay(req: Request, res: Response, uid: string): Promise<UnderWay> {
    const provider = await options.provider();
    chooseSignIn(req, uid);
    const interaction = await provider.interactionDetails(req, res).catch((error: unknown) => {
      throw error instanceof errors.SessionNotFound ? lost() : error;
    });
    if (interaction.uid !== uid) throw lost();
    const client = await provider.Client.find(String(interaction.params["client_id"]));
    if (!client) throw lost();
    const connected: ConnectedClient = {
      clientId: client.clientId,
      redirectUri: String(interaction.params["redirect_uri"]),
      name: displayNameOf(client.clientName),
      place: placeOf(client.clientId),
    };
    return { req, res, provider, interaction, client: connected };
  }

  const begin: RequestHandler<{ uid: string }> = async (req, res) => {
    const { interaction } = await findUnderWay(req, res, req.params.uid);
    await options.trips.leave(req, res, { purpose: { kind: "client", uid: interaction.uid } });
  };

  async function arrived(req: Request, res: Response, uid: string, arrival: Arrival): Promise<void> {
    const signIn = await findUnderWay(req, res, uid);
    const { client, interaction } = signIn;
    const mustAsk = !canRemember(client) || String(interaction.params["prompt"]).split(" ").includes("consent");
    if (!mustAsk && (await connections.isRemembered(arrival.account, client))) {
      return approve(signIn, { ...arrival, remember: true, reason: "remembered" });
    }
    const decision: Decision = { ...arrival, csrf: newSecret() };
    await vault.put(decisionEntry(uid), decision, SIGN_IN_MS);
    res.redirect(303, PATHS.consent(uid));
  }

  /** Entra let nobody in, and nothing that the person could do here would change that: the client hears what it was. */
  async function refused(req: Request, res: Response, uid: string, { error, aadsts }: EntraRefusal): Promise<void> {
    const signIn = await findUnderWay(req, res, uid);
    const number = aadsts === undefined ? "" : ` (${aadsts})`;
    if (error === "temporarily_unavailable" || error === "server_error") {
      const description = `Entra ID could not complete the sign-in${number}. Try again in a minute.`;
      return finish(signIn, { error, error_description: description });
    }
    const isPerson = error === "access_denied" && (aadsts === undefined || aadsts === DECLINED);
    const { clientId } = signIn.client;
    const reason = isPerson ? "consent_denied" : "entra_refused";
    audit({ event: "sign_in", decision: "denied", reason, requestId: requestIdOf(res), clientId });
    if (isPerson) return finish(signIn, NOT_LET_IN);
    const description = `Entra ID did not let the person sign in${number}.`;
    return finish(signIn, { error: "access_denied", error_description: description });
  }

  /** The decision that this browser has to make. */
  async function decisionOf(req: Request, uid: string): Promise<Decision> {
    const decision = await vault.get<Decision>(decisionEntry(uid));
    if (!decision || !isSameBrowser(req, decision.browser)) throw lost();
    return decision;
  }

  const showConsent: RequestHandler<{ uid: string }> = async (req, res) => {
    const { uid } = req.params;
    const { client } = await findUnderWay(req, res, uid);
    const { account, csrf, tokens } = await decisionOf(req, uid);
    const principal = { ...account, clientId: client.clientId, scopes: [options.scope], roles: tokens.roles };
    sendPage(
      res,
      consentPage(client, account, {
        tools: options.offeredTools(principal),
        action: PATHS.consent(uid),
        csrf,
        canRemember: canRemember(client),
      }),
    );
  };

  const decide: RequestHandler<{ uid: string }> = async (req, res) => {
    const { uid } = req.params;
    const form = formOf(req);
    const signIn = await findUnderWay(req, res, uid);
    const decision = await decisionOf(req, uid);
    requireOwnForm(req, form, decision.csrf);
    // Of two answers at once, one counts.
    if (!(await vault.take(decisionEntry(uid)))) throw lost();
    if (form["decision"] === "approve") {
      return approve(signIn, { ...decision, remember: form["remember"] === "yes" });
    }
    const { tenantId, userId } = decision.account;
    const { clientId } = signIn.client;
    const requestId = requestIdOf(res);
    audit({ event: "sign_in", decision: "denied", reason: "consent_denied", requestId, tenantId, userId, clientId });
    return finish(signIn, NOT_LET_IN);
  };

  async function approve(
    signIn: UnderWay,
    { account, tokens, remember, reason }: Arrival & { readonly remember: boolean; readonly reason?: "remembered" },
  ): Promise<void> {
    const { provider, interaction, client } = signIn;
    const { tenantId, userId } = account;
    const { clientId } = client;
    const accountId = accountIdOf(account);
    const requestId = requestIdOf(signIn.res);
    const grant = new provider.Grant({ accountId, clientId });
    for (const resource of [interaction.params["resource"]].flat()) {
      grant.addResourceScope(String(resource), String(interaction.params["scope"]));
    }
    const grantId = await grant.save();
    await sessions.create({ tenantId, userId, clientId, grantId }, tokens);
    const tooMany = await connections.add(account, client, {
      id: grantId,
      remember: remember && canRemember(client),
    });
    audit({ event: "grant", decision: "approved", reason, requestId, tenantId, userId, clientId });
    await Promise.all(tooMany.map((old) => options.endGrant(old, { reason: "too_many", requestId })));
    await finish(signIn, {
      login: { accountId, remember: false },
      consent: { grantId },
      select_account: {},
    });
  }

  return { begin, arrived, refused, showConsent, decide };
}

/** Sends the browser on to the client. */
async function finish({ req, res, provider, interaction }: UnderWay, result: InteractionResults): Promise<void> {
  for (const name of cookieNamesOf(interaction.uid)) clearCookie(res, name);
  res.redirect(303, await provider.interactionResult(req, res, result));
}

function decisionEntry(uid: string): Entry {
  return { kind: "decision", id: uid };
}

/**
 * Codes for the loopback address can be caught by any program on the computer: such a client is approved every time.
 * Source: RFC 8252, section 8.6.
 */
function canRemember({ redirectUri }: ConnectedClient): boolean {
  return !isLoopback(redirectUri);
}
