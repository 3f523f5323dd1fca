import { unescape } from "node:querystring";
import type { Request } from "express";
import type { AppRegistration, Tenant } from "../directory.ts";
import { type Authority, findClient } from "./authority.ts";
import { EntraError } from "./errors.ts";
import { verifyFederatedAssertion } from "./federated-credentials.ts";
import type { Platform } from "./redirect-uris.ts";

const ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/** The client of a token request and what it presented to prove who it is. */
export interface ClientRequest {
  readonly client: AppRegistration;
  readonly secret: string | null;
  readonly assertion: string | null;
  /** Value of the `Origin` header: browsers send it, and only single-page applications may run in one. */
  readonly browserOrigin: string | undefined;
}

function basicCredentials(req: Request): { id: string; secret: string } | undefined {
  const [, encoded] = /^Basic (.+)$/i.exec(req.headers.authorization ?? "") ?? [];
  if (encoded === undefined) return undefined;
  const [id = "", secret = ""] = Buffer.from(encoded, "base64").toString().split(":");
  return { id: unescape(id), secret: unescape(secret) };
}

/** Finds the client of a token request, without checking its credentials yet. */
export function readClientRequest(tenant: Tenant, req: Request, form: URLSearchParams): ClientRequest {
  const basic = basicCredentials(req);
  const assertion = form.get("client_assertion");
  if (assertion && form.get("client_assertion_type") !== ASSERTION_TYPE) {
    throw new EntraError(900144, ["client_assertion_type"]);
  }
  return {
    client: findClient(tenant, form.get("client_id") ?? basic?.id ?? null),
    secret: form.get("client_secret") || basic?.secret || null,
    assertion: assertion || null,
    browserOrigin: req.headers.origin,
  };
}

/** Demands a secret or a client assertion, and verifies it. */
export async function authenticateConfidentialClient(authority: Authority, request: ClientRequest): Promise<void> {
  const { client, secret, assertion } = request;
  if (assertion !== null) {
    await verifyFederatedAssertion(authority, client, assertion);
    return;
  }
  if (secret === null) throw new EntraError(7000218);
  if (client.secret !== secret) throw new EntraError(7000215);
}

/** Demands that a public client presents no credentials: it could not keep them. */
export function assertPublicClient({ secret, assertion }: ClientRequest): void {
  if (secret !== null || assertion !== null) throw new EntraError(700025);
}

/** Checks a client's credentials as the platform of its redirect URI wants them. */
export async function authenticateForPlatform(
  authority: Authority,
  request: ClientRequest,
  platform: Platform,
): Promise<void> {
  const fromBrowser = request.browserOrigin !== undefined;
  if (fromBrowser && platform !== "spa") throw new EntraError(9002326);
  switch (platform) {
    case "web":
      await authenticateConfidentialClient(authority, request);
      return;
    case "spa":
      if (!fromBrowser) throw new EntraError(9002327);
      assertPublicClient(request);
      return;
    case "public":
      assertPublicClient(request);
      return;
  }
}
