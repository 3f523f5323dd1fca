import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { createCertificates } from "../../emulators/kernel/certificates.ts";
import { judgePlainHttp } from "../../src/verify/surface-checks.ts";
import { verifyDeployment } from "../../src/verify/verify.ts";
import {
  type Fault,
  type FaultyProxy,
  type Passing,
  type PassingAnswer,
  startFaultyProxy,
} from "../support/faulty-proxy.ts";
import { userToken } from "../support/forged-tokens.ts";
import { freePort } from "../support/server-process.ts";
import { type Stack, startStack } from "../support/stack.ts";
import { answers, at, headerOf, inDocument, isAnonymous, partOf, says, takes, tokenOf } from "./faults.ts";
import { detailOf, expiredUserToken, namesOf } from "./reports.ts";

let stack: Stack;
let proxy: FaultyProxy;
let url: URL;
let token: string;
let expiredToken: string;
beforeAll(async () => {
  const port = await freePort();
  url = new URL(`https://localhost:${port}/mcp`);
  stack = await startStack("bearer", { MCP_SERVER_URL: url.href });
  proxy = await startFaultyProxy({ port, target: () => stack.serverOrigin, certificates: inject("certificates") });
  token = await userToken(stack);
  expiredToken = await expiredUserToken(stack);
});
afterAll(async () => {
  await proxy.close();
  await stack.close();
});

/** A server that takes a forgery for a good token. */
const accepts = (isForgery: (passing: Passing) => boolean) => takes(isForgery, () => token);
const ROOT = "/.well-known/oauth-protected-resource";

