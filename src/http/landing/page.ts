import { decideAccess } from "../../auth/access-policy.ts";
import type { Principal } from "../../auth/principal.ts";
import { Html, html } from "../html.ts";
import { type ClientGuide, clientGuides, vsCodeInstallUrl } from "./clients.ts";
import type { LandingOptions, OfferedTool } from "./options.ts";
import { ICON, SCRIPT, STYLE } from "./sources.ts";
import type { Visitor } from "./visitor.ts";

// Behind App Service Authentication for certain, whatever becomes of identities on excluded paths.
const SIGN_IN = "/.auth/login/aad?post_login_redirect_uri=%2Fmcp";
const SIGN_OUT = "/.auth/logout?post_logout_redirect_uri=%2F";
const NOBODY: Principal = { userId: "", tenantId: "", clientId: "", scopes: [], roles: [] };

/** Renders the page; without a visitor for somebody who is not signed in. */
export function renderLanding(options: LandingOptions, visitor: Visitor | undefined): Html {
  const { mcpUrl } = options;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Microsoft Graph MCP server</title>
<link rel="icon" href="${ICON}">
<style>${new Html(STYLE)}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header>
<p class="host">${new URL(mcpUrl).host}</p>
${options.authMode === "easy-auth" ? account(visitor) : undefined}
</header>
<main id="main">
<h1>Microsoft Graph for your assistant</h1>
<p class="lead">An MCP server. Your assistant works in Microsoft 365 as you: it sees what you see, and nothing else.</p>
<section aria-labelledby="connect">
<h2 id="connect" class="quiet">Address for MCP clients</h2>
<div class="address">${copyable("address", mcpUrl)}</div>
<p><a class="button" href="${vsCodeInstallUrl(options)}">Install in VS Code</a></p>
</section>
<section aria-labelledby="clients">
<h2 id="clients">Connect a client</h2>
${clientGuides(options).map(guide)}
</section>
<section aria-labelledby="tools">
<h2 id="tools">${visitor ? "What you may use" : "Tools"}</h2>
${tools(options, visitor)}
</section>
<section aria-labelledby="consent">
<h2 id="consent">Consent</h2>
${consent(options, visitor)}
</section>
</main>
<footer><p>If you came here from a sign-in: it worked. Go back to your client and try again.</p></footer>
<p id="copied" class="hidden" role="status"></p>
<script>${new Html(SCRIPT)}</script>
</body>
</html>
`;
}

function account(visitor: Visitor | undefined): Html {
  if (!visitor) return html`<nav aria-label="Account"><a href="${SIGN_IN}">Sign in</a></nav>`;
  return html`<nav aria-label="Account"><span>Signed in as <strong>${visitor.name}</strong></span> <a href="${SIGN_OUT}">Sign out</a></nav>`;
}

/** A text with a button that copies it, which appears where its script runs. */
function copyable(id: string, text: string): Html {
  return html`<pre id="${id}"><code>${text}</code></pre><button type="button" hidden data-copies="${id}">Copy<span class="hidden"> ${id}</span></button>`;
}

function guide({ name, where, snippet, note }: ClientGuide): Html {
  const id = name.toLowerCase().replaceAll(" ", "-");
  return html`<details name="client">
<summary>${name}</summary>
<p>${where}</p>
<div class="snippet">${copyable(id, snippet)}</div>
${note === undefined ? undefined : html`<p class="soft">${note}</p>`}
</details>`;
}

function tools({ toolsets, rules }: LandingOptions, visitor: Visitor | undefined): Html {
  const principal = visitor?.principal ?? NOBODY;
  const isOpen = (tool: OfferedTool) => decideAccess(tool, principal, rules).allowed;
  const lists = (wanted: (tool: OfferedTool) => boolean, entry: (tool: OfferedTool) => Html) =>
    toolsets.flatMap(({ name, tools }) => {
      const some = tools.filter(wanted);
      return some.length === 0 ? [] : [html`<li><h3>${capitalized(name)}</h3><ul>${some.map(entry)}</ul></li>`];
    });
  const open = html`<p>${visitor ? "As yourself, once your client is signed in too." : "For everyone who signs in."} Each call runs with your own rights.</p>
<ul class="toolsets">${lists(isOpen, openEntry)}</ul>`;
  const withheld = toolsets.flatMap(({ tools }) => tools).find((tool) => !isOpen(tool));
  if (!withheld) return open;
  const decision = decideAccess({ ...withheld, name: "Each of these" }, principal, rules);
  return html`${open}
<h3 class="withheld">${visitor ? "Not open to you" : "Not open to everyone"}</h3>
<p>${decision.allowed ? "" : decision.denied}</p>
<ul class="toolsets soft">${lists((tool) => !isOpen(tool), plainEntry)}</ul>`;
}

function plainEntry({ title, name }: OfferedTool): Html {
  return html`<li>${title} <code>${name}</code></li>`;
}

function openEntry(tool: OfferedTool): Html {
  if (tool.effect === "read") return plainEntry(tool);
  return html`<li>${tool.title} <code>${tool.name}</code> <span class="tag">changes data</span></li>`;
}

function consent({ authMode, adminConsentUrl }: LandingOptions, visitor: Visitor | undefined): Html {
  return html`${ownConsent(authMode, visitor)}
<p>Administrators can <a href="${adminConsentUrl}">agree for the whole organisation</a>.</p>`;
}

function ownConsent(authMode: LandingOptions["authMode"], visitor: Visitor | undefined): Html {
  if (authMode === "broker") {
    return html`<p>Your client brings you to a page of this server, which asks what it may do. End what you let in on <a href="/oauth/connections">your connections</a>.</p>`;
  }
  if (authMode === "bearer") {
    return html`<p>Microsoft Graph answers this server only for people who agreed to that, or whose administrator did.</p>`;
  }
  const how = visitor
    ? html`You were asked when you signed in here.`
    : html`<a href="${SIGN_IN}">Sign in here</a> to agree for yourself.`;
  return html`<p>Microsoft Graph answers this server only for people who agreed to that. ${how}</p>`;
}

function capitalized(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
