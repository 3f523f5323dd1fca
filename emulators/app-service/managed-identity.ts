import { randomUUID } from "node:crypto";
import express, { type ErrorRequestHandler, type RequestHandler, type Response } from "express";
import type { ManagedIdentity } from "../directory.ts";
import { listen } from "../kernel/listener.ts";
import { Traffic } from "../kernel/traffic.ts";

/** The identities of a site and where their tokens come from. */
export interface ManagedIdentityEndpointOptions {
  readonly identities: readonly ManagedIdentity[];
  /** Issues a token whose `sub` and `oid` are the principal id and whose `aud` is the resource. `expiresOn`: epoch seconds. */
  issueToken(
    identity: ManagedIdentity,
    resource: string,
  ): Promise<{ readonly token: string; readonly expiresOn: number }>;
  readonly port?: number;
}

/** The local endpoint at which an application on App Service asks for tokens of its managed identities. */
export interface ManagedIdentityEndpoint {
  /** `IDENTITY_ENDPOINT`. */
  readonly url: string;
  /** `IDENTITY_HEADER`, which proves that a request comes from the site itself. */
  readonly header: string;
  readonly traffic: Traffic;
  /** What the platform puts into the environment of the application. */
  environment(): Record<string, string>;
  close(): Promise<void>;
}

const API_VERSION = "2019-08-01";
const PATH = "/msi/token";

/** Starts the endpoint on loopback, over plain http as on the platform. */
export async function startManagedIdentityEndpoint(
  options: ManagedIdentityEndpointOptions,
): Promise<ManagedIdentityEndpoint> {
  const header = randomUUID();
  const traffic = new Traffic();
  const app = express()
    .disable("x-powered-by")
    .disable("etag")
    .use(traffic.middleware)
    .get(PATH, answerTokenRequest(header, options))
    .use(answerError);
  const listener = await listen("the managed identity endpoint", app, options);
  const url = `${listener.origin}${PATH}`;
  return {
    url,
    header,
    traffic,
    environment: () => ({ IDENTITY_ENDPOINT: url, IDENTITY_HEADER: header }),
    close: () => listener.close(),
  };
}

function sendError(res: Response, statusCode: number, message: string): void {
  res.status(statusCode).json({ statusCode, message, correlationId: randomUUID() });
}

const answerError: ErrorRequestHandler = (_error, _req, res, _next) => {
  sendError(res, 500, "The token could not be issued.");
};

function answerTokenRequest(header: string, options: ManagedIdentityEndpointOptions): RequestHandler {
  return async (req, res) => {
    const fail = (statusCode: number, message: string) => sendError(res, statusCode, message);
    const { resource, client_id: clientId, "api-version": apiVersion } = req.query;
    if (req.headers["x-identity-header"] !== header) return fail(401, "X-IDENTITY-HEADER is missing or wrong.");
    if (apiVersion !== API_VERSION) return fail(400, `The api-version is not supported. Use ${API_VERSION}.`);
    if (typeof resource !== "string" || resource === "") return fail(400, "The resource parameter is missing.");
    const identity = options.identities.find((candidate) => candidate.clientId === clientId);
    // The directory has user-assigned identities only, so a request that names none finds no system-assigned one.
    if (!identity) return fail(400, "No managed identity with this client_id is assigned to the site.");

    const { token, expiresOn } = await options.issueToken(identity, resource);
    res.json({
      access_token: token,
      expires_on: String(expiresOn),
      resource,
      token_type: "Bearer",
      client_id: identity.clientId,
    });
  };
}
