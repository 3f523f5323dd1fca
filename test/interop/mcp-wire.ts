import type { TappedRequest, WireTap } from "../support/wire-tap.ts";

/** The requests with a token that reached App Service since the tap was cleared. */
export class McpWire {
  readonly #tap: WireTap;
  readonly #url: URL | undefined;

  /** `mcpUrl` is undefined where nothing is sent over HTTP. */
  constructor(tap: WireTap, mcpUrl: string | undefined) {
    this.#tap = tap;
    this.#url = mcpUrl === undefined ? undefined : new URL(mcpUrl);
  }

  /** JSON-RPC methods in the order of their requests. */
  methods(): string[] {
    return this.#requests()
      .map((request) => messageOf(request).method)
      .filter((method) => method !== undefined);
  }

  /** As in the last request that names it; of a client that sends no such header, what it asked for. */
  protocolVersion(): string | undefined {
    const requests = this.#requests();
    const named = requests.map(({ headers }) => headers["mcp-protocol-version"]).filter((version) => version);
    const asked = requests.map((request) => messageOf(request).params?.protocolVersion);
    return named.at(-1)?.toString() ?? asked.find((version) => version !== undefined);
  }

  #requests(): TappedRequest[] {
    return this.#tap.requests.filter(
      ({ port, url, headers }) =>
        port === Number(this.#url?.port) && url === this.#url?.pathname && headers.authorization !== undefined,
    );
  }
}

interface Message {
  readonly method?: string;
  readonly params?: { readonly protocolVersion?: string };
}

function messageOf(request: TappedRequest): Message {
  try {
    return JSON.parse(request.body()) as Message;
  } catch {
    return {};
  }
}
