import { untilAborted } from "../mcp/abort.ts";
import { ToolError } from "../mcp/tool-error.ts";
import type { Account, PublicClient, Session, TokenRequest } from "./public-client.ts";
import { toToolError } from "./refusal.ts";

/** How people sign in: `auto` is the browser, and a code for another device where none can be opened. */
export type SignInMethod = "auto" | "browser" | "device-code";

/** A sign-in that waits for its person. */
export interface Pending {
  /** Says where to go and what to do there. */
  readonly instruction: string;
  /** Undefined while the operating system's own window is open. */
  readonly url?: string | undefined;
}

/** One time that a person is asked to sign in. */
export interface Attempt {
  /** Claims challenge that it answers. */
  readonly claims: string | undefined;
  /** Resolves once there is something that the person can do. */
  readonly instructed: Promise<Pending>;
  /** Rejects with `ToolError`. */
  readonly outcome: Promise<Session>;
  /** Gives it up: nobody can complete it any more. */
  end(): void;
}

/** How one attempt is made. */
export interface AttemptOptions {
  readonly connect: () => Promise<PublicClient>;
  readonly method: SignInMethod;
  readonly request: TokenRequest;
  /** Undefined lets the person pick an account. */
  readonly username: string | undefined;
  /** True where the client opens the address; otherwise this machine's browser is opened. */
  readonly clientOpensUrl: boolean;
  /** Rejects where no browser can be opened. */
  readonly openBrowser: (url: string) => Promise<void>;
  /** Tells a person who reads standard error what to do. */
  readonly say: (sentence: string) => void;
  /** Decides about who signed in; `before` were signed in already. */
  readonly accept: (entra: PublicClient, session: Session, before: readonly Account[]) => Promise<Session>;
  readonly adminConsentUrl: string;
}

/** Nobody keeps a page open longer. */
const OPEN_MS = 10 * 60 * 1000;

/** Asks a person to sign in: through the operating system's broker, the browser, or a code for another device. */
export function beginAttempt(options: AttemptOptions): Attempt {
  const { method, request, clientOpensUrl, adminConsentUrl } = options;
  const end = new AbortController();
  let tell: (pending: Pending) => void = () => undefined;
  const instructed = new Promise<Pending>((resolve) => {
    tell = resolve;
  });
  const show = (pending: Pending, aloud: boolean): void => {
    if (aloud) options.say(pending.instruction);
    tell(pending);
  };

  async function byBrowser(entra: PublicClient): Promise<Session> {
    if (entra.hasBroker) show({ instruction: "A window of the system asks you to sign in." }, true);
    return entra.byBrowser(request, {
      username: options.username,
      signal: end.signal,
      async openBrowser(url) {
        if (!clientOpensUrl) {
          await options.openBrowser(url).catch((error: unknown) => {
            if (method === "auto") throw new NoBrowserError(error);
          });
        }
        show({ url, instruction: `To sign in, use the page in your browser, or open ${url}` }, !clientOpensUrl);
      },
    });
  }

  const byDeviceCode = (entra: PublicClient): Promise<Session> =>
    entra.byDeviceCode(request, {
      signal: end.signal,
      show: ({ url, code }) =>
        show({ url, instruction: `To sign in, open ${url} in any browser and enter the code ${code}` }, true),
    });

  async function ask(entra: PublicClient): Promise<Session> {
    if (method === "device-code") return byDeviceCode(entra);
    try {
      return await byBrowser(entra);
    } catch (error) {
      if (error instanceof NoBrowserError) return byDeviceCode(entra);
      throw error;
    }
  }

  async function run(): Promise<Session> {
    const entra = await options.connect();
    const before = await entra.accounts();
    return options.accept(entra, await ask(entra), before);
  }

  const timer = setTimeout(() => end.abort(), OPEN_MS);
  timer.unref();
  const outcome = untilAborted(run(), end.signal)
    .catch((error: unknown) => {
      throw end.signal.aborted ? tooLate(error) : toToolError(error, adminConsentUrl);
    })
    .finally(() => clearTimeout(timer));
  return { claims: request.claims, instructed, outcome, end: () => end.abort() };
}

class NoBrowserError extends Error {
  override readonly name = "NoBrowserError";
  constructor(cause: unknown) {
    super("No browser can be opened.", { cause });
  }
}

function tooLate(cause: unknown): ToolError {
  const message = "Nobody signed in while the page was open. Call this again to begin anew.";
  return new ToolError("interaction_required", message, { cause });
}
