import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { type SignInChoices, signIn } from "./browser.ts";
import { unmarked } from "./marks.ts";

/** The real clients, by SDK and protocol era. */
export const CLIENTS = ["sdk v1 (2025-11-25)", "sdk v2 (2025-11-25)", "sdk v2 (2026-07-28)"] as const;

/** One of the real clients, or the one that finds out which era the server speaks. */
export type ClientKind = (typeof CLIENTS)[number] | "sdk v2 (auto)";

/** How SDK v2 is told which era to speak. */
const ERAS = {
  "sdk v2 (2025-11-25)": "legacy",
  "sdk v2 (2026-07-28)": { pin: "2026-07-28" },
  "sdk v2 (auto)": "auto",
} as const;

/** What of a result the tests look at. */
export interface CallResult {
  readonly content: readonly { readonly type: string; readonly text?: string }[];
  readonly structuredContent?: Record<string, unknown>;
  readonly isError?: boolean;
  readonly _meta?: Record<string, unknown>;
}

/** What one call needs beside its arguments. */
export interface CallOptions {
  /** Asks for progress, and is told of it. */
  readonly onProgress?: (message: string | undefined) => void;
  /** Time after which the client gives up; an SDK's default is a minute. */
  readonly timeoutMs?: number;
}

/** What a client's user is asked, and the form that they see. */
export interface Question {
  readonly message: string;
  readonly requestedSchema?: unknown;
}

/** What a client's user does with a form. */
export type FormAnswer = {
  action: "accept" | "decline" | "cancel";
  content?: Record<string, string | number | boolean | string[]>;
};

/** A connected client, alike for every SDK. */
export interface McpClient {
  /** The person's sign-in; undefined when a token was given. */
  readonly oauth: OAuthSession | undefined;
  protocolVersion(): string | undefined;
  listTools(): Promise<readonly { readonly name: string; readonly [field: string]: unknown }[]>;
  /** The result comes without its marks, which are checked; {@link callMarked} leaves them in. */
  call(name: string, args?: Record<string, unknown>, signal?: AbortSignal, options?: CallOptions): Promise<CallResult>;
  callMarked: McpClient["call"];
  listPrompts(): Promise<readonly { readonly name: string; readonly [field: string]: unknown }[]>;
  getPrompt(name: string, args?: Record<string, string>): Promise<Record<string, unknown>>;
  /** What is suggested for the argument of a prompt after this much was typed. */
  complete(prompt: string, argument: string, typed: string): Promise<readonly string[]>;
  close(): Promise<void>;
}

const REDIRECT_URI = "http://localhost:53682/callback";
const INFO = { name: "azure-graph-mcp-tests", version: "1.0.0" };

/** A client's side of OAuth: knows its client id, remembers tokens and the verifier, notes where it was sent. */
export class OAuthSession {
  readonly redirectUrl: string;
  readonly clientMetadata: {
    client_name: string;
    redirect_uris: string[];
    grant_types: string[];
    response_types: string[];
    token_endpoint_auth_method: string;
  };
  readonly #clientId: string;
  #tokens: { access_token: string; token_type: string; refresh_token?: string } | undefined;
  #verifier = "";
  #discovery: unknown;
  authorizationUrl: URL | undefined;

