import { createPublicKey } from "node:crypto";
import { ERAS, type Era, firstProbe, objectIn } from "./messages.ts";
import { type Answer, NoAnswerError, type Send } from "./probe.ts";
import type { Front, Verdict } from "./report.ts";

/** Where clients sign in, as it describes itself. */
export interface AuthorizationServer {
  readonly metadata: Readonly<Record<string, unknown>>;
  /** A signing key that it publishes, as PEM, with its id and what it signs with; for forgeries that look right. */
  readonly key: { readonly id: string; readonly pem: string; readonly algorithm: "RS256" | "EdDSA" } | undefined;
}

/** A deployment after a first look at it, ready for checks. */
export interface Deployment {
  /** The MCP endpoint. */
  readonly url: URL;
  readonly front: Front;
  readonly send: Send;
  /** Access token of a person, for the signed-in side. */
  readonly token: string | undefined;
  /** One that was good once. */
  readonly expiredToken: string | undefined;
  /** What a client without a token is answered, by era. */
  readonly anonymous: Readonly<Record<Era, Answer>>;
  /** Protected Resource Metadata where the path is inserted, and at the root. */
  readonly metadata: Answer;
  readonly rootMetadata: Answer;
  readonly authorizationServer: AuthorizationServer | "unreachable" | undefined;
  /** Whether clients sign in at the deployment itself (AUTH_MODE=broker). */
  readonly isBroker: boolean;
  readonly timeoutMs: number;
}

/** One thing to look at. */
export interface Check {
  readonly name: string;
  /** Checks without whose success this one would only repeat their finding. */
  readonly after?: readonly string[];
  readonly run: (deployment: Deployment) => Promise<Verdict> | Verdict;
}

/** Header by which answers of App Service Authentication are known. */
export const PLATFORM_HEADER = "x-ms-middleware-request-id";
/** Header that this server writes into all that it answers. */
export const SERVER_HEADER = "x-request-id";

const METADATA_PATH = "/.well-known/oauth-protected-resource";

/** Sends the first requests. Throws {@link NoAnswerError} where nobody answers. */
export async function lookAt(
  url: URL,
  send: Send,
  options: Pick<Deployment, "token" | "expiredToken" | "timeoutMs">,
): Promise<Deployment> {
  const [modern, legacy] = await Promise.all(ERAS.map(async (era) => send(url, firstProbe(era))));
  if (!modern || !legacy) throw new NoAnswerError(url, "unknown");
  const metadata = await send(`${METADATA_PATH}${url.pathname}`);
  const signIn = await send("/.auth/login/aad");
  const isPlatform =
    PLATFORM_HEADER in modern.headers ||
    (signIn.status === 302 && /\/authorize\b/.test(signIn.headers["location"] ?? ""));
  return {
    ...options,
    url,
    send,
    front: isPlatform ? "App Service Authentication" : "the server itself",
    anonymous: { "2026-07-28": modern, "2025-11-25": legacy },
    metadata,
    rootMetadata: await send(METADATA_PATH),
    authorizationServer: await findAuthorizationServer(metadata, send),
    isBroker: isOwnIssuer(metadata, url),
  };
}

/** The first of a list of strings in a document. */
export function firstOf(document: Readonly<Record<string, unknown>> | undefined, member: string): string | undefined {
  const list = document?.[member];
  return Array.isArray(list) && typeof list[0] === "string" ? list[0] : undefined;
}

function isOwnIssuer(metadata: Answer, { origin }: URL): boolean {
  const issuer = firstOf(objectIn(metadata), "authorization_servers");
  return issuer !== undefined && URL.canParse(issuer) && new URL(issuer).origin === origin;
}

async function findAuthorizationServer(prm: Answer, send: Send): Promise<Deployment["authorizationServer"]> {
  const issuer = firstOf(objectIn(prm), "authorization_servers");
  if (issuer === undefined || !URL.canParse(issuer) || !isSecure(new URL(issuer))) return undefined;
  try {
    for (const place of metadataPlaces(new URL(issuer))) {
      const answer = await send(place);
      const metadata = answer.status === 200 ? objectIn(answer) : undefined;
      if (metadata) return { metadata, key: await readKey(metadata["jwks_uri"], send) };
    }
    return undefined;
  } catch (error) {
    if (error instanceof NoAnswerError) return "unreachable";
    throw error;
  }
}

/** In the order in which clients look (RFC 8414, OpenID Connect Discovery); Entra ID has the last one only. */
function metadataPlaces(issuer: URL): URL[] {
  const path = issuer.pathname.replace(/\/$/, "");
  return [
    `/.well-known/oauth-authorization-server${path}`,
    `/.well-known/openid-configuration${path}`,
    `${path}/.well-known/openid-configuration`,
  ].map((place) => new URL(place, issuer));
}

async function readKey(place: unknown, send: Send): Promise<AuthorizationServer["key"]> {
  if (typeof place !== "string" || !URL.canParse(place) || !isSecure(new URL(place))) return undefined;
  const keys = objectIn(await send(new URL(place)))?.["keys"];
  const key = Array.isArray(keys)
    ? (keys as { kty?: string; crv?: string; kid?: string }[]).find(
        ({ kty, crv }) => kty === "RSA" || crv === "Ed25519",
      )
    : undefined;
  if (!key) return undefined;
  const pem = createPublicKey({ key, format: "jwk" }).export({ type: "spki", format: "pem" });
  return { id: key.kid ?? "", pem: String(pem), algorithm: key.kty === "RSA" ? "RS256" : "EdDSA" };
}

/** Whether an address may be used without a network in between: https, or this computer. */
export function isSecure({ protocol, hostname }: URL): boolean {
  return protocol === "https:" || (protocol === "http:" && ["localhost", "127.0.0.1", "[::1]"].includes(hostname));
}
