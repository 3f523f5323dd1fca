import { createHash, randomBytes } from "node:crypto";
import { type Check, type Deployment, firstOf } from "./deployment.ts";
import { objectIn } from "./messages.ts";
import type { Answer } from "./probe.ts";
import { finding, ok, skipped, type Verdict } from "./report.ts";

/** What a stranger meets at an authorization server of our own: who may become a client, and how far a sign-in goes before a person is asked. */
export const brokerChecks: readonly Check[] = [
  { name: "broker-metadata", after: ["authorization-server"], run: promisesCodeWithS256 },
  { name: "registration", after: ["broker-metadata"], run: refusesForeignRedirects },
  { name: "authorization-requests", after: ["broker-metadata"], run: refusesWeakRequests },
  { name: "client-documents", after: ["broker-metadata"], run: fetchesNothingPrivate },
  { name: "sign-in-pages", after: ["broker-metadata"], run: pagesFitIntoNoFrame },
  { name: "token-endpoint", after: ["broker-metadata"], run: tokensAreNotStored },
];

const ENDPOINTS = ["authorization_endpoint", "token_endpoint", "registration_endpoint"] as const;
const EVIL = "https://evil.example";
const CALLBACK = "http://127.0.0.1/callback";
const CLIENT = {
  client_name: "azure-graph-mcp verify",
  grant_types: ["authorization_code"],
  response_types: ["code"],
  token_endpoint_auth_method: "none",
};
/** Much more than an answer takes, and less than trying to connect to an address that does not answer. */
const SUSPICIOUS_MS = 2_000;

function promisesCodeWithS256({ isBroker, authorizationServer, url }: Deployment): Verdict {
  if (!isBroker || typeof authorizationServer !== "object") return skipped("the server is no broker");
  const { metadata } = authorizationServer;
  const elsewhere = ENDPOINTS.filter((name) => !isAt(url.origin, metadata[name]));
  if (elsewhere.length > 0) {
    return finding(
      `the broker's ${elsewhere.join(" and ")} is not at its own address`,
      "Set MCP_SERVER_URL to the address that clients use.",
    );
  }
  const promises = [
    ["code_challenge_methods_supported", "S256"],
    ["response_types_supported", "code"],
  ] as const;
  for (const [name, only] of promises) {
    if (firstOf(metadata, name) === only && (metadata[name] as unknown[]).length === 1) continue;
    return finding(`the broker's ${name} is not ${only} alone`, COMPARE_PROVIDER);
  }
  if (metadata["authorization_response_iss_parameter_supported"] !== true) {
    return finding("the broker does not promise iss in its answers: clients cannot tell a mix-up", COMPARE_PROVIDER);
  }
  return ok("code with PKCE S256 is the only way to sign in");
}

const COMPARE_PROVIDER = "Compare src/broker/provider.ts; whatever stands in front must not change its answers.";

async function refusesForeignRedirects(deployment: Deployment): Promise<Verdict> {
  // Each is nobody's: what is accepted by mistake leads nowhere, and is forgotten within an hour.
  const attempts = [
    { what: "on another site", uri: `${EVIL}/callback` },
    { what: "that looks like this computer", uri: "http://127.0.0.1@evil.example/callback" },
    { what: "that is a script", uri: "javascript:alert(1)" },
  ];
  for (const { what, uri } of attempts) {
    const { status } = await register(deployment, uri);
    if (status < 300) {
      return finding(
        `anybody may register a client whose codes go to an address ${what}`,
        "Take what is too wide out of ALLOWED_REDIRECTS, and compare src/broker/redirects.ts.",
      );
    }
    if (status >= 500) return broken(`a registration with an address ${what}`, status);
  }
  return ok("codes go to this computer, or to an origin that the operator allows");
}

/** Parameters to replace in a good request; undefined leaves one out. */
interface WeakRequest {
  readonly what: string;
  readonly changes: Readonly<Record<string, string | undefined>>;
  readonly error: string;
}

