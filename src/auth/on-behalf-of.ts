import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { Log } from "../diagnostics.ts";
import { interactionRequired } from "../graph/errors.ts";
import type { AcquireGraphToken, CallWatch } from "../graph/graph.ts";
import { untilAborted } from "../mcp/abort.ts";
import { ToolError } from "../mcp/tool-error.ts";
import { withTimeout } from "../platform/timeout.ts";
import { needsPerson } from "./needs-person.ts";
import type { Caller, Principal } from "./principal.ts";

/** A token as the Azure SDKs hand it out. */
interface AccessToken {
  readonly token: string;
  readonly expiresOnTimestamp: number;
}

/** The part of a `TokenCredential` that is used here. */
interface Credential {
  getToken(scopes: string[], options?: { claims?: string; enableCae?: boolean }): Promise<AccessToken | null>;
}

/** How the server exchanges a caller's token for a Graph token. */
export interface OnBehalfOfOptions {
  /** Application id of this server's registration. */
  readonly clientId: string;
  readonly managedIdentity: Credential;
  readonly createCredential: (exchange: {
    readonly tenantId: string;
    readonly clientId: string;
    readonly userAssertion: string;
    readonly getAssertion: () => Promise<string>;
  }) => Credential;
  /** Audience of the managed identity's token; `api://AzureADTokenExchange` in the public cloud. */
  readonly exchangeAudience: string;
  /** Resource that permissions belong to, for example `https://graph.microsoft.com`. */
  readonly graphResource: string;
  /** Permissions of all tools that a caller may use: asked for together, so that one exchange serves them all. */
  readonly allPermissions: (principal: Principal) => readonly string[];
  /** Where people do what a refusal asks of them. */
  readonly links: {
    /** Signing in to the site in a browser, which also asks for consent; not every deployment has it. */
    readonly signIn?: string | undefined;
    readonly adminConsent: (tenantId: string) => string;
  };
  readonly timeoutMs: number;
  readonly log: Log;
}

const MAX_TOKENS = 10_000;
/** A token is dropped this long before it expires, so that no call starts with one that ends on the way. */
const EXPIRY_MARGIN_MS = 5 * 60 * 1000;
const CONSENT_MEMORY_MS = 60_000;

/**
 * Gets Graph tokens on behalf of callers: the user's token as assertion, the managed identity's token as the server's
 * proof of itself; no secret is involved.
 *
 * One exchange per user token: permissions are asked for together, tokens are kept in a bounded cache under a hash of
 * the user's token, and concurrent calls share one exchange. Where somebody consented to a part of the permissions
 * only, each tool's own are asked for instead.
 * Source: Microsoft identity platform, "OAuth 2.0 On-Behalf-Of flow".
 */
export function createOnBehalfOf(options: OnBehalfOfOptions): AcquireGraphToken {
  const { clientId, managedIdentity, createCredential, exchangeAudience, timeoutMs } = options;
  const tokens = new LRUCache<string, Promise<AccessToken>>({ max: MAX_TOKENS });
  /** Exchanges under way that answer a claims challenge: the reads of one call meet the same one together. */
  const answering = new Map<string, Promise<AccessToken>>();
  const partlyConsented = new LRUCache<string, true>({ max: MAX_TOKENS, ttl: CONSENT_MEMORY_MS });
  // One caller object serves all requests with its token for a minute: its hash is computed once.
  const digests = new WeakMap<Caller, string>();

  const getAssertion = async () => {
    const assertion = await withTimeout(
      managedIdentity.getToken([`${exchangeAudience}/.default`]),
      timeoutMs,
      "The managed identity endpoint",
    );
    if (!assertion) throw new Error("The managed identity endpoint gave no token.");
    return assertion.token;
  };

  async function exchange({ principal, accessToken }: Caller, scopes: string[], claims?: string): Promise<AccessToken> {
    const credential = createCredential({
      tenantId: principal.tenantId,
      clientId,
      userAssertion: accessToken,
      getAssertion,
    });
    const token = await withTimeout(
      // `enableCae` tells Graph that this server understands claims challenges.
      credential.getToken(scopes, { enableCae: true, ...(claims === undefined ? {} : { claims }) }),
      timeoutMs,
      "Entra ID",
    );
    if (!token) throw new Error("Entra ID gave no token.");
    return token;
  }

  async function tokenFor({ caller, digest, claims, watch }: Wanted, permissions: readonly string[]) {
    const key = `${digest} ${permissions.join(" ")}`;
    const challenge = `${key} ${claims}`;
    const known = claims === undefined ? tokens.get(key) : answering.get(challenge);
    const end = watch?.token(known ? "memory" : "exchange");
    if (known) return known;
    const scopes = permissions.map((permission) => `${options.graphResource}/${permission}`);
    const pending = exchange(caller, scopes, claims);
    tokens.set(key, pending, { ttl: timeoutMs * 2 });
    if (claims !== undefined) answering.set(challenge, pending);
    // An exchange that answers a claims challenge may have taken this one's place meanwhile.
    const isCurrent = (): boolean => tokens.peek(key) === pending;
    try {
      const token = await pending;
      end?.({});
      const ttl = token.expiresOnTimestamp - Date.now() - EXPIRY_MARGIN_MS;
      if (isCurrent() && ttl > 0) tokens.set(key, pending, { ttl });
      else if (isCurrent()) tokens.delete(key);
      return token;
    } catch (error) {
      end?.({ error: refusalOf(error).errorCode ?? "unavailable" });
      if (isCurrent()) tokens.delete(key);
      throw error;
    } finally {
      answering.delete(challenge);
    }
  }

  return async (caller, permissions, { signal, claims, watch }) => {
    const digest = digests.get(caller) ?? createHash("sha256").update(caller.accessToken).digest("base64url");
    digests.set(caller, digest);
    const wanted: Wanted = { caller, digest, claims, watch };
    const acquire = async () => {
      if (!partlyConsented.has(digest)) {
        try {
          return await tokenFor(wanted, options.allPermissions(caller.principal));
        } catch (error) {
          if (!isConsentMissing(error)) throw error;
          partlyConsented.set(digest, true);
        }
      }
      return tokenFor(wanted, permissions);
    };
    try {
      return (await untilAborted(acquire(), signal)).token;
    } catch (error) {
      if (signal.aborted) throw error;
      throw toToolError(error, caller, permissions, options);
    }
  };
}

