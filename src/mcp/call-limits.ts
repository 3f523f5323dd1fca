import { type Principal, userKey } from "../auth/principal.ts";
import { createInFlight } from "./in-flight.ts";
import { ToolError } from "./tool-error.ts";

/**
 * Counts one more under a name. Resolves to the milliseconds after which there may be another, undefined while there
 * may be one now; rejects when it cannot be counted.
 */
export type CountOne = (name: string) => Promise<number | undefined>;

/** How much one caller may do. */
export interface CallLimitOptions {
  /** Calls of one user. */
  readonly perUser: CountOne;
  /** Calls of one client application, of all its users together. */
  readonly perClient: CountOne;
  /** Calls of one user that may run at the same time on this instance. */
  readonly concurrent: number;
}

/** Keeps one caller from using up what is there for all. */
export interface CallLimits {
  /** Lets a call in, and resolves to what to do when it has ended. Throws `ToolError` `throttled`, or `unavailable` where calls cannot be counted. */
  enter(principal: Principal): Promise<() => void>;
}

const AGAIN_SECONDS = 10;

/** Makes limits that say when to try again; a call over the limit of its user does not count against the client application. */
export function createCallLimits({ perUser, perClient, concurrent }: CallLimitOptions): CallLimits {
  const running = createInFlight(concurrent);

  async function count(counter: CountOne, name: string, whose: string): Promise<void> {
    const waitMs = await counter(name).catch((cause: unknown) => {
      throw new ToolError(
        "unavailable",
        `Calls cannot be counted right now, and none is let through uncounted. Try again in ${AGAIN_SECONDS} seconds.`,
        { cause, meta: { retryAfterSeconds: AGAIN_SECONDS } },
      );
    });
    if (waitMs !== undefined) throw throttled(`${whose} made too many calls.`, Math.max(1, Math.ceil(waitMs / 1000)));
  }

  return {
    async enter(principal) {
      const user = userKey(principal);
      const leave = running.enter(user);
      if (!leave) throw throttled(`${concurrent} of your calls are running already. Wait until one has ended.`, 1);
      try {
        await count(perUser, user, "You");
        await count(perClient, principal.clientId, "The people who use this application, all together,");
      } catch (error) {
        leave();
        throw error;
      }
      return leave;
    },
  };
}

function throttled(what: string, seconds: number): ToolError {
  const unit = seconds === 1 ? "second" : "seconds";
  return new ToolError("throttled", `${what} Try again in ${seconds} ${unit}.`, {
    meta: { retryAfterSeconds: seconds },
  });
}
