import { createHash } from "node:crypto";
import type { Response } from "express";
import { Html, html } from "./html.ts";

const STYLE = `
:root { color-scheme: light dark; --ground: #eef1f6; --card: #fff; --text: #1b1f27; --soft: #5a6372; --line: #d8dde6;
  --accent: #1f5fbf; --on-accent: #fff; --hover: #f2f6fd; --tag: #e6ecf7; }
@media (prefers-color-scheme: dark) { :root { --ground: #12151b; --card: #1c212a; --text: #eceff4; --soft: #a5aebd;
  --line: #343b48; --accent: #8ab4f8; --on-accent: #10203a; --hover: #252c38; --tag: #2c3545; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 2rem 1rem; background: var(--ground);
  color: var(--text); font: 1rem/1.5 "Segoe UI", system-ui, sans-serif; }
main { width: 100%; max-width: 29rem; padding: 2.25rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .75rem; box-shadow: 0 .5rem 2rem rgb(0 0 0 / .08); }
.tenant { margin: 0 0 1.25rem; color: var(--soft); font-weight: 600; }
h2 { margin: 1.25rem 0 .25rem; color: var(--soft); font-size: .875rem; }
h1 { margin: 0 0 .5rem; font-size: 1.5rem; line-height: 1.25; }
p { margin: 0 0 1rem; } .soft { color: var(--soft); } code { overflow-wrap: anywhere; }
ul { margin: 0 0 1.25rem; padding: 0; list-style: none; }
.people li { display: flex; align-items: stretch; border-bottom: 1px solid var(--line); }
.people form:first-child { flex: 1; }
.people button { width: 100%; height: 100%; padding: .65rem .75rem; border: 0; border-radius: .375rem; background: none;
  color: inherit; font: inherit; text-align: left; cursor: pointer; }
.people button:hover { background: var(--hover); }
.people form + form { align-self: center; }
.people form + form button { border: 1px solid var(--line); font-size: .8125rem; }
.people strong, .people small { display: block; } .people small { color: var(--soft); overflow-wrap: anywhere; }
.tag { display: inline-block; margin: .25rem .25rem 0 0; padding: 0 .5rem; border-radius: 1rem; background: var(--tag);
  font-size: .8125rem; }
.scopes li { padding: .6rem 0; border-bottom: 1px solid var(--line); }
.actions { display: flex; gap: .75rem; justify-content: flex-end; margin-top: 1.5rem; }
.actions button { min-width: 7rem; padding: .55rem 1rem; border: 1px solid var(--line); border-radius: .375rem;
  background: none; color: inherit; font: inherit; cursor: pointer; }
.actions .main { border-color: var(--accent); background: var(--accent); color: var(--on-accent); font-weight: 600; }
input[type=text] { width: 100%; padding: .6rem .75rem; border: 1px solid var(--soft); border-radius: .375rem;
  background: var(--card); color: inherit; font: inherit; letter-spacing: .1em; text-transform: uppercase; }
label { display: block; margin-bottom: .35rem; font-weight: 600; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
footer { margin-top: 1.75rem; color: var(--soft); font-size: .8125rem; }
`;

const SUBMIT_SCRIPT = "document.forms[0].submit();";

const sourceOf = (content: string) => `'sha256-${createHash("sha256").update(content).digest("base64")}'`;

/** A page of the emulator. */
export interface Page {
  readonly title: string;
  /** Shown above the title; absent on pages that belong to no tenant. */
  readonly tenant?: string;
  readonly body: Html;
  readonly status?: number;
  /** Where the page's forms may lead besides the emulator itself, redirects included. */
  readonly formAction?: readonly string[];
  /** Sends the first form as soon as the page is loaded: for `response_mode=form_post` only. */
  readonly submits?: boolean;
}

/** Sends a page with headers that keep it out of frames and caches, and without any script but the one for form_post. */
export function sendPage(res: Response, { title, tenant, body, status = 200, formAction = [], submits = false }: Page) {
  const policy = [
    "default-src 'none'",
    `style-src ${sourceOf(STYLE)}`,
    ...(submits ? [`script-src ${sourceOf(SUBMIT_SCRIPT)}`] : []),
    // Chromium applies form-action to the redirect after the form, too: the client's addresses must be in it.
    `form-action ${["'self'", ...formAction].join(" ")}`,
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
${tenant === undefined ? null : html`<p class="tenant">${tenant}</p>`}
<h1>${title}</h1>
${body}
<footer>Entra ID emulator on this computer: no passwords, no real accounts.</footer>
</main>
${submits ? new Html(`<script>${SUBMIT_SCRIPT}</script>`) : null}
</body>
</html>
`;
  res
    .status(status)
    .set({
      "content-security-policy": policy.join("; "),
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
    })
    .type("html")
    .send(document.markup);
}
