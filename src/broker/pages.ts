import { createHash } from "node:crypto";
import type { ServerResponse } from "node:http";
import { Html, html } from "../http/html.ts";
import type { ConnectedClient, Connection } from "./connections.ts";
import type { Account } from "./entra.ts";
import { isDocumentId, isLoopback, originOf, policySourceOf } from "./redirects.ts";

/** A tool as the consent page names it. */
export interface OfferedTool {
  readonly title: string;
  readonly changes: boolean;
}

/** A page of the broker. */
export interface Page {
  readonly title: string;
  readonly body: Html;
  readonly status?: number;
  /** When to try again. */
  readonly retryAfterSeconds?: number;
  /** Where the page's form may lead besides this server, redirects included. */
  readonly formAction?: string;
}

/** Paths of the pages; with a name after a colon in place of an id they are what Express wants. */
export const PATHS = {
  signIn: (uid: string) => `/oauth/sign-in/${uid}`,
  callback: "/oauth/entra/callback",
  consent: (uid: string) => `/oauth/consent/${uid}`,
  stepUp: (handle: string) => `/oauth/step-up/${handle}`,
  connections: "/oauth/connections",
} as const;

const STYLE = `
:root { color-scheme: light dark; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; font: 1rem/1.5 system-ui, sans-serif; }
main { box-sizing: border-box; width: 100%; max-width: 34rem; padding: 2rem 1.5rem; }
h1 { font-size: 1.5rem; line-height: 1.25; } dt { font-weight: 600; } dd { margin: 0 0 .75rem; overflow-wrap: anywhere; }
.warning { padding: .75rem 1rem; border-left: .25rem solid #c50f1f; } .soft { opacity: .75; }
ul { padding-left: 1.25rem; } .actions { display: flex; gap: .75rem; justify-content: flex-end; margin-top: 1.5rem; }
button { min-width: 7rem; padding: .55rem 1rem; font: inherit; cursor: pointer; }
`;

const STYLE_SOURCE = `'sha256-${createHash("sha256").update(STYLE).digest("base64")}'`;

/** Longest name of a client that is shown. */
const MAX_NAME = 60;

/** Sends a page that runs no script, fits into no frame and is kept by no cache. */
export function sendPage(res: ServerResponse, { title, body, status = 200, ...page }: Page): void {
  const { formAction, retryAfterSeconds } = page;
  const policy = [
    "default-src 'none'",
    `style-src ${STYLE_SOURCE}`,
    // Chromium applies form-action to the redirect after the form, too: the client's address must be in it.
    `form-action ${["'self'", ...(formAction === undefined ? [] : [formAction])].join(" ")}`,
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ];
  const document = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<main>
<h1>${title}</h1>
${body}
</main>
</body>
</html>
`;
  res.writeHead(status, {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": policy.join("; "),
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    // Not no-referrer: a form's Origin would be "null" then.
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
    ...(retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) }),
  });
  res.end(document.markup);
}

/** What a client says of itself, without characters that change how a line reads. */
export function displayNameOf(name: string | undefined): string {
  const cleaned = (name ?? "").replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "").trim();
  if (cleaned === "") return "A client without a name";
  return cleaned.length > MAX_NAME ? `${cleaned.slice(0, MAX_NAME)}…` : cleaned;
}

/** Who vouches for a client, in the words of the consent page. */
export function placeOf(clientId: string): string {
  return isDocumentId(clientId) ? new URL(clientId).host : "unknown: it registered itself";
}

function destinationOf(redirectUri: string): string {
  return isLoopback(redirectUri) ? `a program on this computer (${new URL(redirectUri).host})` : originOf(redirectUri);
}

function warningOf({ clientId, redirectUri }: ConnectedClient): string | undefined {
  if (!isDocumentId(clientId)) {
    return "Nobody has checked who this client is; it chose its name itself. Approve only if you have just started this sign-in yourself.";
  }
  if (isLoopback(redirectUri)) {
    return "Any program on your computer can use this client's name. Approve only if you have just started this sign-in yourself.";
  }
  return undefined;
}

/** Asks the person whether a client may use the tools as them. */
export function consentPage(
  client: ConnectedClient,
  account: Pick<Account, "username">,
  options: {
    readonly tools: readonly OfferedTool[];
    readonly action: string;
    readonly csrf: string;
    /** Whether the next sign-in may go without this page. */
    readonly canRemember: boolean;
  },
): Page {
  const warning = warningOf(client);
  const entries = (changes: boolean) =>
    options.tools.filter((tool) => tool.changes === changes).map(({ title }) => html`<li>${title}</li>`);
  const writing = entries(true);
  return {
    title: `Let “${client.name}” in?`,
    formAction: policySourceOf(client.redirectUri),
    body: html`<dl>
<dt>Client</dt><dd>${client.name}</dd>
<dt>Published by</dt><dd>${client.place}</dd>
<dt>Goes back to</dt><dd>${destinationOf(client.redirectUri)}</dd>
<dt>You are signed in as</dt><dd>${account.username}</dd>
</dl>
${warning === undefined ? undefined : html`<p class="warning">${warning}</p>`}
<p>It will be able to use these tools as you:</p>
<ul>${entries(false)}</ul>
${writing.length === 0 ? undefined : html`<p>These change data, each time after asking you:</p><ul>${writing}</ul>`}
<form method="post" action="${options.action}">
<input type="hidden" name="csrf" value="${options.csrf}">
${options.canRemember ? html`<p><label><input type="checkbox" name="remember" value="yes"> Do not ask again for this client</label></p>` : undefined}
<div class="actions"><button name="decision" value="deny">Deny</button><button name="decision" value="approve">Approve</button></div>
</form>
<p class="soft">You can end this at any time on <a href="${PATHS.connections}">your connections</a>.</p>`,
  };
}

/** Lists what a person let in. */
export function connectionsPage(
  connections: readonly Connection[],
  account: Pick<Account, "username">,
  csrf: string,
): Page {
  const entry = ({ id, name, place, redirectUri, remembered }: Connection) => html`<li><strong>${name}</strong>
<dl><dt>Published by</dt><dd>${place}</dd><dt>Goes back to</dt><dd>${destinationOf(redirectUri)}</dd></dl>
${remembered ? html`<p>Its next sign-in needs no approval.</p>` : undefined}
<form method="post" action="${PATHS.connections}"><input type="hidden" name="csrf" value="${csrf}">
<button name="end" value="${id}">Sign out and forget</button></form></li>`;
  return {
    title: "Your connections",
    body: html`<p>Signed in as ${account.username}.</p>
${connections.length === 0 ? html`<p>No client is connected.</p>` : html`<ul>${connections.map(entry)}</ul>`}`,
  };
}

/** A page with one message and nothing to do. */
export function messagePage(title: string, message: string, status = 200): Page {
  return { title, status, body: html`<p>${message}</p>` };
}

/** A page with one message and what the person can do next. */
export function nextStepsPage(
  { title, message, status }: { readonly title: string; readonly message: string; readonly status: number },
  steps: readonly { readonly text: string; readonly href: string }[],
): Page {
  const items = steps.map(({ text, href }) => html`<li><a href="${href}">${text}</a></li>`);
  return { title, status, body: html`<p>${message}</p><ul>${items}</ul>` };
}

/** The page for the time in which something that a sign-in needs is away. */
export function notNowPage(): Page {
  const page = messagePage("Not now", "Sign-in does not work at the moment. Try again in a minute.", 503);
  return { ...page, retryAfterSeconds: 10 };
}