const CASES: readonly (readonly [fault: string, check: string, says: RegExp, make: () => Fault])[] = [
  [
    "tools without a token",
    "anonymous",
    /2026-07-28 and 2025-11-25 without a token/,
    () => accepts((passing) => isAnonymous(passing) && passing.method === "POST"),
  ],
  [
    "tools without a token in the older era only",
    "anonymous",
    /of 2025-11-25 without a token/,
    () => accepts((passing) => isAnonymous(passing) && passing.headers["mcp-protocol-version"] === "2025-11-25"),
  ],
  [
    "alg none",
    "unsigned-token",
    /alg none is accepted/,
    () => accepts((passing) => headerOf(tokenOf(passing))["alg"] === "none"),
  ],
  [
    "a signature that nobody checks",
    "foreign-signature",
    /signature of somebody else is accepted/,
    // The genuine ones go through as they are, and a tampered one keeps its signature.
    () =>
      accepts((passing) => {
        const jwt = tokenOf(passing);
        return (
          headerOf(jwt)["alg"] === "RS256" &&
          ![token, expiredToken].some((own) => own.split(".")[2] === jwt.split(".")[2])
        );
      }),
  ],
  [
    "the public key as a secret",
    "confused-algorithm",
    /public key as a secret/,
    () => accepts((passing) => headerOf(tokenOf(passing))["alg"] === "HS256"),
  ],
  [
    "a principal header that counts alone",
    "spoofed-principal",
    /X-MS-CLIENT-PRINCIPAL/,
    () => accepts((passing) => isAnonymous(passing) && "x-ms-client-principal" in passing.headers),
  ],
  [
    "tokens that never expire",
    "expired-token",
    /expired is accepted/,
    () => accepts((passing) => tokenOf(passing) === expiredToken),
  ],
  [
    "claims that the signature does not cover",
    "tampered-token",
    /other claims is accepted/,
    () => accepts((passing) => String(partOf(tokenOf(passing), 1)["roles"]).includes("Mcp.Admin")),
  ],
  [
    "a token in the query",
    "token-in-query",
    /in the query is accepted/,
    () => accepts((passing) => passing.url.includes("access_token=")),
  ],
  [
    "a session cookie that counts",
    "malformed-credentials",
    /is accepted/,
    () => accepts((passing) => passing.headers.cookie !== undefined),
  ],
  [
    "a forged token that breaks the server",
    "unsigned-token",
    /breaks the server/,
    () => ({ request: (passing) => (headerOf(tokenOf(passing))["alg"] === "none" ? says(500) : undefined) }),
  ],
  [
    "a session id that counts as a credential",
    "session",
    /session id without a token/,
    () =>
      accepts((passing) => isAnonymous(passing) && passing.method === "POST" && "mcp-session-id" in passing.headers),
  ],
  [
    "an origin that nobody looks at",
    "foreign-origin",
    /another site is answered with 200/,
    () => ({ request: ({ headers }) => void delete headers.origin }),
  ],
  [
    "no Strict-Transport-Security",
    "headers",
    /Strict-Transport-Security/,
    () =>
      answers(
        () => true,
        ({ headers }) => void delete headers["strict-transport-security"],
      ),
  ],
  [
    "no nosniff",
    "headers",
    /nosniff/,
    () =>
      answers(
        () => true,
        ({ headers }) => void delete headers["x-content-type-options"],
      ),
  ],
  [
    "answers that caches may keep",
    "headers",
    /no-store/,
    () =>
      answers(
        () => true,
        ({ headers }) => void delete headers["cache-control"],
      ),
  ],
  [
    "a header that names the software",
    "headers",
    /x-powered-by/,
    () =>
      answers(
        () => true,
        ({ headers }) => void (headers["x-powered-by"] = "Express"),
      ),
  ],
  [
    "CORS with credentials for everybody",
    "cross-origin",
    /cookies \(CORS\)/,
    () => ({
      answer: ({ headers }, passing) => {
        headers["access-control-allow-origin"] = passing.headers.origin;
        headers["access-control-allow-credentials"] = "true";
      },
    }),
  ],
  [
    "TRACE that repeats the request",
    "methods",
    /TRACE \/mcp/,
    () => ({ request: ({ method, headers }) => (method === "TRACE" ? says(200, JSON.stringify(headers)) : undefined) }),
  ],
  [
    "a stream for anybody",
    "methods",
    /GET \/mcp is answered with 200/,
    () => ({
      request: ({ method, url }) => (method === "GET" && url === "/mcp" ? says(200, ": hello\n\n") : undefined),
    }),
  ],
  [
    "PUT that breaks the server",
    "methods",
    /PUT \/mcp breaks/,
    () => ({ request: ({ method }) => (method === "PUT" ? says(500) : undefined) }),
  ],
  [
    "an error with a stack",
    "errors",
    /shows a stack/,
    () => ({
      request: ({ url }) =>
        url.includes("%E0") ? says(400, "URIError: malformed\n    at decode (/srv/app.js:3:4)") : undefined,
    }),
  ],
  [
    "a malformed body that breaks the server",
    "errors",
    /breaks the server \(500\)/,
    () => ({ request: ({ url }) => (url.includes("%00") ? says(500) : undefined) }),
  ],
  [
    "a file of secrets",
    "files",
    /\/\.env is served/,
    () => ({ request: (passing) => (at("/.env")(passing) ? says(200, "A=b") : undefined) }),
  ],
  [
    "the source",
    "files",
    /\/dist\/main\.js is served/,
    () => ({ request: (passing) => (at("/dist/main.js")(passing) ? says(200, "x") : undefined) }),
  ],
  [
    "health behind a sign-in",
    "health",
    /asks for a sign-in/,
    () => ({ request: (passing) => (at("/healthz")(passing) ? says(401) : undefined) }),
  ],
  [
    "Redis that does not work",
    "readiness",
    /redis does not work/,
    () => ({
      request: (passing) =>
        at("/readyz")(passing)
          ? says(200, '{"status":"degraded","checks":{"keys":"ok","redis":"failing"}}')
          : undefined,
    }),
  ],
  [
    "a page that may run any script",
    "page",
    /Content-Security-Policy/,
    () => ({
      request: (passing) => (at("/")(passing) ? says(200, "<p>", { "content-type": "text/html" }) : undefined),
    }),
  ],
  [
    "no metadata",
    "metadata",
    /no metadata \(404\)/,
    () => ({ request: (passing) => (passing.url.startsWith(ROOT) ? says(404) : undefined) }),
  ],
  [
    "metadata of another resource",
    "metadata",
    /another resource/,
    () =>
      answers(
        at(`${ROOT}/mcp`),
        inDocument((prm) => (prm["resource"] = `${url.href}/`)),
      ),
  ],
  [
    "metadata without an authorization server",
    "metadata",
    /names no authorization server/,
    () =>
      answers(
        at(`${ROOT}/mcp`),
        inDocument((prm) => delete prm["authorization_servers"]),
      ),
  ],
  [
    "no metadata at the root",
    "root-metadata",
    /no metadata at the root/,
    () => ({ request: (passing) => (at(ROOT)(passing) ? says(404) : undefined) }),
  ],
  [
    "metadata at the root with a foreign scope",
    "root-metadata",
    /AADSTS9010010/,
    () =>
      answers(
        at(ROOT),
        inDocument((prm) => (prm["scopes_supported"] = [`${url.href}/user_impersonation`])),
      ),
  ],
  [
    "metadata at the root of another host",
    "root-metadata",
    /another host/,
    () =>
      answers(
        at(ROOT),
        inDocument((prm) => (prm["resource"] = "https://contoso.example")),
      ),
  ],
  [
    "no scope in the metadata",
    "scopes",
    /AADSTS650053/,
    () =>
      answers(
        at(`${ROOT}/mcp`),
        inDocument((prm) => (prm["scopes_supported"] = [])),
      ),
  ],
  [
    "a foreign scope in the challenge",
    "scopes",
    /AADSTS9010010/,
    () =>
      answers(
        isAnonymous,
        ({ headers }) =>
          (headers["www-authenticate"] = String(headers["www-authenticate"]).replace(
            /scope="[^"]*"/,
            'scope="api://x/y"',
          )),
      ),
  ],
  [
    "a sign-in over plain http",
    "authorization-server",
    /plain http/,
    () =>
      answers(
        at(`${ROOT}/mcp`),
        inDocument((prm) => (prm["authorization_servers"] = ["http://login.example/v2.0"])),
      ),
  ],
  [
    "a challenge in one era only",
    "challenge",
    /no WWW-Authenticate/,
    () =>
      answers(
        (passing) => passing.headers["mcp-protocol-version"] === "2025-11-25",
        ({ headers }) => void delete headers["www-authenticate"],
      ),
  ],
  [
    "a challenge that points elsewhere",
    "challenge",
    /another host/,
    () =>
      answers(
        isAnonymous,
        ({ headers }) =>
          (headers["www-authenticate"] = String(headers["www-authenticate"]).replace(
            /resource_metadata="[^"]*"/,
            'resource_metadata="https://evil.example/x"',
          )),
      ),
  ],
  [
    "a challenge that points nowhere",
    "challenge",
    /does not say where/,
    () => answers(isAnonymous, ({ headers }) => (headers["www-authenticate"] = "Bearer")),
  ],
  [
    "no initialize",
    "2025-11-25",
    /initialize is answered with 400/,
    () => ({
      request: (passing) =>
        passing.headers["mcp-protocol-version"] === "2025-11-25" && tokenOf(passing) === token ? says(400) : undefined,
    }),
  ],
  [
    "no tools",
    "2026-07-28",
    /tools\/list is empty/,
    () =>
      answers(
        (passing) => passing.headers["mcp-method"] === "tools/list" && tokenOf(passing) === token,
        (answer) => (answer.body = '{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}'),
      ),
  ],
];

