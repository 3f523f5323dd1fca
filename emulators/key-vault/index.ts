import { randomUUID } from "node:crypto";
import express, { type ErrorRequestHandler, type RequestHandler } from "express";
import type { Certificates } from "../kernel/certificates.ts";
import { listen } from "../kernel/listener.ts";
import { Traffic } from "../kernel/traffic.ts";
import { type Authorization, requireReader } from "./authorization.ts";
import { sendError } from "./errors.ts";
import { getSecret, listSecrets, listVersions } from "./secret-operations.ts";
import { createSecrets, type SecretAttributes } from "./secrets.ts";

export type { SecretAttributes } from "./secrets.ts";

/** One vault. */
export interface KeyVaultOptions extends Authorization {
  readonly certificates: Certificates;
  /** 0 (default) takes a free port. */
  readonly port?: number;
}

/** A running vault: what the role Key Vault Secrets User may call of the Key Vault REST API. */
export interface KeyVault {
  /** The vault url, https. */
  readonly origin: string;
  readonly traffic: Traffic;
  /** Adds a version, which becomes the latest. */
  setSecret(name: string, value: string, attributes?: SecretAttributes): { readonly version: string };
  /** Changes attributes of a version, or of the latest when `version` is undefined. */
  updateSecret(name: string, version: string | undefined, attributes: SecretAttributes): void;
  close(): Promise<void>;
}

/** Starts an empty vault on loopback. */
export async function startKeyVault(options: KeyVaultOptions): Promise<KeyVault> {
  const traffic = new Traffic();
  const secrets = createSecrets();
  const app = express()
    .disable("x-powered-by")
    .disable("etag")
    .use(traffic.middleware, nameRequest, requireReader(options), requireApiVersion)
    .get("/secrets", listSecrets(secrets))
    .get("/secrets/:name/versions", listVersions(secrets))
    .get("/secrets/:name{/:version}", getSecret(secrets))
    .use((_req, res) => sendError(res, 404, "NotFound", "The emulated vault does not know this operation."))
    .use(answerError);
  const listener = await listen("the Key Vault emulator", app, options);
  return {
    origin: listener.origin,
    traffic,
    setSecret: (name, value, attributes) => ({ version: secrets.set(name, value, attributes).version }),
    updateSecret(name, version, attributes) {
      secrets.update(name, version, attributes);
    },
    close: () => listener.close(),
  };
}

const nameRequest: RequestHandler = (_req, res, next) => {
  res.set({ "x-ms-request-id": randomUUID(), "Cache-Control": "no-cache" });
  next();
};

const requireApiVersion: RequestHandler = (req, res, next) => {
  if (typeof req.query["api-version"] === "string") next();
  else sendError(res, 400, "BadParameter", "api-version must be specified");
};

const answerError: ErrorRequestHandler = (_error, _req, res, _next) => {
  sendError(res, 500, "InternalServerError", "The emulated vault failed.");
};
