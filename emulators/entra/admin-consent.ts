import type { Request, RequestHandler } from "express";
import type { AppRegistration, Tenant } from "../directory.ts";
import { type Authority, findClient, tenantOf } from "./authority.ts";
import { EntraError } from "./errors.ts";
import { formOf } from "./form.ts";
import { html } from "./html.ts";
import { sendPage } from "./page.ts";
import { messagePage } from "./sign-in-pages.ts";

/** A permission that the registration asks for, with what an administrator is told about it. */
interface RequestedPermission {
  readonly resource: AppRegistration;
  readonly value: string;
  readonly description: string;
}

function requestOf(authority: Authority, req: Request): { tenant: Tenant; client: AppRegistration } {
  const tenant = tenantOf(authority, req);
  return {
    tenant,
    client: findClient(tenant, new URL(req.originalUrl, "http://localhost").searchParams.get("client_id")),
  };
}

function requestedPermissions(tenant: Tenant, client: AppRegistration): RequestedPermission[] {
  return (client.requiredResourceAccess ?? []).flatMap(({ resourceAppId, scopes }) => {
    const resource = tenant.applications.find(({ appId }) => appId === resourceAppId);
    if (!resource) throw new EntraError(500011, [resourceAppId, tenant.displayName]);
    return resource.scopes
      .filter(({ value }) => scopes.includes(value))
      .map(({ value, description }) => ({ resource, value, description }));
  });
}

/** Asks an administrator to let an app use, for everyone, what its registration lists. Everybody is one here. */
export function adminConsentForm(authority: Authority): RequestHandler {
  return (req, res) => {
    const { tenant, client } = requestOf(authority, req);
    sendPage(res, {
      title: "Permissions requested",
      tenant: tenant.displayName,
      body: html`<p><strong>${client.displayName}</strong> would like to, for everyone in ${tenant.displayName}:</p>
<ul class="scopes">
${requestedPermissions(tenant, client).map(({ value, description }) => html`<li>${description} <small>(${value})</small></li>`)}</ul>
<form method="post"><div class="actions"><button name="action" value="cancel">Cancel</button><button class="main" name="action" value="accept">Accept</button></div></form>`,
    });
  };
}

/** Stores the administrator's consent. */
export function decideAdminConsent(authority: Authority): RequestHandler {
  return (req, res) => {
    const { tenant, client } = requestOf(authority, req);
    if (formOf(req).get("action") !== "accept") {
      sendPage(res, messagePage(tenant, "Nothing was changed", `${client.displayName} was given no permission.`));
      return;
    }
    for (const { resource, value } of requestedPermissions(tenant, client)) {
      tenant.grants.push({ clientAppId: client.appId, resourceAppId: resource.appId, userId: "all", scopes: [value] });
    }
    sendPage(res, messagePage(tenant, "Permissions granted", `${client.displayName} may be used by everyone now.`));
  };
}
