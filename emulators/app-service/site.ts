import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import type { AppSettings, AuthSettings } from "./settings.ts";
import type { AppServiceSwitches } from "./switches.ts";

/** What the front end knows of the site while it serves a request. */
export interface Site {
  /** Live: a change applies to the next request. */
  readonly authSettings: AuthSettings;
  /** As they were when the site last started. */
  readonly appSettings: Readonly<AppSettings>;
  readonly switches: AppServiceSwitches;
  readonly healthCheckPath?: string;
}

/** How the client addressed the site. */
export interface Address {
  /** Host and port, as clients see them. */
  readonly host: string;
  /** For example `https://contoso.azurewebsites.net`, without a trailing slash. */
  readonly origin: string;
  /** False only where `requireHttps` would redirect. */
  readonly secure: boolean;
}

function header(req: IncomingMessage, name: string | undefined): string | undefined {
  const value = name ? req.headers[name.toLowerCase()] : undefined;
  return (Array.isArray(value) ? value[0] : value)?.split(",")[0]?.trim() || undefined;
}

function connectionOf(req: IncomingMessage): { readonly host: string; readonly scheme: "http" | "https" } {
  const tls = (req.socket as Partial<TLSSocket>).encrypted === true;
  return { host: header(req, "host") ?? "localhost", scheme: tls ? "https" : "http" };
}

/** The address as the connection and the `Host` header show it. */
function directAddress(req: IncomingMessage, site: Site): Address {
  const { host, scheme } = connectionOf(req);
  const secure = scheme === "https" || site.switches["easyauth.loopbackCountsAsHttps"];
  return { host, origin: `${scheme}://${host}`, secure };
}

/** The address as a proxy in front of the site reports it, where `httpSettings.forwardProxy` says that there is one. */
export function forwardedAddress(req: IncomingMessage, site: Site): Address {
  const direct = directAddress(req, site);
  const { convention = "NoProxy", ...custom } = site.authSettings.httpSettings?.forwardProxy ?? {};
  if (convention === "NoProxy") return direct;
  const standard = convention === "Standard";
  const host = header(req, standard ? "x-forwarded-host" : custom.customHostHeaderName) ?? direct.host;
  const scheme = header(req, standard ? "x-forwarded-proto" : custom.customProtoHeaderName);
  return {
    host,
    origin: `${scheme ?? connectionOf(req).scheme}://${host}`,
    secure: scheme ? scheme === "https" : direct.secure,
  };
}

/** The address that realm and protected resource metadata name. */
export function advertisedAddress(req: IncomingMessage, site: Site): Address {
  return site.switches["easyauth.forwardProxyAffectsPrm"] ? forwardedAddress(req, site) : directAddress(req, site);
}

/** Path of a request target, undecoded and without its query. */
export function pathOf(target: string): string {
  const end = target.indexOf("?");
  return end < 0 ? target : target.slice(0, end);
}
