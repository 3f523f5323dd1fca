import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";

/** Header names of RFC 9110, section 7.6.1, that end at an intermediary, and `expect`, which node:http answers itself. */
const HOP_BY_HOP = new Set([
  "connection",
  "expect",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

// Without `X-Forwarded-For`, which is appended to.
const FRONT_END = new Set([
  "client-ip",
  "disguised-host",
  "was-default-hostname",
  "x-arr-log-id",
  "x-arr-ssl",
  "x-forwarded-proto",
  "x-forwarded-tlsversion",
  "x-original-url",
  "x-site-deployment-id",
]);

/** Headers that describe the connection to the client: only the front end may set them. */
export function isFrontEndHeader(lowerCaseName: string): boolean {
  return FRONT_END.has(lowerCaseName);
}

/** Headers that tell the application who calls: only the platform may set them. */
export function isIdentityHeader(lowerCaseName: string): boolean {
  return lowerCaseName.startsWith("x-ms-client-principal") || lowerCaseName.startsWith("x-ms-token-");
}

/** Name and value pairs without those that `drops` (given the lower-case name) or that belong to one connection only. */
export function endToEndHeaders(
  rawHeaders: readonly string[],
  drops: (name: string) => boolean = () => false,
): [name: string, value: string][] {
  const pairs: [string, string][] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    pairs.push([rawHeaders[index] ?? "", rawHeaders[index + 1] ?? ""]);
  }
  const named = new Set(
    pairs
      .filter(([name]) => name.toLowerCase() === "connection")
      .flatMap(([, value]) => value.split(",").map((entry) => entry.trim().toLowerCase())),
  );
  return pairs.filter(([rawName]) => {
    const name = rawName.toLowerCase();
    return !HOP_BY_HOP.has(name) && !named.has(name) && !drops(name);
  });
}

/**
 * The headers that the front end adds to every request, as App Service names them.
 *
 * They replace what the client sent under these names; only `X-Forwarded-For` is appended to.
 */
export function frontEndHeaders(
  req: IncomingMessage,
  site: { readonly hostName: string; readonly siteName: string },
): Record<string, string> {
  const client = `${req.socket.remoteAddress ?? "127.0.0.1"}:${req.socket.remotePort ?? 0}`;
  const chain = req.headers["x-forwarded-for"];
  const tls = req.socket as Partial<TLSSocket>;
  return {
    "X-Forwarded-For": chain ? `${String(chain)}, ${client}` : client,
    "X-Forwarded-Proto": tls.encrypted ? "https" : "http",
    ...(tls.encrypted
      ? {
          "X-ARR-SSL": "2048|256|CN=azure-graph-mcp local cloud (throw-away CA)|CN=localhost",
          "X-Forwarded-TlsVersion": (tls.getProtocol?.() ?? "").replace("TLSv", ""),
        }
      : {}),
    "CLIENT-IP": client,
    "DISGUISED-HOST": req.headers.host ?? site.hostName,
    "WAS-DEFAULT-HOSTNAME": site.hostName,
    "X-SITE-DEPLOYMENT-ID": site.siteName,
    "X-Original-URL": req.url ?? "/",
    "X-ARR-LOG-ID": randomUUID(),
  };
}