/** Whose token, and under which challenge. */
interface Wanted {
  readonly caller: Caller;
  readonly digest: string;
  readonly claims: string | undefined;
  readonly watch: CallWatch | undefined;
}

/** What MSAL reports of a refusal by the token endpoint; found in the `cause` of what the Azure SDK throws. */
export interface Refusal {
  readonly errorCode?: string | undefined;
  readonly subError?: string | undefined;
  readonly errorNo?: string | undefined;
  readonly claims?: string | undefined;
}

/** Reads a refusal. MSAL passes on what the answer held: words that are none of the protocol's reach neither the log nor the caller. */
export function refusalOf(error: unknown): Refusal {
  const cause = error instanceof Error ? error.cause : undefined;
  if (typeof cause !== "object" || cause === null) return {};
  const { errorCode, subError, errorNo, claims } = cause as Record<keyof Refusal, unknown>;
  const matching = (value: unknown, form: RegExp) =>
    (typeof value === "string" || typeof value === "number") && form.test(String(value)) ? String(value) : undefined;
  return {
    errorCode: matching(errorCode, /^[a-z_]{1,64}$/),
    subError: matching(subError, /^[a-z_]{1,64}$/),
    errorNo: matching(errorNo, /^\d{1,10}$/),
    claims: matching(claims, /^\{.{1,8000}\}$/s),
  };
}

/** Whether nobody consented to something that was asked for. */
export function isConsentMissing(error: unknown): boolean {
  const { errorCode, subError } = refusalOf(error);
  return subError === "consent_required" || errorCode === "consent_required";
}

/**
 * Says what the caller can do about a refusal. Entra's numbers may change and are for people: decisions follow `error`,
 * `suberror` and `claims`.
 */
export function toToolError(
  error: unknown,
  caller: Caller,
  permissions: readonly string[],
  options: Pick<OnBehalfOfOptions, "links" | "log">,
): ToolError {
  const { errorCode = "", errorNo, claims } = refusalOf(error);
  const aadsts = errorNo === undefined ? undefined : `AADSTS${errorNo}`;
  const meta = aadsts === undefined ? {} : { aadsts };
  const { signIn, adminConsent } = options.links;
  const fields = { error: errorCode || (error as Error).name, aadsts };

  if (isConsentMissing(error)) {
    const admin = adminConsent(caller.principal.tenantId);
    const self = signIn === undefined ? "" : `Allow it yourself: ${signIn} . `;
    return new ToolError(
      "consent_required",
      `Nobody has allowed this server to use ${permissions.join(", ")} of Microsoft Graph for you. ${self}` +
        `An administrator can allow it for everyone: ${admin} . Then try again.`,
      {
        cause: error,
        meta: { ...meta, adminConsentUrl: admin, ...(signIn === undefined ? {} : { consentUrl: signIn }) },
      },
    );
  }
  if (claims) return interactionRequired(claims, error, signIn);
  if (needsPerson(errorCode)) {
    options.log.info("Entra ID refused to act on behalf of a user", fields);
    return new ToolError(
      "interaction_required",
      `Entra ID does not accept your sign-in for Microsoft Graph any more${aadsts ? ` (${aadsts})` : ""}. Sign in again.`,
      { cause: error, meta },
    );
  }
  switch (errorCode) {
    case "invalid_client":
    case "unauthorized_client":
    case "invalid_scope":
    case "invalid_resource":
    case "invalid_request":
      options.log.error("Entra ID does not accept this server's own identity; check its federated credential", fields);
      return new ToolError(
        "misconfigured",
        `This server is not set up to use Microsoft Graph${aadsts ? ` (${aadsts})` : ""}. Tell its administrator.`,
        { cause: error, meta },
      );
    default:
      options.log.warn("Entra ID or the managed identity endpoint could not be reached", fields);
      return new ToolError("unavailable", "Sign-in to Microsoft Graph failed for now. Try again in a minute.", {
        cause: error,
      });
  }
}
