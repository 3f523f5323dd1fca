import { type Check, type Deployment, firstOf, isSecure, PLATFORM_HEADER, SERVER_HEADER } from "./deployment.ts";
import { ERAS, objectIn } from "./messages.ts";
import { finding, ok, skipped, type Verdict } from "./report.ts";

/** What a client without a token meets: who refuses it, how it learns where to sign in, and whether Entra ID will agree. */
export const signInChecks: readonly Check[] = [
  { name: "anonymous", run: refusesAnonymous },
  { name: "platform", after: ["anonymous"], run: isRefusedByThePlatform },
  { name: "metadata", run: publishesMetadata },
  { name: "root-metadata", after: ["metadata"], run: publishesRootMetadata },
  { name: "challenge", after: ["anonymous", "metadata"], run: challenges },
  { name: "scopes", after: ["metadata"], run: scopesBelongToResource },
  { name: "authorization-server", after: ["metadata"], run: namesAuthorizationServer },
];

const SETTING = "WEBSITE_AUTH_PRM_DEFAULT_WITH_SCOPES";
const OIDC_SCOPES = new Set(["openid", "profile", "email", "offline_access"]);

function refusesAnonymous({ anonymous }: Deployment): Verdict {
  const served = ERAS.filter((era) => anonymous[era].status < 300);
  if (served.length === 0) return ok("nothing is served without a token, in either era");
  return finding(
    `a request of ${served.join(" and ")} without a token was answered with ${anonymous[served[0] ?? ERAS[0]].status}`,
    "Take the server off the network, then turn authentication on: AUTH_MODE=easy-auth behind App Service Authentication, or AUTH_MODE=bearer.",
  );
}

function isRefusedByThePlatform({ anonymous, front }: Deployment): Verdict {
  if (front !== "App Service Authentication") return skipped("App Service Authentication is not in front");
  // Not every version of the platform sends its header; the server's own is on all that the server answers.
  const passed = ERAS.filter(
    (era) => !(PLATFORM_HEADER in anonymous[era].headers) && SERVER_HEADER in anonymous[era].headers,
  );
  if (passed.length === 0) return ok("App Service Authentication refuses before the server has to");
  return finding(
    "requests without a token reach the server: App Service Authentication is there and lets them through",
    'Set globalValidation to { requireAuthentication: true, unauthenticatedClientAction: "Return401" }, and take /mcp out of excludedPaths.',
  );
}

function publishesMetadata({ metadata, url, front }: Deployment): Verdict {
  const document = metadata.status === 200 ? objectIn(metadata) : undefined;
  const place = `/.well-known/oauth-protected-resource${url.pathname}`;
  if (!document) {
    return finding(
      `${place} has no metadata (${metadata.status}): clients cannot find out where to sign in`,
      front === "App Service Authentication"
        ? `Set the app setting ${SETTING}=${url.href}/<scope> and restart the app.`
        : "Set AUTH_MODE=bearer where no App Service Authentication is in front; turn it on where there should be one.",
    );
  }
  if (document["resource"] !== url.href) {
    return finding(
      `the metadata is that of another resource than ${url.href}: clients must not use it`,
      "Give clients the address that the server has in MCP_SERVER_URL, without a slash at the end. Behind a gateway: App Service Authentication needs forwardProxy.convention Standard.",
    );
  }
  if (firstOf(document, "authorization_servers") === undefined) {
    return finding("the metadata names no authorization server", "Set openIdIssuer, or ENTRA_ISSUER.");
  }
  return ok(`at ${place}, for exactly this address`);
}

function publishesRootMetadata({ rootMetadata, url, front }: Deployment): Verdict {
  const document = rootMetadata.status === 200 ? objectIn(rootMetadata) : undefined;
  if (!document) {
    return finding(
      `no metadata at the root (${rootMetadata.status}), where some clients look only`,
      "Serve it at /.well-known/oauth-protected-resource too.",
    );
  }
  const resource = document["resource"];
  if (resource !== url.origin && resource !== url.href) {
    return finding(
      "the metadata at the root is that of another host",
      "Set MCP_SERVER_URL to the address that clients use.",
    );
  }
  const foreign = scopesOf(document).filter((scope) => !belongsTo(scope, resource));
  if (foreign.length === 0) return ok("at the root too");
  // The platform writes the setting into every document as it is: it can agree with one path only.
  if (front === "App Service Authentication") {
    return ok("at the root too; a client that looks only there gets AADSTS9010010, which App Service cannot avoid");
  }
  return finding(
    "clients that look only at the root will fail with AADSTS9010010: its scopes are not below its resource",
    `Publish ${url.origin}/<scope> there.`,
  );
}

