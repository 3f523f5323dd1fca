import { Mutex } from "async-mutex";
import { untilAborted } from "../mcp/abort.ts";
import { ToolError } from "../mcp/tool-error.ts";
import { type Attempt, beginAttempt, type Pending, type SignInMethod } from "./attempt.ts";
import type { Account, PublicClient, Session } from "./public-client.ts";
import { isConsentMissing, isForPerson, toToolError } from "./refusal.ts";

/** How people sign in on this machine. */
export interface SignInOptions {
  /** Opened at the first call that needs it. */
  readonly connect: () => Promise<PublicClient>;
  /** The only user principal name that may sign in; undefined for whoever does. */
  readonly account: string | undefined;
  /** Scopes of everything that is switched on: asked for together, so that a person consents once. */
  readonly allScopes: readonly string[];
  readonly method: SignInMethod;
  /** Rejects where no browser can be opened. */
  readonly openBrowser: (url: string) => Promise<void>;
  /** Tells a person who reads standard error what to do. */
  readonly say: (sentence: string) => void;
  readonly adminConsentUrl: string;
}

/** What a call needs a token for. */
export interface Needs {
  /** Its own scopes: enough where the person has not consented to all. */
  readonly scopes: readonly string[];
  readonly claims?: string | undefined;
}

/** How long to wait for a person, and who leads them to the page. */
export interface Patience {
  readonly waitMs: number;
  /** True where the client opens the address; otherwise this machine's browser is opened. */
  readonly clientOpensUrl: boolean;
  readonly signal: AbortSignal;
}

/** The sign-in of one process: at most one person is asked at a time, however many calls wait for them. */
export interface SignIn {
  /** Who called last; undefined before the first call. */
  account(): Account | undefined;
  /** A token that needs nobody, or undefined when a person has to sign in: ask them at once. Throws `ToolError`. */
  silently(needs: Needs): Promise<Session | undefined>;
  /**
   * Asks a person to sign in, or joins the sign-in that is open, and waits. What is open after that stays open for
   * later calls. Throws `ToolError` when the person refused or took too long, and the reason of the signal.
   */
  ask(patience: Patience): Promise<Session | Pending>;
  /** Remembers a claims challenge that no token at hand answers: the next sign-in will. */
  challenge(claims: string): void;
}

const CONSENT_MEMORY_MS = 60_000;

/**
 * Signs in on demand: silently where the cache allows it, then through the operating system's broker, the browser, or a
 * code for another device.
 */
export function createSignIn(options: SignInOptions): SignIn {
  const { account: wanted, allScopes } = options;
  let connecting: Promise<PublicClient> | undefined;
  let last: Account | undefined;
  let challenged: string | undefined;
  let attempt: Attempt | undefined;
  let signIns = 0;
  let askOwnScopesUntil = 0;
  const accepting = new Mutex();

  const client = (): Promise<PublicClient> => {
    // What could not be opened now may be later.
    connecting ??= options.connect().catch((error: unknown) => {
      connecting = undefined;
      throw error;
    });
    return connecting;
  };
  const isWanted = ({ username }: Account) => wanted === undefined || username.toLowerCase() === wanted.toLowerCase();

  async function knownAccount(entra: PublicClient): Promise<Account | undefined> {
    for (;;) {
      const [first, ...others] = (await entra.accounts()).filter(isWanted);
      if (others.length === 0) return first;
      if (!accepting.isLocked()) break;
      // Somebody has just signed in, and the others are about to be removed.
      await accepting.waitForUnlock();
    }
    throw new ToolError(
      "misconfigured",
      "Several people are signed in on this machine. Name one in the flag --account of this server, or run the command logout.",
    );
  }

  async function tokenFor(entra: PublicClient, account: Account, { scopes, claims }: Needs): Promise<Session> {
    if (Date.now() < askOwnScopesUntil) return entra.silently(account, { scopes, claims });
    try {
      return await entra.silently(account, { scopes: allScopes, claims });
    } catch (error) {
      if (!isConsentMissing(error)) throw error;
      askOwnScopesUntil = Date.now() + CONSENT_MEMORY_MS;
      return entra.silently(account, { scopes, claims });
    }
  }

  function begin(clientOpensUrl: boolean): Attempt {
    const begun = beginAttempt({
      ...options,
      connect: client,
      request: { scopes: allScopes, claims: challenged },
      username: wanted,
      clientOpensUrl,
      accept: (...signedIn) => accepting.runExclusive(() => accept(...signedIn)),
    });
    // Whoever waits hears of a failure; when nobody does, the next call.
    begun.outcome.then(
      ({ account }) => succeed(begun, account),
      () => undefined,
    );
    return begun;
  }

  /** Nobody may be waiting any more: from here on the cache says who is signed in. */
  function succeed(ended: Attempt, account: Account): void {
    close(ended);
    signIns += 1;
    last = account;
    if (challenged === ended.claims) challenged = undefined;
    askOwnScopesUntil = 0;
  }

  function close(ended: Attempt): void {
    if (attempt === ended) attempt = undefined;
  }

  /** Keeps one person signed in: the wanted one, or the one who signed in last. */
  async function accept(entra: PublicClient, session: Session, before: readonly Account[]): Promise<Session> {
    const { account } = session;
    const isSame = (other: Account) => other.userId === account.userId && other.tenantId === account.tenantId;
    if (!isWanted(account)) {
      if (!before.some(isSame)) await entra.remove(account);
      throw new ToolError(
        "interaction_required",
        "Somebody signed in who is not the one named in the flag --account. Call this again and pick that account.",
      );
    }
    if (wanted === undefined) {
      for (const other of before) if (!isSame(other)) await entra.remove(other);
    }
    return session;
  }

  async function trySilently(needs: Needs): Promise<Session | undefined> {
    try {
      const entra = await client();
      const account = await knownAccount(entra);
      if (!account || (challenged !== undefined && needs.claims === undefined)) return undefined;
      const session = await tokenFor(entra, account, needs);
      last = session.account;
      return session;
    } catch (error) {
      if (isForPerson(error)) return undefined;
      throw toToolError(error, options.adminConsentUrl);
    }
  }

  return {
    account: () => last,

    async silently(needs) {
      for (;;) {
        const before = signIns;
        const session = await trySilently(needs);
        // Who signed in meanwhile, for another call, is not asked again for this one.
        if (session || before === signIns) return session;
      }
    },

    async ask({ waitMs, clientOpensUrl, signal }) {
      // A page for other claims may be in use: it stays open, and the newer ones are asked for after it.
      if (attempt && attempt.claims === undefined && challenged !== undefined) {
        attempt.end();
        attempt = undefined;
      }
      attempt ??= begin(clientOpensUrl);
      const mine = attempt;
      try {
        const first = await untilAborted(Promise.race([mine.instructed, mine.outcome]), signal);
        return "account" in first ? first : ((await within(mine.outcome, waitMs, signal)) ?? first);
      } catch (error) {
        if (!signal.aborted) close(mine);
        throw error;
      }
    },

    challenge(claims) {
      challenged = claims;
    },
  };
}

/** What comes of `work` within this time, or undefined; throws the reason of `signal`. */
async function within<T>(work: Promise<T>, ms: number, signal: AbortSignal): Promise<T | undefined> {
  const timeout = AbortSignal.timeout(ms);
  try {
    return await untilAborted(work, AbortSignal.any([signal, timeout]));
  } catch (error) {
    if (timeout.aborted && error === timeout.reason) return undefined;
    throw error;
  }
}
