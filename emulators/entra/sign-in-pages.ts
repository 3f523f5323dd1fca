import type { AppRegistration, Tenant, User } from "../directory.ts";
import { consentedScopes } from "./consent.ts";
import type { ErrorBody } from "./errors.ts";
import { type Html, html } from "./html.ts";
import type { Page } from "./page.ts";

/** What the pages of one sign-in have in common. */
export interface SignInView {
  readonly tenant: Tenant;
  readonly client: AppRegistration;
  /** The apps whose scopes are asked for. */
  readonly resources: readonly AppRegistration[];
  /** Handle of the sign-in, sent with every form. */
  readonly handle: string;
  readonly formAction: readonly string[];
}

const form = ({ tenant, handle }: SignInView, step: string, content: Html) =>
  html`<form method="post" action="/${tenant.id}/${step}"><input type="hidden" name="ctx" value="${handle}">${content}</form>`;

/** What a developer wants to know about a user before signing in as them. */
function peculiarities({ tenant, resources }: SignInView, user: User): string[] {
  const roleless = resources.some(
    ({ appId, appRoles }) =>
      appRoles.length > 0 &&
      !tenant.roleAssignments.some(({ userId, resourceAppId }) => userId === user.id && resourceAppId === appId),
  );
  const unconsented = resources.flatMap((resource) =>
    tenant.applications
      .filter(({ appId }) =>
        tenant.grants.some((grant) => grant.clientAppId === resource.appId && grant.resourceAppId === appId),
      )
      .filter((downstream) => consentedScopes({ tenant, client: resource, user }, downstream).size === 0)
      .map(({ displayName }) => `no consent to ${displayName}`),
  );
  return [
    ...(user.signIn?.requiresMfa === true ? ["needs a second factor"] : []),
    ...unconsented,
    ...(user.userType === "Guest" ? ["guest"] : []),
    ...(user.mailbox === null ? ["no mailbox"] : []),
    ...(roleless ? ["no app role"] : []),
  ];
}

function accountEntry(view: SignInView, user: User, tags: readonly string[]): Html {
  const pick = html`<button name="user" value="${user.id}"><strong>${user.displayName}</strong><small>${user.userPrincipalName}</small>${tags.map((tag) => html`<span class="tag">${tag}</span>`)}</button>`;
  const pickWithMfa = html`<input type="hidden" name="mfa" value="yes"><button name="user" value="${user.id}" aria-label="${user.displayName}, with a second factor">with a second factor</button>`;
  return html`<li>${form(view, "login", pick)}${user.signIn?.requiresMfa === true ? form(view, "login", pickWithMfa) : null}</li>
`;
}

/** Lists the tenant's users, first those whose sign-in or permissions are out of the ordinary; a click signs one in. */
export function accountPage(view: SignInView, expected: User | undefined): Page {
  const entries = view.tenant.users.map((user) => ({ user, tags: peculiarities(view, user) }));
  const list = (heading: string, chosen: typeof entries) =>
    chosen.length === 0
      ? null
      : html`<h2>${heading}</h2>
<ul class="people">
${chosen.map(({ user, tags }) => accountEntry(view, user, tags))}</ul>
`;
  const others = entries.filter(({ user }) => user !== expected);
  return {
    title: "Pick an account",
    tenant: view.tenant.displayName,
    formAction: view.formAction,
    body: html`<p class="soft">to continue to ${view.client.displayName}</p>
${list(
  "Expected by the app",
  entries.filter(({ user }) => user === expected),
)}${list(
  "Special cases",
  others.filter(({ tags }) => tags.length > 0),
)}${list(
  "Everyone else",
  others.filter(({ tags }) => tags.length === 0).sort((a, b) => a.user.displayName.localeCompare(b.user.displayName)),
)}`,
  };
}

/** Stands for the second factor: approving it is all there is. */
export function secondFactorPage(view: SignInView, user: User): Page {
  return {
    title: "Approve sign-in request",
    tenant: view.tenant.displayName,
    formAction: view.formAction,
    body: html`<p>${user.userPrincipalName} signs in to ${view.client.displayName}, which asks for multi-factor authentication.</p>
${form(view, "mfa", html`<div class="actions"><button name="action" value="deny">Deny</button><button class="main" name="action" value="approve">Approve</button></div>`)}`,
  };
}

/** Asks the user to let the client use scopes; `scopes` are their descriptions. */
export function consentPage(
  view: SignInView,
  user: User,
  scopes: readonly { value: string; description: string }[],
): Page {
  return {
    title: "Permissions requested",
    tenant: view.tenant.displayName,
    formAction: view.formAction,
    body: html`<p><strong>${view.client.displayName}</strong> would like to:</p>
<ul class="scopes">
${scopes.map(
  ({ value, description }) => html`<li>${description} <small class="soft">(${value})</small></li>
`,
)}</ul>
<p class="soft">You are signed in as ${user.userPrincipalName}. Accept only if you trust this app.</p>
${form(view, "consent", html`<div class="actions"><button name="action" value="cancel">Cancel</button><button class="main" name="action" value="accept">Accept</button></div>`)}`,
  };
}

/** Asks for the code that a device shows. */
export function deviceCodePage(tenant: Tenant): Page {
  return {
    title: "Enter code to allow access",
    tenant: tenant.displayName,
    body: html`<p>Enter the code that your app or device shows.</p>
<form method="post" action="/${tenant.id}/deviceauth"><label for="code">Code</label>
<input type="text" id="code" name="user_code" autocomplete="off" autofocus required>
<div class="actions"><button class="main" name="action" value="next">Next</button></div></form>`,
  };
}

/** A page with one message and nothing to do. */
export function messagePage(tenant: Tenant, title: string, message: string): Page {
  return { title, tenant: tenant.displayName, body: html`<p>${message}</p>` };
}

/** Says what went wrong where there is no client that could be told. */
export function errorPage(error: ErrorBody): Page {
  return {
    title: "Sorry, but we can't sign you in",
    status: 400,
    body: html`<p><code>${error.error_description}</code></p>
<p class="soft">Error: ${error.error}</p>`,
  };
}

/** Carries an authorization response to the client by a form (`response_mode=form_post`). */
export function formPostPage(
  redirectUri: string,
  fields: readonly (readonly [string, string])[],
  source: string,
): Page {
  return {
    title: "Signing you in",
    submits: true,
    formAction: [source],
    body: html`<form method="post" action="${redirectUri}">
${fields.map(
  ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">
`,
)}<div class="actions"><button class="main">Continue</button></div></form>`,
  };
}
