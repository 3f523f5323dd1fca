import { setTimeout as pause } from "node:timers/promises";
import { SignJWT } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { readBrokerKeys } from "../../src/broker/keys.ts";
import { verifyDeployment } from "../../src/verify/verify.ts";
import { createRawClient, signInAtBroker } from "../support/broker.ts";
import { type Fault, type FaultyProxy, type Passing, startFaultyProxy } from "../support/faulty-proxy.ts";
import { type Claims, claimsOf } from "../support/forged-tokens.ts";
import { freePort } from "../support/server-process.ts";
import { type Stack, startStack } from "../support/stack.ts";
import { answers, at, headerOf, inDocument, partOf, says, takes, tokenOf } from "./faults.ts";
import { detailOf, namesOf } from "./reports.ts";

const SECRET = "what the broker signs with, known to nobody but this test";
const BROKER_CHECKS = [
  "broker-metadata",
  "registration",
  "authorization-requests",
  "client-documents",
  "sign-in-pages",
  "token-endpoint",
];

let stack: Stack;
let proxy: FaultyProxy;
let url: URL;
let keyVersion: string;
let token: string;
let expiredToken: string;
beforeAll(async () => {
  const port = await freePort();
  url = new URL(`http://localhost:${port}/mcp`);
  stack = await startStack("broker", { MCP_SERVER_URL: url.href });
  const application = stack.tenant.applications.find(({ appId }) => appId === CONTOSO.serverAppId);
  if (!application) throw new Error("The tenant has no server.");
  application.redirectUris = { ...application.redirectUris, web: [`${url.origin}/oauth/entra/callback`] };
  keyVersion = stack.keyVault.setSecret("state-signing-key", SECRET).version;
  await stack.restart();
  proxy = await startFaultyProxy({ port, target: () => stack.serverOrigin });
  const raw = await createRawClient(url.origin);
  const code = (await signInAtBroker(raw.authorizeUrl(), { as: "AdeleV" })).searchParams.get("code") ?? "";
  token = (await raw.redeem(code)).body["access_token"] ?? "";
  const now = Math.floor(Date.now() / 1000);
  expiredToken = await issue({ ...claimsOf(token), iat: now - 7200, exp: now - 3600 });
});
afterAll(async () => {
  await proxy.close();
  await stack.close();
});

/** Signs as the broker does. */
async function issue(claims: Claims): Promise<string> {
  const { signing } = await readBrokerKeys(async () => [{ id: keyVersion, secret: Buffer.from(SECRET) }]);
  const [newest] = signing;
  if (!newest) throw new Error("The broker has no key.");
  return new SignJWT(claims).setProtectedHeader({ alg: "EdDSA", typ: "at+jwt", kid: newest.id }).sign(newest.key);
}

const withoutTimes = (claims: Claims) => ({ ...claims, iat: 0, exp: 0 });
const signatureOf = (jwt: string) => jwt.split(".")[2];

/** A server that takes what is like its own tokens in everything but the algorithm or the signature. */
const acceptsForged = (alg: string): Fault =>
  takes(
    (passing) => {
      const jwt = tokenOf(passing);
      return (
        [token, expiredToken].every((own) => signatureOf(own) !== signatureOf(jwt)) &&
        isAlike(headerOf(jwt), { ...headerOf(token), alg }) &&
        isAlike(withoutTimes(partOf(jwt, 1)), withoutTimes(claimsOf(token)))
      );
    },
    () => token,
  );

function isAlike(one: Claims, other: Claims): boolean {
  const sorted = (claims: Claims) => JSON.stringify(Object.entries(claims).sort(([a], [b]) => (a < b ? -1 : 1)));
  return sorted(one) === sorted(other);
}

const AS = "/.well-known/oauth-authorization-server";
const inMetadata = (change: (document: Record<string, unknown>) => void) => answers(at(AS), inDocument(change));
const isFor = (path: string) => (passing: Readonly<Passing>) => passing.url.split("?")[0]?.startsWith(path) === true;
const queryOf = (passing: Readonly<Passing>) => new URL(passing.url, url).searchParams;
const isAuthorize = isFor("/oauth/authorize");
const clientOf = (passing: Readonly<Passing>) => queryOf(passing).get("client_id") ?? "";

/** A broker that registers clients with this in their redirect URI. */
const registers = (part: string): Fault => ({
  request: (passing) =>
    at("/oauth/register")(passing) && passing.body.includes(part) ? says(201, '{"client_id":"x"}') : undefined,
});
/** A broker that begins sign-ins which it should refuse. */
const begins = (isWrong: (query: URLSearchParams) => boolean): Fault => ({
  request: (passing) =>
    isAuthorize(passing) && queryOf(passing).has("state") && isWrong(queryOf(passing))
      ? says(303, "", { location: "/oauth/sign-in/x" })
      : undefined,
});

