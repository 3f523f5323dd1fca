import { createHash, randomBytes } from "node:crypto";
import { answerSignIn, Browser, type Page, type SignInChoices } from "./browser.ts";
import { OAuthSession } from "./mcp-clients.ts";

const CALLBACK = "http://127.0.0.1:53682/callback";

/** Who signs in at the broker, and what they decide about the client. */
export interface BrokerChoices extends SignInChoices {
  readonly browser?: Browser;
  /** Approve (default) or deny the client. */
  readonly approve?: boolean;
  readonly remember?: boolean;
}

/** A client that knows nothing but the server's URL: it registers itself, or names its metadata document. */
export class NewcomerSession extends OAuthSession {
  readonly clientMetadataUrl: string | undefined;
  #information: { client_id: string } | undefined;
  #current: ReturnType<OAuthSession["tokens"]>;
  registrations = 0;

  constructor(options: { readonly metadataUrl?: string; readonly redirectUrl?: string } = {}) {
    super("", options.redirectUrl ?? CALLBACK);
    this.clientMetadataUrl = options.metadataUrl;
  }
  override tokens = () => this.#current;
  override saveTokens = (tokens: NonNullable<ReturnType<OAuthSession["tokens"]>>) => {
    this.#current = tokens;
  };
  invalidateCredentials = () => {
    this.#current = undefined;
  };
  override clientInformation = () => this.#information;
  saveClientInformation = (information: { client_id: string }) => {
    this.#information = information;
    this.registrations += 1;
  };
}

/** Goes through Entra's pages, up to the broker's own page or, where none is shown, to the client. */
export async function reachConsent(authorizeUrl: string | URL, choices: BrokerChoices): Promise<Page> {
  const browser = choices.browser ?? new Browser();
  const leaves = leavesTo(authorizeUrl);
  const first = await browser.open(authorizeUrl, leaves);
  return answerSignIn(browser, first, choices, leaves);
}

/** Signs in and decides, and returns where the browser is sent at last: the client's redirect URI. */
export async function signInAtBroker(authorizeUrl: string | URL, choices: BrokerChoices): Promise<URL> {
  const browser = choices.browser ?? new Browser();
  const leaves = leavesTo(authorizeUrl);
  const page = await reachConsent(authorizeUrl, { ...choices, browser });
  const [form] = page.forms;
  if (leaves(page.url)) return page.url;
  if (!form) throw new Error(`No consent page: ${page.status} ${page.html}`);
  const decided = await browser.submit(
    form,
    {
      button: choices.approve === false ? "deny" : "approve",
      fields: { remember: choices.remember === true ? "yes" : "" },
    },
    leaves,
  );
  if (!leaves(decided.url)) throw new Error(`The browser stayed: ${decided.status} ${decided.html}`);
  return decided.url;
}

/** Whether an address is neither the broker's nor the local Entra's, which are on `localhost`, as the client may be. */
function leavesTo(authorizeUrl: string | URL): (url: URL) => boolean {
  const { hostname, searchParams } = new URL(authorizeUrl);
  const redirectUri = searchParams.get("redirect_uri");
  return (url) => url.hostname !== hostname || url.origin + url.pathname === redirectUri;
}

/** A client that speaks OAuth to the broker by hand, for what no honest client does. */
export interface RawClient {
  readonly clientId: string;
  readonly redirectUri: string;
  readonly verifier: string;
  /** The address to open; `changes` replace parameters, `undefined` leaves one out. */
  authorizeUrl(changes?: Readonly<Record<string, string | undefined>>): URL;
  /** Exchanges a code. */
  redeem(code: string, changes?: Readonly<Record<string, string>>): Promise<TokenAnswer>;
  refresh(refreshToken: string): Promise<TokenAnswer>;
  revoke(token: string): Promise<Response>;
}

/** What the token endpoint answered. */
export interface TokenAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, string>>;
}

/** Registers a client at the broker. */
export async function register(origin: string, metadata: Readonly<Record<string, unknown>> = {}): Promise<Response> {
  return fetch(`${origin}/oauth/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ client_name: "Tests", redirect_uris: [CALLBACK], ...metadata }),
  });
}

/** Registers a client and speaks for it. */
export async function createRawClient(
  origin: string,
  options: { readonly redirectUri?: string; readonly clientId?: string } = {},
): Promise<RawClient> {
  const redirectUri = options.redirectUri ?? CALLBACK;
  const registered = async () => {
    const response = await register(origin, { redirect_uris: [redirectUri] });
    return ((await response.json()) as { client_id: string }).client_id;
  };
  const clientId = options.clientId ?? (await registered());
  const verifier = randomBytes(32).toString("base64url");
  const resource = `${origin}/mcp`;
  const post = async (path: string, fields: Readonly<Record<string, string>>) =>
    fetch(`${origin}${path}`, { method: "POST", body: new URLSearchParams(fields) });
  const token = async (fields: Readonly<Record<string, string>>): Promise<TokenAnswer> => {
    const response = await post("/oauth/token", { client_id: clientId, resource, ...fields });
    return { status: response.status, body: (await response.json()) as Record<string, string> };
  };
  return {
    clientId,
    redirectUri,
    verifier,
    authorizeUrl(changes = {}) {
      const url = new URL(`${origin}/oauth/authorize`);
      const parameters: Record<string, string | undefined> = {
        client_id: clientId,
        response_type: "code",
        redirect_uri: redirectUri,
        scope: `${resource}/user_impersonation`,
        resource,
        state: "abc",
        code_challenge: createHash("sha256").update(verifier).digest("base64url"),
        code_challenge_method: "S256",
        ...changes,
      };
      for (const [name, value] of Object.entries(parameters))
        if (value !== undefined) url.searchParams.set(name, value);
      return url;
    },
    redeem: (code, changes = {}) =>
      token({ grant_type: "authorization_code", code, redirect_uri: redirectUri, code_verifier: verifier, ...changes }),
    refresh: (refreshToken) => token({ grant_type: "refresh_token", refresh_token: refreshToken }),
    revoke: (revoked) => post("/oauth/revoke", { client_id: clientId, token: revoked }),
  };
}
