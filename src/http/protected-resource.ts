import { mcpAuthMetadataRouter } from "@modelcontextprotocol/express";
import { Router } from "express";

/** What this server publishes about itself when no platform in front does. */
export interface ProtectedResource {
  readonly mcpUrl: string;
  readonly issuer: string;
  /** Short name of the scope. */
  readonly scope: string;
}

/**
 * Serves Protected Resource Metadata (RFC 9728) at its path-inserted place, and at the root for clients that look only
 * there; each names scopes below its own `resource`, because Entra compares the two (AADSTS9010010).
 */
export function protectedResourceMetadata({ mcpUrl, issuer, scope }: ProtectedResource): Router {
  const { origin } = new URL(mcpUrl);
  const router = Router();
  for (const resource of [mcpUrl, origin]) {
    router.use(
      mcpAuthMetadataRouter({
        oauthMetadata: entraMetadata(issuer),
        resourceServerUrl: asWritten(resource),
        scopesSupported: [`${resource}/${scope}`],
        resourceName: "azure-graph-mcp",
      }),
    );
  }
  return router;
}

/** What the SDK reads of an address: a real `URL` would put a slash behind an origin, and then the scope is not below it. */
function asWritten(href: string): URL {
  const view: Pick<URL, "href"> = { href };
  return view as URL;
}

/** Entra's endpoints follow from the issuer; clients that look for OAuth metadata here learn that PKCE is supported. */
function entraMetadata(issuer: string) {
  const base = issuer.replace(/\/v2\.0$/, "");
  return {
    issuer,
    authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
    token_endpoint: `${base}/oauth2/v2.0/token`,
    response_types_supported: ["code"],
    code_challenge_methods_supported: ["S256"],
  };
}