const CASES: readonly (readonly [fault: string, check: string, says: RegExp, make: () => Fault])[] = [
  [
    "PKCE plain among the methods",
    "broker-metadata",
    /code_challenge_methods_supported is not S256 alone/,
    () => inMetadata((document) => (document["code_challenge_methods_supported"] = ["S256", "plain"])),
  ],
  [
    "no PKCE method",
    "broker-metadata",
    /code_challenge_methods_supported is not S256 alone/,
    () => inMetadata((document) => delete document["code_challenge_methods_supported"]),
  ],
  [
    "the implicit flow",
    "broker-metadata",
    /response_types_supported is not code alone/,
    () => inMetadata((document) => (document["response_types_supported"] = ["code", "token"])),
  ],
  [
    "no promise of iss",
    "broker-metadata",
    /does not promise iss/,
    () => inMetadata((document) => delete document["authorization_response_iss_parameter_supported"]),
  ],
  [
    "a token endpoint of another host",
    "broker-metadata",
    /token_endpoint is not at its own address/,
    () => inMetadata((document) => (document["token_endpoint"] = "https://evil.example/oauth/token")),
  ],
  [
    "another issuer's name",
    "authorization-server",
    /another issuer/,
    () => inMetadata((document) => (document["issuer"] = "https://evil.example")),
  ],
  [
    "no description of itself",
    "authorization-server",
    /describes itself nowhere/,
    () => ({ request: ({ url }) => (/oauth-authorization-server|openid-conf/.test(url) ? says(404) : undefined) }),
  ],
  [
    "redirect URIs of anybody",
    "registration",
    /codes go to an address on another site/,
    () => registers("https://evil.example"),
  ],
  [
    "redirect URIs that only look like this computer",
    "registration",
    /that looks like this computer/,
    () => registers("127.0.0.1@evil"),
  ],
  ["redirect URIs that are scripts", "registration", /that is a script/, () => registers("javascript:")],
  [
    "a registration that breaks the server",
    "registration",
    /breaks the server \(500\)/,
    () => ({ request: (passing) => (passing.body.includes("javascript:") ? says(500) : undefined) }),
  ],
  [
    "no registration for honest clients",
    "authorization-requests",
    /cannot register itself \(403\)/,
    () => ({ request: (passing) => (passing.body.includes("127.0.0.1/callback") ? says(403) : undefined) }),
  ],
  [
    "sign-ins that nobody can begin",
    "authorization-requests",
    /does everything right cannot begin a sign-in \(404\)/,
    () => ({ request: (passing) => (isAuthorize(passing) && queryOf(passing).has("state") ? says(404) : undefined) }),
  ],
  [
    "sign-ins without PKCE",
    "authorization-requests",
    /a sign-in without PKCE begins/,
    () => begins((query) => !query.has("code_challenge")),
  ],
  [
    "sign-ins with PKCE plain",
    "authorization-requests",
    /a sign-in with PKCE plain begins/,
    () => begins((query) => query.get("code_challenge_method") === "plain"),
  ],
  [
    "sign-ins without resource",
    "authorization-requests",
    /a sign-in without resource begins/,
    () => begins((query) => !query.has("resource")),
  ],
  [
    "tokens for other servers",
    "authorization-requests",
    /a sign-in for a token of another server begins/,
    () => begins((query) => query.get("resource") === "https://evil.example"),
  ],
  [
    "an error that the client does not hear of",
    "authorization-requests",
    /without PKCE is not sent back to the client with invalid_request \(400\)/,
    () => ({
      request: (passing) =>
        isAuthorize(passing) && queryOf(passing).has("state") && !queryOf(passing).has("code_challenge")
          ? says(400)
          : undefined,
    }),
  ],
  [
    "answers without iss",
    "authorization-requests",
    /does not say who it is from \(iss\)/,
    () =>
      answers(isAuthorize, ({ headers }) => (headers["location"] = String(headers["location"]).replace(/&iss=.*/, ""))),
  ],
  [
    "metadata documents from inside its network",
    "client-documents",
    /private address is not refused/,
    () => begins((query) => query.get("client_id") === "https://[::ffff:10.255.255.1]/client.json"),
  ],
  [
    "attempts to reach its own network",
    "client-documents",
    /takes its time over private addresses/,
    () => ({ request: async (passing) => void (clientOf(passing).includes("//10.") && (await pause(2_100))) }),
  ],
  [
    "a metadata document that breaks the server",
    "client-documents",
    /breaks the server \(502\)/,
    () => ({ request: (passing) => (clientOf(passing).includes("169.254") ? says(502) : undefined) }),
  ],
  [
    "a consent page in a frame",
    "sign-in-pages",
    /\/oauth\/consent fits into a frame/,
    () => answers(isFor("/oauth/consent"), ({ headers }) => void delete headers["content-security-policy"]),
  ],
  [
    "a sign-in page in a frame",
    "sign-in-pages",
    /\/oauth\/sign-in fits into a frame/,
    () =>
      answers(
        isFor("/oauth/sign-in"),
        ({ headers }) => (headers["content-security-policy"] = "default-src 'none'; frame-ancestors *"),
      ),
  ],
  [
    "pages in caches",
    "sign-in-pages",
    /\/oauth\/authorize may be kept by caches/,
    () => answers(isAuthorize, ({ headers }) => (headers["cache-control"] = "private")),
  ],
  [
    "tokens in caches",
    "token-endpoint",
    /may be kept by caches/,
    () => answers(at("/oauth/token"), ({ headers }) => void delete headers["cache-control"]),
  ],
  [
    "tokens for any code",
    "token-endpoint",
    /nobody issued is answered with 200/,
    () => ({ request: (passing) => (at("/oauth/token")(passing) ? says(200, "{}") : undefined) }),
  ],
  ["alg none", "unsigned-token", /alg none is accepted/, () => acceptsForged("none")],
  ["a signature that nobody checks", "foreign-signature", /somebody else is accepted/, () => acceptsForged("EdDSA")],
  ["the public key as a secret", "confused-algorithm", /public key as a secret/, () => acceptsForged("HS256")],
  [
    "tokens that never expire",
    "expired-token",
    /expired is accepted/,
    () =>
      takes(
        (passing) => tokenOf(passing) === expiredToken,
        () => token,
      ),
  ],
  [
    "claims that the signature does not cover",
    "tampered-token",
    /other claims is accepted/,
    () =>
      takes(
        (passing) => String(partOf(tokenOf(passing), 1)["roles"]).includes("Mcp.Admin"),
        () => token,
      ),
  ],
];

