import type { IncomingMessage, ServerResponse } from "node:http";
import { endToEndHeaders, frontEndHeaders, isFrontEndHeader, isIdentityHeader } from "./forwarded-headers.ts";
import type { Proxy } from "./proxy.ts";
import type { AppServiceSwitches } from "./switches.ts";

/**
 * Hands a request to the application, with the identity headers of the caller instead of any that the client sent.
 *
 * `identity` is undefined while authentication is disabled: then nothing protects these headers, and the client's own
 * reach the application.
 */
export type Forward = (
  req: IncomingMessage,
  res: ServerResponse,
  identity: Readonly<Record<string, string>> | undefined,
) => void;

// A second line of these must not reach an application that reads the last one: the gate looked at the first.
const SINGULAR = new Set(["host", "authorization"]);

/** What forwarding depends on; read for each request. */
export interface Backend {
  readonly proxy: Proxy;
  readonly switches: AppServiceSwitches;
  readonly siteName: string;
  readonly hostName: () => string;
  readonly appOrigin: () => string | undefined;
}

/** Creates the last step of the front end. */
export function createForward({ proxy, switches, siteName, hostName, appOrigin }: Backend): Forward {
  return (req, res, identity) => {
    const drops = (name: string) =>
      isFrontEndHeader(name) || (identity !== undefined && isIdentityHeader(name)) || SINGULAR.has(name);
    const { host, authorization } = req.headers;
    const forwardsToken = switches["easyauth.forwardAuthorization"] && authorization !== undefined;
    const own = { ...frontEndHeaders(req, { hostName: hostName(), siteName }), ...identity };
    proxy.forward(req, res, {
      origin: appOrigin(),
      target: req.url ?? "/",
      headers: {
        ...collect(endToEndHeaders(req.rawHeaders, drops)),
        ...collect(Object.entries(own)),
        ...(host === undefined ? {} : { host }),
        ...(forwardsToken ? { authorization } : {}),
        // node:http frames the body of a DELETE, for example, only when told to.
        ...(req.headers["transfer-encoding"] ? { "transfer-encoding": "chunked" } : {}),
      },
      idleMs: switches["easyauth.idleTimeoutSeconds"] * 1000,
      buffered: switches["easyauth.bufferResponses"],
    });
  };
}

function collect(pairs: readonly (readonly [name: string, value: string])[]): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  for (const [rawName, value] of pairs) {
    const name = rawName.toLowerCase();
    const earlier = headers[name];
    headers[name] = earlier === undefined ? value : [earlier, value].flat();
  }
  return headers;
}
