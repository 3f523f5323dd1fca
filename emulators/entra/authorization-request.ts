import type { AppRegistration, Tenant } from "../directory.ts";
import { type AuthorizationCode, findClient } from "./authority.ts";
import type { ResponseMode, ReturnAddress } from "./authorization-response.ts";
import { type ClaimsRequest, parseClaimsRequest } from "./claims-request.ts";
import { EntraError } from "./errors.ts";
import { type Platform, platformOf } from "./redirect-uris.ts";
import { assertResourceMatches, parseScopes, type RequestedScopes } from "./scopes.ts";
import type { EntraSwitches } from "./switches.ts";
import { requireField, resourceParameters } from "./token-request.ts";

/** The part of an authorization request that must be right before anything may be sent to the client. */
export interface TrustedReturn {
  readonly client: AppRegistration;
  readonly platform: Platform;
  readonly address: ReturnAddress;
}

/** An authorization request whose parameters are well-formed; its scopes are not looked up yet. */
export interface AuthorizationRequest {
  readonly wantsCode: boolean;
  readonly wantsIdToken: boolean;
  readonly scopes: RequestedScopes;
  readonly nonce: string | undefined;
  readonly pkce: AuthorizationCode["pkce"];
  readonly prompt: string | undefined;
  readonly loginHint: string | undefined;
  readonly claims: ClaimsRequest;
}

const RESPONSE_TYPES = new Set(["code", "id_token", "code id_token"]);
const PROMPTS = new Set(["none", "login", "consent", "select_account"]);

const normalizedResponseType = (query: URLSearchParams) =>
  (query.get("response_type") ?? "").split(" ").filter(Boolean).sort().join(" ");

function responseMode(query: URLSearchParams): ResponseMode {
  const mode = query.get("response_mode");
  if (mode === "fragment" || mode === "form_post") return mode;
  return normalizedResponseType(query).includes("id_token") ? "fragment" : "query";
}

/** Reads where to answer to; `search` is the query as written. Throws AADSTS50011 for an unregistered address. */
export function readReturnAddress(tenant: Tenant, search: string): TrustedReturn {
  const query = new URLSearchParams(search);
  const client = findClient(tenant, query.get("client_id"));
  const redirectUri = requireField(query, "redirect_uri");
  const platform = platformOf(client, redirectUri);
  if (!platform) throw new EntraError(50011, [redirectUri, client.appId]);
  const [, raw] = /[?&]state=([^&]*)/.exec(search) ?? [];
  const state = raw === undefined ? undefined : { value: query.get("state") ?? "", raw };
  return { client, platform, address: { redirectUri, mode: responseMode(query), state } };
}

function readResponseType(client: AppRegistration, query: URLSearchParams): string {
  const type = normalizedResponseType(query);
  if (type === "") throw new EntraError(900144, ["response_type"]);
  if (!RESPONSE_TYPES.has(type)) throw new EntraError(700051, [type]);
  if (type !== "code" && client.enableIdTokenIssuance !== true) throw new EntraError(700054);
  const mode = query.get("response_mode");
  const allowed = type === "code" ? [null, "query", "fragment", "form_post"] : [null, "fragment", "form_post"];
  if (!allowed.includes(mode)) throw new EntraError(70007, [String(mode)]);
  return type;
}

function readPkce(query: URLSearchParams, platform: Platform): AuthorizationCode["pkce"] {
  const challenge = query.get("code_challenge");
  if (!challenge) {
    if (platform === "spa") throw new EntraError(900144, ["code_challenge"]);
    return undefined;
  }
  const method = query.get("code_challenge_method") ?? "plain";
  if (method !== "S256" && method !== "plain") throw new EntraError(50149);
  if (challenge.length < 43 || challenge.length > 128) throw new EntraError(501491);
  return { challenge, method };
}

/** Reads and checks everything of an authorization request that does not depend on the user. */
export function readAuthorizationRequest(
  tenant: Tenant,
  switches: EntraSwitches,
  { client, platform }: TrustedReturn,
  query: URLSearchParams,
): AuthorizationRequest {
  const type = readResponseType(client, query);
  const scopes = parseScopes(requireField(query, "scope"));
  assertResourceMatches(tenant, switches["entra.resourceMatch"], scopes, resourceParameters(query));
  const prompt = query.get("prompt") || undefined;
  if (prompt !== undefined && !PROMPTS.has(prompt)) throw new EntraError(90023, [prompt, "prompt"]);
  const wantsIdToken = type.includes("id_token");
  return {
    wantsCode: type.startsWith("code"),
    wantsIdToken,
    scopes,
    nonce: wantsIdToken ? requireField(query, "nonce") : (query.get("nonce") ?? undefined),
    pkce: type.startsWith("code") ? readPkce(query, platform) : undefined,
    prompt,
    loginHint: query.get("login_hint") || undefined,
    claims: parseClaimsRequest(query.get("claims")),
  };
}