function challenges({ anonymous, url, front }: Deployment): Verdict {
  const byPlatform = front === "App Service Authentication";
  for (const era of ERAS) {
    const { status, headers } = anonymous[era];
    if (status !== 401) {
      return finding(
        `a request of ${era} without a token is answered with ${status}, not 401: clients do not ask anybody to sign in`,
        byPlatform
          ? 'Set globalValidation.unauthenticatedClientAction to "Return401".'
          : "Answer 401 with WWW-Authenticate, as AUTH_MODE=bearer does.",
      );
    }
    const header = headers["www-authenticate"] ?? "";
    if (!/^Bearer\b/i.test(header)) {
      return finding(
        "the 401 has no WWW-Authenticate: Bearer",
        byPlatform
          ? "Set identityProviders.azureActiveDirectory.login.disableWWWAuthenticate to false."
          : "Send it, as AUTH_MODE=bearer does.",
      );
    }
    const place = parameterOf(header, "resource_metadata");
    if (place === undefined || !URL.canParse(place) || new URL(place).origin !== url.origin) {
      return finding(
        place === undefined
          ? "the challenge does not say where the metadata is"
          : "the challenge points to metadata of another host",
        byPlatform ? `Set ${SETTING} and restart the app.` : "Set MCP_SERVER_URL to the address that clients use.",
      );
    }
  }
  return ok("401 that points to the metadata, in both eras");
}

function scopesBelongToResource({ metadata, anonymous, url, front }: Deployment): Verdict {
  const document = objectIn(metadata);
  const challenged = ERAS.flatMap(
    (era) => parameterOf(anonymous[era].headers["www-authenticate"] ?? "", "scope")?.split(/[\s,]+/) ?? [],
  );
  const published = document ? scopesOf(document) : [];
  const fix =
    `Make ${url.href} an identifier URI of the server's registration (after requestedAccessTokenVersion: 2), and publish the scope below it: ` +
    (front === "App Service Authentication"
      ? `app setting ${SETTING}=${url.href}/<scope>, then restart the app.`
      : `MCP_SERVER_URL=${url.href} and REQUIRED_SCOPE=<scope>.`);
  if (published.length === 0) {
    return finding("no scope is published: clients ask for none, or for one of Microsoft Graph (AADSTS650053)", fix);
  }
  const foreign = [...published, ...challenged].find((scope) => scope !== "" && !belongsTo(scope, url.href));
  if (foreign !== undefined) {
    return finding(
      "clients will fail to sign in with AADSTS9010010: they send this address as resource, and a published scope is not below it",
      fix,
    );
  }
  return ok(`the published scope is below the resource, so Entra ID accepts the two together`);
}

function namesAuthorizationServer({ metadata, authorizationServer, front, isBroker }: Deployment): Verdict {
  const issuer = firstOf(objectIn(metadata), "authorization_servers") ?? "";
  const own = isBroker ? "MCP_SERVER_URL" : "ENTRA_ISSUER";
  const setting = front === "App Service Authentication" ? "openIdIssuer" : own;
  if (!URL.canParse(issuer) || !isSecure(new URL(issuer))) {
    return finding("clients are sent to sign in over plain http", `Set ${setting} to an https address.`);
  }
  const { host, pathname, origin } = new URL(issuer);
  if (host === "sts.windows.net" || /^\/[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\/?$/i.test(pathname)) {
    return finding(
      "the issuer is that of version 1 tokens, and this server accepts version 2 only: every sign-in ends with 401",
      `Set ${setting} to <authority>/<tenant>/v2.0 and requestedAccessTokenVersion of the registration to 2.`,
    );
  }
  if (authorizationServer === "unreachable")
    return { outcome: "unknown", detail: `${origin} did not answer from here` };
  if (!authorizationServer) {
    return finding(
      "the authorization server describes itself nowhere",
      isBroker
        ? "Let /.well-known/oauth-authorization-server through, whatever stands in front."
        : `Check the tenant in ${setting}.`,
    );
  }
  if (authorizationServer.metadata["issuer"] !== issuer) {
    return finding(
      "the authorization server calls itself by another issuer",
      `Set ${setting} to the issuer that it names.`,
    );
  }
  const missing = ["authorization_endpoint", "token_endpoint"].filter(
    (endpoint) => typeof authorizationServer.metadata[endpoint] !== "string",
  );
  if (missing.length > 0)
    return finding(`the authorization server has no ${missing.join(" and ")}`, `Check ${setting}.`);
  return ok(isBroker ? "the server itself (broker)" : `${host} describes itself as this issuer`);
}

function scopesOf(document: Readonly<Record<string, unknown>>): string[] {
  const scopes = document["scopes_supported"];
  return Array.isArray(scopes) ? scopes.map(String) : [];
}

/** Entra's comparison: the scope up to its last slash is the resource, byte for byte. OIDC scopes take no part. */
function belongsTo(scope: string, resource: unknown): boolean {
  return OIDC_SCOPES.has(scope) || scope.slice(0, Math.max(scope.lastIndexOf("/"), 0)) === resource;
}

/** A parameter of a challenge; the platform separates them by blanks or commas. */
function parameterOf(header: string, name: string): string | undefined {
  return new RegExp(`[\\s,]${name}="([^"]*)"`, "i").exec(header)?.[1];
}
