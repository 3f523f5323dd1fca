import { randomUUID } from "node:crypto";
import { connect } from "node:tls";
import { type Check, type Deployment, isSecure } from "./deployment.ts";
import { firstProbe, objectIn } from "./messages.ts";
import { type Answer, NoAnswerError, type Probe } from "./probe.ts";
import { finding, ok, skipped, type Verdict } from "./report.ts";

/** What anybody on the network sees: transport, headers, methods, health, error bodies and files. */
export const surfaceChecks: readonly Check[] = [
  { name: "https", run: usesHttps },
  { name: "tls-version", after: ["https"], run: refusesOldTls },
  { name: "plain-http", after: ["https"], run: plainHttpLeadsToHttps },
  { name: "health", run: isHealthy },
  { name: "readiness", after: ["health"], run: isReady },
  { name: "headers", after: ["health"], run: sendsSecurityHeaders },
  { name: "page", run: pageRunsNoForeignScript },
  { name: "cross-origin", after: ["anonymous"], run: refusesOtherSites },
  { name: "methods", after: ["anonymous"], run: refusesOtherMethods },
  { name: "errors", run: errorsSayNothingAboutTheInside },
  { name: "files", run: servesNoFiles },
];

const EVIL = "https://evil.example";

function usesHttps({ url }: Deployment): Verdict {
  if (url.protocol === "https:") return ok("https, with a certificate that is trusted here");
  if (isSecure(url)) return ok("plain http, on this computer only");
  return finding("tokens travel over plain http", "Set httpsOnly and give clients the https address.");
}

async function refusesOldTls({ url, timeoutMs }: Deployment): Promise<Verdict> {
  if (url.protocol !== "https:") return skipped("no TLS on this computer");
  return (await acceptsTls11(url, timeoutMs))
    ? finding("TLS 1.1 is accepted", 'Set siteConfig.minTlsVersion to "1.2", or the same in front of the server.')
    : ok("TLS 1.2 is the oldest that is spoken");
}

function acceptsTls11({ hostname, port }: URL, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({
      host: hostname,
      port: Number(port || 443),
      servername: hostname,
      minVersion: "TLSv1",
      maxVersion: "TLSv1.1",
      // OpenSSL 3 speaks the old versions at this level only; the certificate is not the question.
      ciphers: "DEFAULT@SECLEVEL=0",
      rejectUnauthorized: false,
    });
    const end = (accepted: boolean) => {
      resolve(accepted);
      socket.destroy();
    };
    socket.setTimeout(timeoutMs, () => end(false));
    socket.once("secureConnect", () => end(true)).once("error", () => end(false));
  });
}

async function plainHttpLeadsToHttps({ url, send }: Deployment): Promise<Verdict> {
  if (url.protocol !== "https:" || url.port !== "") return skipped("no http port beside it");
  let answer: Answer;
  try {
    answer = await send(`http://${url.hostname}${url.pathname}`);
  } catch (error) {
    if (error instanceof NoAnswerError) return ok("nobody listens on http");
    throw error;
  }
  return judgePlainHttp(answer);
}

/** Over http a server may send people to https, and nothing else. */
export function judgePlainHttp({ status, headers }: Answer): Verdict {
  if (status >= 300 && status < 400 && headers["location"]?.startsWith("https://")) return ok("http leads to https");
  if (status === 403 || status === 404) return ok("http is refused");
  return finding(`http is answered with ${status}`, "Set httpsOnly on the site.");
}

async function isHealthy({ send, front }: Deployment): Promise<Verdict> {
  const { status } = await send("/healthz");
  if (status === 200) return ok("/healthz answers without a token");
  if (status === 401 || status === 403 || status === 302) {
    return finding(
      `/healthz asks for a sign-in (${status}): the health check of App Service takes the instance for dead`,
      "Put /healthz and /readyz into globalValidation.excludedPaths.",
    );
  }
  return finding(
    `/healthz answers ${status}: the server does not run`,
    front === "App Service Authentication"
      ? "Read its log: az webapp log tail. Start errors name the setting that is wrong; docs/operations.md has the rest."
      : "Read its log. Start errors name the setting that is wrong; docs/operations.md has the rest.",
  );
}

async function isReady({ send }: Deployment): Promise<Verdict> {
  const answer = await send("/readyz");
  const { checks = {}, status } = (objectIn(answer) ?? {}) as { checks?: Record<string, string>; status?: string };
  const failing = Object.keys(checks).filter((name) => checks[name] !== "ok" && /^[\w-]{1,40}$/.test(name));
  if (answer.status === 200 && failing.length === 0) return ok("/readyz: everything that the server needs works");
  if (status === "draining") return finding("this instance is being stopped", "Ask again in a minute.");
  return finding(
    `/readyz answers ${answer.status}${failing.length > 0 ? `: ${failing.join(" and ")} does not work` : ""}`,
    "keys: the managed identity needs Key Vault Secrets User, and the vault must be reachable. redis: docs/operations.md.",
  );
}

