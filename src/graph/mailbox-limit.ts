/** Requests at once that Exchange takes of one application for one mailbox. Source: Microsoft Graph, "Throttling limits". */
export const MAILBOX_CONCURRENCY = 4;
const IN_MAILBOX =
  /^\/v1\.0\/me\/(?:messages|mailFolders|sendMail|mailboxSettings|calendar|events|findMeetingTimes|todo)/;

/** How many of the concurrent requests to a mailbox a request with this path is. */
export function mailboxLoad(pathname: string): number {
  return IN_MAILBOX.test(pathname) ? 1 : 0;
}
