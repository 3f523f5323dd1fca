import type { AccountInfo, AuthenticationResult, INativeBrokerPlugin } from "@azure/msal-node";
import type { Log } from "../diagnostics.ts";
import { createMsalNetwork } from "../platform/msal-network.ts";
import type { TokenCache } from "./token-cache.ts";

/** A person who signed in, with a token for what was asked. */
export interface Session {
  readonly account: Account;
  readonly accessToken: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** A person whose sign-in is kept. */
export interface Account {
  /** User principal name. */
  readonly username: string;
  /** Object id in `tenantId`. */
  readonly userId: string;
  readonly tenantId: string;
}

/** What a token is for. */
export interface TokenRequest {
  readonly scopes: readonly string[];
  /** Claims challenge as JSON: no token that is known already can answer it. */
  readonly claims?: string | undefined;
}

/** A code that the person enters on another page, on any device. */
export interface DeviceCode {
  readonly url: string;
  readonly code: string;
}

/** Entra ID as a public client sees it. Every method rejects with MSAL's errors, or with those of the cache. */
export interface PublicClient {
  /** Whether the operating system signs people in, in a window of its own. */
  readonly hasBroker: boolean;
  accounts(): Promise<readonly Account[]>;
  /** A token that needs nobody: known, or for the refresh token. */
  silently(account: Account, request: TokenRequest): Promise<Session>;
  /** The broker's window, or authorization code with PKCE and an answer to a port of this machine; waits until `signal` aborts. */
  byBrowser(
    request: TokenRequest,
    options: {
      /** Undefined lets the person pick an account. */
      readonly username: string | undefined;
      readonly openBrowser: (url: string) => Promise<void>;
      readonly signal: AbortSignal;
    },
  ): Promise<Session>;
  /** Device code; waits until the code expires or `signal` aborts. */
  byDeviceCode(
    request: TokenRequest,
    options: { readonly show: (code: DeviceCode) => void; readonly signal: AbortSignal },
  ): Promise<Session>;
  remove(account: Account): Promise<void>;
}

/** How to reach Entra ID. */
export interface PublicClientOptions {
  readonly clientId: string;
  /** With the tenant, for example `https://login.microsoftonline.com/contoso.com`. */
  readonly authority: string;
  readonly cache: TokenCache | undefined;
  readonly log: Log;
}

/** Time limit of one request to Entra ID. */
const OUTSIDE_CALL_MS = 8_000;
const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);
const BROKER_PACKAGE = "@azure/msal-node-extensions";
const page = (text: string) =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>azure-graph-mcp</title><p>${text}</p></html>`;
const SIGNED_IN = page("You are signed in. Go back to your client; this page can be closed.");
const NOT_SIGNED_IN = page("You are not signed in. Your client says why; this page can be closed.");

/** Builds the client on MSAL; loaded with it when the first call needs a token. */
export async function createPublicClient(options: PublicClientOptions): Promise<PublicClient> {
  const { clientId, authority, cache, log } = options;
  const [{ PublicClientApplication }, nativeBrokerPlugin] = await Promise.all([
    import("@azure/msal-node"),
    loadBroker(log),
  ]);
  const { host, hostname } = new URL(authority);
  const app = new PublicClientApplication({
    auth: {
      clientId,
      authority,
      // Tells Entra ID that claims challenges are understood here (continuous access evaluation).
      clientCapabilities: ["cp1"],
      // MSAL would ask login.microsoftonline.com whether it knows this host.
      ...(LOOPBACK.has(hostname) && { knownAuthorities: [host] }),
    },
    system: { networkClient: createMsalNetwork(() => AbortSignal.timeout(OUTSIDE_CALL_MS)) },
    ...(nativeBrokerPlugin && { broker: { nativeBrokerPlugin } }),
    ...(cache && { cache: { cachePlugin: cache } }),
  });
  cache?.onRead(() => app.clearCache());
  const find = async ({ userId, tenantId }: Account): Promise<AccountInfo> => {
    const accounts = await app.getAllAccounts();
    const found = accounts.find((account) => account.localAccountId === userId && account.tenantId === tenantId);
    // Somebody signed out in another process since.
    if (!found) throw Object.assign(new Error("The account is not signed in."), { errorCode: "no_account_found" });
    return found;
  };
  const toRequest = ({ scopes, claims }: TokenRequest) => ({
    scopes: [...scopes],
    ...(claims !== undefined && { claims }),
  });

  return {
    hasBroker: nativeBrokerPlugin?.isBrokerAvailable === true,
    accounts: async () => (await app.getAllAccounts()).map(toAccount),

    silently: async (account, request) =>
      toSession(await app.acquireTokenSilent({ ...toRequest(request), account: await find(account) })),

    byBrowser: async (request, { username, openBrowser, signal }) =>
      toSession(
        await app.acquireTokenInteractive({
          ...toRequest(request),
          async openBrowser(url) {
            signal.throwIfAborted();
            signal.addEventListener("abort", () => void withdraw(url), { once: true });
            await openBrowser(url);
          },
          successTemplate: SIGNED_IN,
          errorTemplate: NOT_SIGNED_IN,
          ...(username === undefined ? { prompt: "select_account" } : { loginHint: username }),
        }),
      ),

    async byDeviceCode(request, { show, signal }) {
      const deviceRequest = {
        ...toRequest(request),
        cancel: signal.aborted,
        deviceCodeCallback({ verificationUri, userCode }: { verificationUri?: string; userCode?: string }) {
          // MSAL takes a refusal for an answer without content, and its reason is lost.
          if (!verificationUri || !userCode) throw Object.assign(new Error(), { errorCode: "unauthorized_client" });
          show({ url: verificationUri, code: userCode });
        },
      };
      signal.addEventListener("abort", () => Object.assign(deviceRequest, { cancel: true }), { once: true });
      return toSession(await app.acquireTokenByDeviceCode(deviceRequest));
    },

    remove: async (account) => app.signOut({ account: await find(account) }),
  };
}

/** MSAL waits for the browser without end: an answer in its place is the only way to free the port. */
async function withdraw(authorizeUrl: string): Promise<void> {
  const { searchParams } = new URL(authorizeUrl);
  const body = new URLSearchParams({ error: "access_denied", state: searchParams.get("state") ?? "" });
  const request = { method: "POST", body, signal: AbortSignal.timeout(OUTSIDE_CALL_MS) };
  await fetch(searchParams.get("redirect_uri") ?? "", request).catch(() => undefined);
}

/**
 * The operating system's broker (Windows, macOS, Linux), if the user has installed its package beside this one: it brings
 * binaries that need a compiler elsewhere, so that it is no dependency.
 */
async function loadBroker(log: Log): Promise<INativeBrokerPlugin | undefined> {
  try {
    const { NativeBrokerPlugin } = (await import(BROKER_PACKAGE)) as {
      NativeBrokerPlugin: new () => INativeBrokerPlugin;
    };
    return new NativeBrokerPlugin();
  } catch (error) {
    const { code = (error as Error).name } = error as NodeJS.ErrnoException;
    if (code !== "ERR_MODULE_NOT_FOUND") log.warn("The sign-in broker is installed and does not work", { error: code });
    return undefined;
  }
}

function toSession(result: AuthenticationResult | null): Session {
  if (!result?.account) throw new Error("Entra ID gave no token.");
  return {
    account: toAccount(result.account),
    accessToken: result.accessToken,
    expiresAt: result.expiresOn?.getTime() ?? Date.now(),
  };
}

function toAccount({ username, localAccountId, tenantId }: AccountInfo): Account {
  return { username, userId: localAccountId, tenantId };
}
