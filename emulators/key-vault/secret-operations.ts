import type { Request, RequestHandler, Response } from "express";
import { sendError } from "./errors.ts";
import type { Secrets, SecretVersion } from "./secrets.ts";

const MAX_PAGE = 25;

/** `GET /secrets/{name}` and `GET /secrets/{name}/{version}`. */
export function getSecret(secrets: Secrets): RequestHandler<{ name: string; version?: string }> {
  return (req, res) => {
    const { name, version } = req.params;
    const secret = secrets.get(name, version);
    if (!secret) {
      sendError(res, 404, "SecretNotFound", `A secret with (name/id) ${name} was not found in this key vault.`);
    } else if (secret.attributes.enabled === false) {
      sendError(res, 403, "Forbidden", "Operation get is not allowed on a disabled secret.", "SecretDisabled");
    } else {
      res.json({ value: secret.value, ...describe(req, secret, { withVersion: true }) });
    }
  };
}

/** `GET /secrets/{name}/versions`: attributes without values, in pages. */
export function listVersions(secrets: Secrets): RequestHandler<{ name: string }> {
  return (req, res) => {
    const versions = secrets.versions(req.params.name).map((entry) => describe(req, entry, { withVersion: true }));
    sendPage(req, res, versions);
  };
}

/** `GET /secrets`: the latest attributes of every secret, in pages. */
export function listSecrets(secrets: Secrets): RequestHandler {
  return (req, res) => {
    const latest = secrets.list().map((entry) => describe(req, entry, { withVersion: false }));
    sendPage(req, res, latest);
  };
}

interface SecretItem {
  readonly id: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly tags: Readonly<Record<string, string>>;
}

const seconds = (date: Date) => Math.floor(date.getTime() / 1000);

function describe(
  req: { readonly headers: Request["headers"] },
  { name, version, attributes: { enabled = true, notBefore, expires }, created, updated }: SecretVersion,
  { withVersion }: { readonly withVersion: boolean },
): SecretItem {
  return {
    id: `https://${req.headers.host ?? "localhost"}/secrets/${name}${withVersion ? `/${version}` : ""}`,
    attributes: {
      enabled,
      ...(notBefore ? { nbf: seconds(notBefore) } : {}),
      ...(expires ? { exp: seconds(expires) } : {}),
      created: seconds(created),
      updated: seconds(updated),
      recoveryLevel: "Recoverable+Purgeable",
      recoverableDays: 90,
    },
    tags: {},
  };
}

function sendPage(req: Pick<Request, "query" | "path" | "headers">, res: Response, items: readonly SecretItem[]): void {
  const size = req.query["maxresults"] === undefined ? MAX_PAGE : Number(req.query["maxresults"]);
  if (!Number.isInteger(size) || size < 1 || size > MAX_PAGE) {
    sendError(res, 400, "BadParameter", `maxresults must be between 1 and ${MAX_PAGE}.`);
    return;
  }
  const apiVersion = req.query["api-version"];
  const start = Number(req.query["$skiptoken"] ?? 0);
  const end = start + size;
  const next = new URLSearchParams({
    "api-version": typeof apiVersion === "string" ? apiVersion : "",
    $skiptoken: String(end),
    maxresults: String(size),
  });
  const host = req.headers.host ?? "localhost";
  const nextLink = end < items.length ? `https://${host}${req.path}?${next.toString()}` : null;
  res.json({ value: items.slice(start, end), nextLink });
}
