import { Semaphore } from "async-mutex";
import type { Principal } from "../auth/principal.ts";
import { untilAborted } from "../mcp/abort.ts";

/** Requests at once that Exchange takes of one application for one mailbox. Source: Microsoft Graph, "Throttling limits". */
const MAX_CONCURRENT = 4;
const IN_MAILBOX =
  /^\/v1\.0\/me\/(?:messages|mailFolders|sendMail|mailboxSettings|calendar|events|findMeetingTimes|todo)/;

/** How many of the concurrent requests to a mailbox a request with this path is. */
export function mailboxLoad(pathname: string): number {
  return IN_MAILBOX.test(pathname) ? 1 : 0;
}

/** Lets requests into mailboxes. */
export interface Mailboxes {
  /** Runs `work` when the owner's mailbox has room for `load` more requests, in order of arrival; ends waiting with `signal`. */
  enter<T>(owner: Principal, load: number, signal: AbortSignal, work: () => Promise<T>): Promise<T>;
}

/** Keeps the requests of all calls of one user within what Exchange takes at once; a mailbox is forgotten when it is idle. */
export function createMailboxes(): Mailboxes {
  const busy = new Map<string, { readonly room: Semaphore; users: number }>();
  return {
    async enter({ tenantId, userId }, load, signal, work) {
      if (load === 0) return work();
      const key = `${tenantId}/${userId}`;
      const mailbox = busy.get(key) ?? { room: new Semaphore(MAX_CONCURRENT), users: 0 };
      busy.set(key, mailbox);
      mailbox.users++;
      const entered = mailbox.room.runExclusive(
        async () => {
          signal.throwIfAborted();
          return work();
        },
        Math.min(load, MAX_CONCURRENT),
      );
      const left = entered.finally(() => {
        if (--mailbox.users === 0) busy.delete(key);
      });
      return untilAborted(left, signal);
    },
  };
}