async function sendsSecurityHeaders({ send, url }: Deployment): Promise<Verdict> {
  const { headers } = await send("/healthz");
  const maxAge = Number(/max-age=(\d+)/.exec(headers["strict-transport-security"] ?? "")?.[1] ?? 0);
  const faults = [
    ...(url.protocol === "https:" && maxAge < 15_552_000 ? ["no Strict-Transport-Security of half a year"] : []),
    ...(headers["x-content-type-options"] === "nosniff" ? [] : ["no X-Content-Type-Options: nosniff"]),
    ...(/no-store/.test(headers["cache-control"] ?? "") ? [] : ["no Cache-Control: no-store"]),
    ...["x-powered-by", "x-aspnet-version"]
      .filter((name) => name in headers)
      .map((name) => `${name} names the software`),
  ];
  if (faults.length === 0) return ok("security headers are there, and none names the software");
  return finding(
    faults.join(", "),
    "Whatever stands in front must not remove or add headers: compare src/http/app.ts.",
  );
}

async function pageRunsNoForeignScript({ send }: Deployment): Promise<Verdict> {
  const { status, headers } = await send("/", { headers: { accept: "text/html" } });
  if (status !== 200 || !headers["content-type"]?.startsWith("text/html")) return skipped(`no page at / (${status})`);
  const policy = headers["content-security-policy"] ?? "";
  const isStrict = /default-src 'none'/.test(policy) && /frame-ancestors 'none'/.test(policy);
  if (isStrict && !/unsafe-|script-src[^;]*(?:\*|https?:)/.test(policy)) {
    return ok("the page at / runs no script but its own and fits into no frame");
  }
  return finding(
    "the page at / has no strict Content-Security-Policy",
    "Send default-src 'none', hashes for its own script and style, and frame-ancestors 'none'.",
  );
}

async function refusesOtherSites({ send, url }: Deployment): Promise<Verdict> {
  const answers = await Promise.all([
    send(url, firstProbe("2026-07-28", { origin: EVIL })),
    send(url, {
      method: "OPTIONS",
      headers: {
        origin: EVIL,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization",
      },
    }),
  ]);
  const opened = answers.some(
    ({ headers }) =>
      headers["access-control-allow-credentials"] === "true" && headers["access-control-allow-origin"] === EVIL,
  );
  if (!opened) return ok("pages of other sites get no leave to send a person's cookies");
  return finding(
    "pages of any site may send requests with a person's cookies (CORS)",
    "Turn off CORS with credentials on the site; MCP clients need none.",
  );
}

async function refusesOtherMethods({ send, url }: Deployment): Promise<Verdict> {
  const marker = randomUUID();
  const probes: readonly Probe[] = [
    { method: "GET", headers: { accept: "text/event-stream" } },
    { method: "DELETE", headers: { "mcp-session-id": marker } },
    { method: "PUT", body: "{}", headers: { "content-type": "application/json" } },
    { method: "TRACE", headers: { "x-verify": marker } },
  ];
  for (const probe of probes) {
    const { status, body } = await send(url, probe);
    if (status < 300 || body.includes(marker)) {
      return finding(
        `${probe.method} ${url.pathname} is answered with ${status} without a token`,
        "Every method goes through authentication, and TRACE is off.",
      );
    }
    if (status >= 500)
      return finding(`${probe.method} ${url.pathname} breaks the server (${status})`, "Its log has the reason.");
  }
  return ok("GET, DELETE, PUT and TRACE give nothing without a token");
}

const INSIDE = /node_modules|\.[jt]s:\d+|\n\s+at .+\(|\/home\/|\/usr\/|Error: /;

async function errorsSayNothingAboutTheInside({ send, url }: Deployment): Promise<Verdict> {
  const json = { "content-type": "application/json", accept: "application/json, text/event-stream" };
  const answers = await Promise.all([
    send(`/${randomUUID()}`),
    send("/%E0%A4%A"),
    send("/healthz/%00"),
    send(url, { method: "POST", headers: json, body: "{oops" }),
    send(url, { method: "POST", headers: json, body: "[]" }),
  ]);
  if (answers.some(({ body }) => INSIDE.test(body))) {
    return finding(
      "an error shows a stack or a path of the server",
      "Set NODE_ENV=production; errors are problem documents.",
    );
  }
  const broken = answers.find(({ status }) => status >= 500);
  if (broken) return finding(`a malformed request breaks the server (${broken.status})`, "Its log has the reason.");
  return ok("errors tell nothing about the inside");
}

async function servesNoFiles({ send }: Deployment): Promise<Verdict> {
  const paths = ["/.env", "/.git/HEAD", "/package.json", "/dist/main.js", "/web.config", "/..%2fpackage.json"];
  const answers = await Promise.all(paths.map(async (path) => send(path)));
  const served = paths.filter((_path, index) => answers[index]?.status === 200);
  if (served.length === 0) return ok("no file of the package is served");
  return finding(`${served.join(" and ")} is served`, "Nothing but the server may answer: remove static file serving.");
}