  constructor(clientId: string, redirectUrl: string) {
    this.#clientId = clientId;
    this.redirectUrl = redirectUrl;
    this.clientMetadata = {
      client_name: "Tests",
      redirect_uris: [redirectUrl],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
    };
  }
  state = () => "state+with/odd=chars";
  clientInformation = (): { client_id: string } | undefined => ({ client_id: this.#clientId });
  tokens = () => this.#tokens;
  saveTokens = (tokens: NonNullable<ReturnType<OAuthSession["tokens"]>>) => {
    this.#tokens = tokens;
  };
  redirectToAuthorization = (url: URL) => {
    this.authorizationUrl = url;
  };
  saveCodeVerifier = (verifier: string) => {
    this.#verifier = verifier;
  };
  codeVerifier = () => this.#verifier;
  saveDiscoveryState = (state: unknown) => {
    this.#discovery = state;
  };
  // SDK v2 keeps what it discovered here between the two legs of a sign-in; its shape is the SDK's own affair.
  discoveryState = () => this.#discovery as never;
}

/** How to connect: through a sign-in, or with a token that the test already has. */
export type ConnectOptions = (
  | {
      /** Choices on the sign-in pages, or whoever goes through them and comes back with the callback's address. */
      readonly signIn: SignInChoices | ((authorizationUrl: URL) => Promise<URL>);
      readonly clientId?: string;
      readonly redirectUrl?: string;
      /** Keeps the client's side of OAuth; the default knows its client id. */
      readonly oauth?: OAuthSession;
    }
  | { readonly token: string }
) & {
  readonly headers?: Record<string, string>;
  /** The person in front of the client; without one it does not say that it can show forms. */
  readonly elicit?: (question: Question, signal: AbortSignal) => FormAnswer | Promise<FormAnswer>;
};

/** What both SDKs need to know to open a connection. */
interface Opening {
  readonly mcpUrl: string;
  readonly oauth: OAuthSession | undefined;
  readonly headers: Record<string, string>;
  readonly elicit: ConnectOptions["elicit"];
}

/** Connects a real client to `mcpUrl`; a sign-in goes through the authorization server's real pages. */
export async function connect(kind: ClientKind, mcpUrl: string, options: ConnectOptions): Promise<McpClient> {
  const oauth =
    "signIn" in options
      ? (options.oauth ??
        new OAuthSession(options.clientId ?? CONTOSO.sampleClientId, options.redirectUrl ?? REDIRECT_URI))
      : undefined;
  const headers = { ...options.headers, ...("token" in options ? { Authorization: `Bearer ${options.token}` } : {}) };
  const open = kind === "sdk v1 (2025-11-25)" ? openV1 : openV2(kind);
  const opening: Opening = { mcpUrl, oauth, headers, elicit: options.elicit };
  const first = open(opening);
  try {
    await first.connect();
    return toMcpClient(first.client, oauth);
  } catch (error) {
    if (!oauth?.authorizationUrl || !("signIn" in options)) throw error;
  }
  const callback =
    typeof options.signIn === "function"
      ? await options.signIn(oauth.authorizationUrl)
      : await signIn(oauth.authorizationUrl, options.signIn);
  if (callback.searchParams.get("state") !== oauth.state()) throw new Error(`state was changed: ${callback.href}`);
  await first.finishAuth(callback.searchParams);
  const second = open(opening);
  await second.connect();
  return toMcpClient(second.client, oauth);
}

function toMcpClient(client: Omit<McpClient, "oauth" | "callMarked">, oauth: OAuthSession | undefined): McpClient {
  return {
    ...client,
    oauth,
    callMarked: client.call,
    call: async (...call) => unmarked(await client.call(...call)),
  };
}

/** Options of a request as both SDKs take them. */
function requestOptions(signal: AbortSignal | undefined, { onProgress, timeoutMs }: CallOptions = {}) {
  return {
    ...(signal && { signal }),
    ...(timeoutMs !== undefined && { timeout: timeoutMs }),
    ...(onProgress && { onprogress: ({ message }: { message?: string | undefined }) => onProgress(message) }),
  };
}

function openV1({ mcpUrl, oauth, headers, elicit }: Opening) {
  const client = new ClientV1(INFO, elicit ? { capabilities: { elicitation: { form: {} } } } : {});
  if (elicit) {
    client.setRequestHandler(ElicitRequestSchema, ({ params }, { signal }) => elicit(params, signal));
  }
  const transport = new TransportV1(new URL(mcpUrl), {
    requestInit: { headers },
    ...(oauth && { authProvider: oauth }),
  });
  return {
    connect: () => client.connect(transport),
    finishAuth: (callback: URLSearchParams) => transport.finishAuth(callback.get("code") ?? ""),
    client: {
      protocolVersion: () => transport.protocolVersion,
      listTools: async () => (await client.listTools()).tools,
      call: async (name: string, args: Record<string, unknown> = {}, signal?: AbortSignal, options?: CallOptions) =>
        (await client.callTool(
          { name, arguments: args },
          undefined,
          requestOptions(signal, options),
        )) as unknown as CallResult,
      listPrompts: async () => (await client.listPrompts()).prompts,
      getPrompt: async (name: string, args: Record<string, string> = {}) => client.getPrompt({ name, arguments: args }),
      complete: async (prompt: string, name: string, value: string) =>
        (await client.complete({ ref: { type: "ref/prompt", name: prompt }, argument: { name, value } })).completion
          .values,
      close: () => client.close(),
    },
  };
}

function openV2(kind: keyof typeof ERAS) {
  const mode = ERAS[kind];
  return ({ mcpUrl, oauth, headers, elicit }: Opening) => {
    const client = new ClientV2(INFO, {
      versionNegotiation: { mode },
      ...(elicit && { capabilities: { elicitation: { form: {} } } }),
    });
    if (elicit) {
      client.setRequestHandler("elicitation/create", async ({ params }, { mcpReq }) =>
        elicit(params as Question, mcpReq.signal),
      );
    }
    const transport = new TransportV2(new URL(mcpUrl), {
      requestInit: { headers },
      ...(oauth && { authProvider: oauth }),
    });
    return {
      connect: () => client.connect(transport),
      finishAuth: (callback: URLSearchParams) => transport.finishAuth(callback),
      client: {
        protocolVersion: () => client.getNegotiatedProtocolVersion(),
        listTools: async () => (await client.listTools()).tools,
        call: async (name: string, args: Record<string, unknown> = {}, signal?: AbortSignal, options?: CallOptions) =>
          (await client.callTool({ name, arguments: args }, requestOptions(signal, options))) as unknown as CallResult,
        listPrompts: async () => (await client.listPrompts()).prompts,
        getPrompt: async (name: string, args: Record<string, string> = {}) => ({
          ...(await client.getPrompt({ name, arguments: args })),
        }),
        complete: async (prompt: string, name: string, value: string) =>
          (await client.complete({ ref: { type: "ref/prompt", name: prompt }, argument: { name, value } })).completion
            .values,
        close: () => client.close(),
      },
    };
  };
}