test("a front end that passes everything on has no fault", async () => {
  proxy.fault = {};
  const report = await verifyDeployment(url, { token, expiredToken });

  expect(namesOf(report, "finding")).toEqual([]);
  expect(namesOf(report, "ok")).toEqual(
    expect.arrayContaining(["https", "tls-version", "expired-token", "confused-algorithm"]),
  );
});

test.each(CASES)("%s is found by %s, and by nothing else", async (_fault, check, message, make) => {
  proxy.fault = make();
  const report = await verifyDeployment(url, { token, expiredToken });

  expect(namesOf(report, "finding")).toEqual([check]);
  expect(detailOf(report, check)).toMatch(message);
});

test("TLS 1.1 is found, and nothing else", async () => {
  const port = await freePort();
  const old = await startFaultyProxy({
    port,
    target: () => stack.serverOrigin,
    certificates: inject("certificates"),
    minVersion: "TLSv1.1",
  });
  // The same server under another port: its metadata names the first one.
  old.fault = { answer: (answer) => renamePorts(answer, url.port, String(port)) };
  const report = await verifyDeployment(new URL(`https://localhost:${port}/mcp`));
  await old.close();

  expect(namesOf(report, "finding")).toEqual(["tls-version"]);
});

test("a certificate that nobody here trusts is the one finding", async () => {
  const port = await freePort();
  const untrusted = await startFaultyProxy({
    port,
    target: () => stack.serverOrigin,
    certificates: await createCertificates(),
  });
  const report = await verifyDeployment(new URL(`https://localhost:${port}/mcp`));
  await untrusted.close();

  expect(namesOf(report, "finding")).toEqual(["https"]);
  expect(detailOf(report, "https")).toMatch(/certificate is not trusted/);
});

test("an authorization server that does not answer from here is no finding, and no pass", async () => {
  proxy.fault = answers(
    at(`${ROOT}/mcp`),
    inDocument((prm) => (prm["authorization_servers"] = ["https://localhost:9/tenant/v2.0"])),
  );
  const report = await verifyDeployment(url);

  expect(namesOf(report, "finding")).toEqual([]);
  expect(namesOf(report, "unknown")).toEqual(["authorization-server"]);
});

test.each([
  { status: 301, location: "https://contoso.example/mcp", outcome: "ok" },
  { status: 301, location: "http://contoso.example/login", outcome: "finding" },
  { status: 403, location: undefined, outcome: "ok" },
  { status: 401, location: undefined, outcome: "finding" },
  { status: 200, location: undefined, outcome: "finding" },
])("plain http that answers $status and leads to $location: $outcome", ({ status, location, outcome }) => {
  const headers: Record<string, string> = location === undefined ? {} : { location };
  expect(judgePlainHttp({ status, headers, body: "" }).outcome).toBe(outcome);
});

function renamePorts(answer: PassingAnswer, from: string, to: string): void {
  answer.body = answer.body.replaceAll(`localhost:${from}`, `localhost:${to}`);
  const challenge = answer.headers["www-authenticate"];
  if (typeof challenge === "string")
    answer.headers["www-authenticate"] = challenge.replaceAll(`localhost:${from}`, `localhost:${to}`);
}
