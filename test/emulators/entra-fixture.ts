import { createHash, randomBytes } from "node:crypto";
import { inject } from "vitest";
import { CONTOSO, createContoso } from "../../emulators/contoso/tenant.ts";
import type { AppRegistration, Tenant } from "../../emulators/directory.ts";
import { type Entra, startEntra } from "../../emulators/entra/index.ts";
import { type SignInChoices, signIn } from "../support/browser.ts";

/** Identifier URI of the server: its MCP endpoint. */
export const RESOURCE = "https://mcp.contoso.example/mcp";
/** The scope that the server advertises. */
export const SCOPE = `${RESOURCE}/user_impersonation`;
/** Identifier URI of Graph in the sample tenant. */
export const GRAPH = "https://localhost:3003";
/** Redirect URI of the sample client. */
export const CALLBACK = "http://localhost:4711/callback";
const JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/** A JSON answer of an endpoint. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
}

/** What clients branch on when they are refused. */
export function refusal({ status, body }: Answer) {
  return { status, error: body["error"], codes: body["error_codes"] };
}

/** The Entra emulator with the sample tenant, and the requests that its tests make. */
export interface EntraFixture {
  readonly entra: Entra;
  readonly tenant: Tenant;
  readonly server: AppRegistration;
  readonly client: AppRegistration;
  /** Makes tenant and switches as they were at the start; what was issued stays valid. */
  reset(): void;
  /** Posts a form; fields that are `undefined` are left out. */
  post(endpoint: string, fields: Fields, headers?: Record<string, string>): Promise<Answer>;
  token(fields: Fields, headers?: Record<string, string>): Promise<Answer>;
  /** An authorize URL of the sample client with PKCE; fields replace its parameters. */
  authorizeUrl(fields?: Fields): URL;
  /** Signs in through the pages; the answer's parameters. */
  authorize(choices: SignInChoices, fields?: Fields): Promise<URLSearchParams>;
  /** Signs in through the pages and redeems the code. */
  tokensFor(choices: SignInChoices, fields?: Fields, tokenFields?: Fields): Promise<Answer>;
  /** Redeems a refresh token of the sample client. */
  refresh(refreshToken: unknown, fields?: Fields): Promise<Answer>;
  /** Exchanges a user's token for one for Graph, as the server. */
  onBehalfOf(assertion: string, fields?: Fields): Promise<Answer>;
  /** A client assertion: the managed identity's token. */
  clientAssertion(): Promise<string>;
}

type Fields = Readonly<Record<string, string | undefined>>;

/** PKCE verifier of every authorization request. */
export const VERIFIER = randomBytes(32).toString("base64url");
/** PKCE challenge of every authorization request. */
export const CHALLENGE = createHash("sha256").update(VERIFIER).digest("base64url");

const defined = (fields: Fields) =>
  Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined);

/** The claims of a token, unverified. */
export function claimsOf(token: unknown): Record<string, unknown> {
  return JSON.parse(Buffer.from(String(token).split(".")[1] ?? "", "base64url").toString()) as Record<string, unknown>;
}

/** Starts the emulator with the sample tenant. */
export async function startFixture(): Promise<EntraFixture> {
  const sample = (entraOrigin: string) => createContoso({ mcpUrl: RESOURCE, entraOrigin, graphOrigin: GRAPH });
  const entra = await startEntra({
    certificates: inject("certificates"),
    quickToken: { client: CONTOSO.sampleClientId, scope: SCOPE },
    tenants: ({ http }) => [sample(http)],
  });
  const [tenant] = entra.tenants;
  if (!tenant) throw new Error("The emulator has no tenant.");
  const registration = (wanted: string) => {
    const app = tenant.applications.find(({ appId }) => appId === wanted);
    if (!app) throw new Error(`The sample tenant has no app ${wanted}.`);
    return app;
  };
  const switches = { ...entra.switches };

  const fixture: EntraFixture = {
    entra,
    tenant,
    get server() {
      return registration(CONTOSO.serverAppId);
    },
    get client() {
      return registration(CONTOSO.sampleClientId);
    },
    reset() {
      Object.assign(tenant, { userConsentRestricted: false }, sample(entra.httpOrigin));
      Object.assign(entra.switches, switches);
      entra.traffic.clear();
      entra.traffic.recover();
    },
    async post(endpoint, fields, headers = {}) {
      const response = await fetch(`${entra.httpOrigin}/${CONTOSO.tenantId}/oauth2/v2.0/${endpoint}`, {
        method: "POST",
        headers,
        body: new URLSearchParams(defined(fields)),
      });
      return {
        status: response.status,
        headers: response.headers,
        body: (await response.json()) as Answer["body"],
      };
    },
    token: (fields, headers) => fixture.post("token", fields, headers),
    authorizeUrl(fields = {}) {
      const url = new URL(`${entra.httpOrigin}/${CONTOSO.tenantId}/oauth2/v2.0/authorize`);
      const parameters = {
        client_id: CONTOSO.sampleClientId,
        response_type: "code",
        redirect_uri: CALLBACK,
        scope: SCOPE,
        state: "s",
        code_challenge: CHALLENGE,
        code_challenge_method: "S256",
        ...fields,
      };
      url.search = new URLSearchParams(defined(parameters)).toString();
      return url;
    },
    async authorize(choices, fields) {
      return (await signIn(fixture.authorizeUrl(fields), choices)).searchParams;
    },
    async tokensFor(choices, fields, tokenFields) {
      const answer = await fixture.authorize(choices, fields);
      return fixture.token({
        grant_type: "authorization_code",
        client_id: fields?.["client_id"] ?? CONTOSO.sampleClientId,
        redirect_uri: fields?.["redirect_uri"] ?? CALLBACK,
        code: answer.get("code") ?? `none: ${answer.get("error_description")}`,
        code_verifier: VERIFIER,
        ...tokenFields,
      });
    },
    refresh: (refreshToken, fields) =>
      fixture.token({
        grant_type: "refresh_token",
        client_id: CONTOSO.sampleClientId,
        refresh_token: String(refreshToken),
        ...fields,
      }),
    async onBehalfOf(assertion, fields) {
      return fixture.token({
        grant_type: JWT_BEARER,
        requested_token_use: "on_behalf_of",
        client_id: CONTOSO.serverAppId,
        client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        client_assertion: await fixture.clientAssertion(),
        assertion,
        scope: `${GRAPH}/User.Read`,
        ...fields,
      });
    },
    async clientAssertion() {
      const { token } = await entra.issueManagedIdentityToken(
        { clientId: CONTOSO.managedIdentityClientId, principalId: CONTOSO.managedIdentityPrincipalId },
        "api://AzureADTokenExchange",
      );
      return token;
    },
  };
  return fixture;
}