const WEAK_REQUESTS: readonly WeakRequest[] = [
  {
    what: "without PKCE",
    changes: { code_challenge: undefined, code_challenge_method: undefined },
    error: "invalid_request",
  },
  { what: "with PKCE plain", changes: { code_challenge_method: "plain" }, error: "invalid_request" },
  { what: "without resource", changes: { resource: undefined }, error: "invalid_target" },
  { what: "for a token of another server", changes: { resource: EVIL }, error: "invalid_target" },
];

async function refusesWeakRequests(deployment: Deployment): Promise<Verdict> {
  const registered = await register(deployment, CALLBACK);
  const clientId = objectIn(registered)?.["client_id"];
  if (registered.status !== 201 || typeof clientId !== "string") {
    return finding(
      `a client on this computer cannot register itself (${registered.status})`,
      "Let the registration endpoint through to the server.",
    );
  }
  const good = await authorize(deployment, clientId);
  if (!leadsOn(good)) {
    return finding(
      `a client that does everything right cannot begin a sign-in (${good.status})`,
      "The server's log has the reason; MCP_SERVER_URL must be the address that clients use.",
    );
  }
  for (const request of WEAK_REQUESTS) {
    const verdict = judge(request, await authorize(deployment, clientId, request.changes), deployment);
    if (verdict) return verdict;
  }
  return ok("what is not code, PKCE S256 and this server's own resource goes back as an error, with iss");
}

/** Whether somebody is asked to sign in: the browser is sent on, and not back to the client. */
function leadsOn({ status, headers }: Answer): boolean {
  return status >= 300 && status < 400 && headers["location"]?.startsWith(CALLBACK) === false;
}

function judge({ what, error }: WeakRequest, answer: Answer, { authorizationServer }: Deployment): Verdict | undefined {
  const { status, headers } = answer;
  const location = headers["location"] ?? "";
  if (status >= 500) return broken(`a sign-in ${what}`, status);
  if (leadsOn(answer)) return finding(`a sign-in ${what} begins`, COMPARE_PROVIDER);
  const { searchParams } = new URL(location.startsWith(CALLBACK) ? location : CALLBACK);
  if (searchParams.get("error") !== error) {
    return finding(`a sign-in ${what} is not sent back to the client with ${error} (${status})`, COMPARE_PROVIDER);
  }
  const issuer = typeof authorizationServer === "object" ? authorizationServer.metadata["issuer"] : undefined;
  if (searchParams.get("iss") === issuer) return undefined;
  return finding(
    "the answer to a client does not say who it is from (iss): clients cannot tell a mix-up",
    COMPARE_PROVIDER,
  );
}

async function fetchesNothingPrivate(deployment: Deployment): Promise<Verdict> {
  const places = [
    "127.0.0.1",
    "[::1]",
    "localhost",
    "169.254.169.254",
    "10.255.255.1",
    "[::ffff:10.255.255.1]",
    "[fd00:ec2::254]",
  ];
  for (const place of places) {
    const ask = () => authorize(deployment, `https://${place}/client.json`);
    const { status, ms } = await timed(ask);
    if (status >= 500) return broken("a metadata document at a private address", status);
    if (status < 400) {
      return finding("the metadata document of a client at a private address is not refused", COMPARE_FETCH);
    }
    // Once may be the network; an address that was tried in vain takes its time again.
    if (ms > SUSPICIOUS_MS && (await timed(ask)).ms > SUSPICIOUS_MS) {
      return finding("the server takes its time over private addresses: it tries to reach them", COMPARE_FETCH);
    }
  }
  return ok("metadata documents of clients at private addresses are refused at once");
}

const COMPARE_FETCH = "Take private hosts out of TRUSTED_CLIENT_HOSTS, and compare src/platform/public-fetch.ts.";