test("a broker without a fault has no findings, and nothing of it is left out", async () => {
  proxy.fault = {};
  const report = await verifyDeployment(url, { token, expiredToken });

  expect(namesOf(report, "finding")).toEqual([]);
  expect(namesOf(report, "unknown")).toEqual([]);
  expect(namesOf(report, "ok")).toEqual(
    expect.arrayContaining([...BROKER_CHECKS, "confused-algorithm", "expired-token", "2026-07-28", "2025-11-25"]),
  );
  expect(detailOf(report, "authorization-server")).toBe("the server itself (broker)");
});

test.each(CASES)("%s: found by %s, and by nothing else", async (_fault, check, message, make) => {
  proxy.fault = make();
  const report = await verifyDeployment(url, { token, expiredToken });

  expect(namesOf(report, "finding")).toEqual([check]);
  expect(detailOf(report, check)).toMatch(message);
});

test("without a token a forgery lacks nothing but the grant, which cannot be known", async () => {
  const forged: string[] = [];
  proxy.fault = { request: (passing) => void forged.push(tokenOf(passing)) };
  await verifyDeployment(url);

  const foreign = forged.find((jwt) => headerOf(jwt)["alg"] === "EdDSA") ?? "";
  expect(headerOf(foreign)).toEqual(headerOf(token));
  const answer = await fetch(stack.serverOrigin + url.pathname, {
    method: "POST",
    headers: { authorization: `Bearer ${await issue(partOf(foreign, 1))}` },
  });
  expect(answer.status).toBe(401);
  expect(answer.headers.get("www-authenticate")).toContain("This sign-in has ended.");
});

test("one client is registered, under a name that says what it is, and sent nowhere", async () => {
  const registered: string[] = [];
  proxy.fault = {
    answer({ status }, { url, body }) {
      if (url === "/oauth/register" && status === 201) registered.push(body);
    },
  };
  await verifyDeployment(url);

  expect(registered.map((body) => JSON.parse(body) as unknown)).toEqual([
    expect.objectContaining({ client_name: "azure-graph-mcp verify", redirect_uris: ["http://127.0.0.1/callback"] }),
  ]);
});

test("a token of a sign-in that has ended is found, with what to do", async () => {
  proxy.fault = {};
  const report = await verifyDeployment(url, { token: await issue({ ...claimsOf(token), gid: "ended" }) });

  expect(namesOf(report, "finding")).toEqual(["token"]);
  const { fix } = report.results.find(({ check }) => check === "token") as { fix: string };
  expect(fix).toContain("its sign-in must not have ended");
});
