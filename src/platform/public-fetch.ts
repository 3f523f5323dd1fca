import { lookup as systemLookup } from "node:dns";
import type { LookupFunction } from "node:net";
import ipaddr from "ipaddr.js";
import { Agent, fetch } from "undici";

/** Which addresses may be reached, and how names become addresses. */
export interface PublicFetchOptions {
  readonly timeoutMs: number;
  /** `host:port` (`host` for 443) that may have a private address: an organisation's own. */
  readonly trustedHosts: readonly string[];
  /** As `dns.lookup`; another one is for tests. */
  readonly lookup?: LookupFunction;
}

/** Fetches one document, as `fetch` does. */
export interface PublicFetch {
  readonly fetchDocument: (address: URL | string) => Promise<Response>;
  readonly close: () => Promise<void>;
}

const MAX_BYTES = 16 * 1024;
/** Azure's own services inside every virtual network, at an address that looks public. */
const AZURE_WIRE_SERVER = "168.63.129.16";

/** A document that must not be fetched from where it is. */
export class ForbiddenAddressError extends Error {
  override readonly name = "ForbiddenAddressError";
}

/**
 * Fetches small documents whose address a stranger chose: https only, no redirects, and only from public addresses. The
 * address that was checked is the one that is connected to, so that a name can't change its mind in between.
 *
 * Rejects with {@link ForbiddenAddressError} in the chain of causes, or as `fetch` does.
 * Source: OAuth Client ID Metadata Document, "Server Side Request Forgery".
 */
export function createPublicFetch({ timeoutMs, trustedHosts, lookup }: PublicFetchOptions): PublicFetch {
  const resolve = lookup ?? systemLookup;
  const limits = { headersTimeout: timeoutMs, bodyTimeout: timeoutMs, maxResponseSize: MAX_BYTES, pipelining: 0 };
  const open = new Agent({ ...limits, connect: { timeout: timeoutMs, lookup: resolve } });
  const guarded = new Agent({ ...limits, connect: { timeout: timeoutMs, lookup: publicOnly(resolve) } });

  return {
    async fetchDocument(address: URL | string): Promise<Response> {
      const url = new URL(address);
      const trusted = trustedHosts.includes(url.host);
      const literal = url.hostname.replace(/^\[|\]$/g, "");
      if (url.protocol !== "https:" || (!trusted && ipaddr.isValid(literal) && !isPublic(literal))) {
        throw new ForbiddenAddressError("Only public https addresses are fetched.");
      }
      return fetch(url, {
        dispatcher: trusted ? open : guarded,
        redirect: "manual",
        headers: { accept: "application/json" },
        signal: AbortSignal.timeout(timeoutMs),
      });
    },
    close: async () => {
      await Promise.all([open.destroy(), guarded.destroy()]);
    },
  };
}

/** Refuses a name as soon as one of its addresses is not public. */
function publicOnly(resolve: LookupFunction): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, "", 0);
      const addresses = Array.isArray(found) ? found : [];
      const [first] = addresses;
      if (!first || !addresses.every(({ address }) => isPublic(address))) {
        return callback(new ForbiddenAddressError("The name leads to an address that is not public."), "", 0);
      }
      if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}

/** Whether an address belongs to the public internet: not private, loopback, link-local, mapped, or otherwise special. */
function isPublic(address: string): boolean {
  const parsed = ipaddr.process(address);
  return parsed.range() === "unicast" && parsed.toString() !== AZURE_WIRE_SERVER;
}