async function timed(ask: () => Promise<Answer>): Promise<Answer & { readonly ms: number }> {
  const start = performance.now();
  return { ...(await ask()), ms: performance.now() - start };
}

async function pagesFitIntoNoFrame(deployment: Deployment): Promise<Verdict> {
  const nobodys = randomBytes(32).toString("base64url");
  const refused = endpointOf(deployment, "authorization_endpoint");
  refused.searchParams.set("client_id", nobodys);
  const pages = [
    refused,
    ...["sign-in", "consent"].map((step) => new URL(`/oauth/${step}/${nobodys}`, deployment.url)),
  ];
  for (const page of pages) {
    const name = page.pathname.replace(`/${nobodys}`, "");
    const { status, headers } = await deployment.send(page, { headers: { accept: "text/html" } });
    if (status >= 500) return broken(name, status);
    const policy = headers["content-security-policy"] ?? "";
    if (!/default-src 'none'/.test(policy) || !/frame-ancestors 'none'/.test(policy) || /unsafe-/.test(policy)) {
      return finding(`the page at ${name} fits into a frame of another site, or may run scripts`, COMPARE_PAGES);
    }
    if (!/no-store/.test(headers["cache-control"] ?? "")) {
      return finding(`the page at ${name} may be kept by caches`, COMPARE_PAGES);
    }
  }
  return ok("the pages of a sign-in run no script, fit into no frame and are kept by no cache");
}

const COMPARE_PAGES =
  "Whatever stands in front must not remove Content-Security-Policy and Cache-Control: compare src/broker/pages.ts.";

async function tokensAreNotStored(deployment: Deployment): Promise<Verdict> {
  const { status, headers } = await deployment.send(endpointOf(deployment, "token_endpoint"), {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({
      grant_type: "authorization_code",
      code: "x",
      client_id: "x",
      redirect_uri: CALLBACK,
      code_verifier: "x".repeat(43),
    }).toString(),
  });
  if (status < 300) return finding(`a code that nobody issued is answered with ${status}`, COMPARE_PROVIDER);
  if (status >= 500) return broken("a code that nobody issued", status);
  if (/no-store/.test(headers["cache-control"] ?? "")) return ok("a code that nobody issued is refused; no-store");
  return finding(
    "answers of the token endpoint may be kept by caches",
    "Send Cache-Control: no-store; whatever stands in front must not remove it.",
  );
}

function register(deployment: Deployment, redirectUri: string): Promise<Answer> {
  return deployment.send(endpointOf(deployment, "registration_endpoint"), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...CLIENT, redirect_uris: [redirectUri] }),
  });
}

/** Begins a sign-in as a client would; with `changes` as none should. */
function authorize(deployment: Deployment, clientId: string, changes: WeakRequest["changes"] = {}): Promise<Answer> {
  const parameters: WeakRequest["changes"] = {
    client_id: clientId,
    response_type: "code",
    redirect_uri: CALLBACK,
    scope: firstOf(objectIn(deployment.metadata), "scopes_supported"),
    resource: deployment.url.href,
    state: randomBytes(16).toString("base64url"),
    code_challenge: createHash("sha256").update(randomBytes(32)).digest("base64url"),
    code_challenge_method: "S256",
    ...changes,
  };
  const url = endpointOf(deployment, "authorization_endpoint");
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) url.searchParams.set(name, value);
  return deployment.send(url, { headers: { accept: "text/html" } });
}

function endpointOf({ authorizationServer }: Deployment, name: (typeof ENDPOINTS)[number]): URL {
  const { metadata = {} } = typeof authorizationServer === "object" ? authorizationServer : {};
  return new URL(String(metadata[name]));
}

function isAt(origin: string, address: unknown): boolean {
  return typeof address === "string" && URL.canParse(address) && new URL(address).origin === origin;
}

function broken(what: string, status: number): Verdict {
  return finding(`${what} breaks the server (${status})`, "The server's log has the reason.");
}
