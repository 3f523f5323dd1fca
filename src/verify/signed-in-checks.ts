import { bearer } from "./attack-checks.ts";
import type { Check, Deployment } from "./deployment.ts";
import { claimsOf } from "./forgeries.ts";
import { ERAS, type Era, firstProbe, mcpProbe, objectIn } from "./messages.ts";
import type { Answer, Probe } from "./probe.ts";
import { finding, ok, skipped, type Verdict } from "./report.ts";

/** What a person who signed in gets: the tools, one answer of Microsoft Graph, and no more rights than the token's. */
export const signedInChecks: readonly Check[] = [
  { name: "token", after: ["anonymous"], run: acceptsToken },
  ...ERAS.map(
    (era): Check => ({ name: era, after: ["token"], run: async (deployment) => servesTools(deployment, era) }),
  ),
  { name: "session", after: ["token"], run: sessionIsNoCredential },
  { name: "foreign-origin", after: ["token"], run: refusesForeignOrigin },
];

const NO_TOKEN = "no --token that is still good";
const TOOL = "get_my_profile";
const ERROR_META_KEY = "azure-graph-mcp/error";

async function acceptsToken({ send, url, token, isBroker }: Deployment): Promise<Verdict> {
  if (token === undefined) return skipped(NO_TOKEN);
  const { status, headers } = await send(url, firstProbe("2026-07-28", bearer(token)));
  if (status === 200) return ok("the token is accepted");
  const { ver, azp, appid } = claimsOf(token);
  if (ver === "1.0") {
    return finding(
      `the token is one of version 1 and refused (${status})`,
      "Set requestedAccessTokenVersion of the registration to 2; tokens change within minutes.",
    );
  }
  if (status === 403 && headers["www-authenticate"] === undefined) {
    return finding(
      "the token is good, and its client, tenant or user may not use this server (403)",
      `Put the client id ${guidOf(azp ?? appid)} into allowedApplications and ALLOWED_CLIENT_IDS, and look at the allowed tenants.`,
    );
  }
  if (status === 403) {
    return finding("the token lacks the scope of this server (403)", "Ask for the scope that the metadata publishes.");
  }
  return finding(
    `the token is refused (${status})`,
    isBroker
      ? "It must be one of this broker, for this address, not older than ten minutes, and its sign-in must not have ended."
      : "Its audience must be the server's registration, its issuer openIdIssuer, and it must not have expired.",
  );
}

async function servesTools({ send, url, token }: Deployment, era: Era): Promise<Verdict> {
  if (token === undefined) return skipped(NO_TOKEN);
  const session = await openSession({ send, url, token }, era);
  if (!session.ok) return session.verdict;
  const ask = async (method: string, params?: Record<string, unknown>) =>
    send(url, mcpProbe(era, { method, ...(params ? { params } : {}), headers: session.headers }));

  const list = resultOf(await ask("tools/list"))?.["tools"];
  const names = Array.isArray(list) ? (list as { name?: unknown }[]).map(({ name }) => name) : [];
  if (names.length === 0) return finding("tools/list is empty", "Set TOOLSETS, or leave it out for the default ones.");
  if (!names.includes(TOOL)) return ok(`${names.length} tools; none was called, because ${TOOL} is not served`);

  const answer = await ask("tools/call", { name: TOOL, arguments: {} });
  const result = resultOf(answer);
  if (result && result["isError"] !== true) return ok(`${names.length} tools, and Microsoft Graph answered ${TOOL}`);
  const code = errorCodeOf(result);
  return finding(
    `${TOOL} failed${code === undefined ? ` (${answer.status})` : `: ${code}`}`,
    FIXES[code ?? ""] ?? "docs/operations.md says what each code means; the server's log has the same request.",
  );
}

const FIXES: Readonly<Record<string, string>> = {
  consent_required: "Somebody has to consent to the Graph permissions: the page at / has both links.",
  interaction_required:
    "Conditional Access asks this user for more; apply its policy to the server's registration too.",
  misconfigured: "Check the federated credential: issuer, subject (the identity's principal id) and audience.",
  unavailable:
    "Entra ID, the managed identity endpoint or Microsoft Graph did not answer; the server's log says which.",
};

async function openSession(
  { send, url, token }: { readonly token: string } & Pick<Deployment, "send" | "url">,
  era: Era,
): Promise<{ ok: true; headers: NonNullable<Probe["headers"]> } | { ok: false; verdict: Verdict }> {
  if (era === "2026-07-28") return { ok: true, headers: bearer(token) };
  const answer = await send(url, firstProbe(era, bearer(token)));
  const id = answer.headers["mcp-session-id"];
  if (resultOf(answer) === undefined) {
    return {
      ok: false,
      verdict: finding(
        `initialize is answered with ${answer.status}`,
        "The server must speak 2025-11-25 too: VS Code does.",
      ),
    };
  }
  const headers = { ...bearer(token), ...(id === undefined ? {} : { "mcp-session-id": id }) };
  await send(url, mcpProbe(era, { method: "notifications/initialized", headers }));
  return { ok: true, headers };
}

async function sessionIsNoCredential({ send, url, token }: Deployment): Promise<Verdict> {
  if (token === undefined) return skipped(NO_TOKEN);
  const id = (await send(url, firstProbe("2025-11-25", bearer(token)))).headers["mcp-session-id"];
  if (id === undefined) return skipped("the server opened no session");
  const { status } = await send(
    url,
    mcpProbe("2025-11-25", { method: "tools/list", headers: { "mcp-session-id": id } }),
  );
  if (status === 401 || status === 403) return ok("a session id without a token opens nothing");
  return finding(
    `a session id without a token is answered with ${status}`,
    "Authorize every request on its own token.",
  );
}

async function refusesForeignOrigin({ send, url, token }: Deployment): Promise<Verdict> {
  if (token === undefined) return skipped(NO_TOKEN);
  const { status } = await send(url, firstProbe("2026-07-28", { ...bearer(token), origin: "https://evil.example" }));
  if (status >= 400 && status < 500) return ok("a request from a page of another site is refused");
  return finding(
    `a request from a page of another site is answered with ${status}`,
    "Check Origin before anything else (DNS rebinding); ALLOWED_ORIGINS names the exceptions.",
  );
}

function resultOf(answer: Answer): Readonly<Record<string, unknown>> | undefined {
  const result = answer.status === 200 ? objectIn(answer)?.["result"] : undefined;
  return typeof result === "object" && result !== null ? (result as Record<string, unknown>) : undefined;
}

function errorCodeOf(result: Readonly<Record<string, unknown>> | undefined): string | undefined {
  const meta = result?.["_meta"] as Record<string, { code?: unknown } | undefined> | undefined;
  const code = meta?.[ERROR_META_KEY]?.code;
  return typeof code === "string" && /^[a-z_]{1,40}$/.test(code) ? code : undefined;
}

function guidOf(value: unknown): string {
  return typeof value === "string" && /^[\da-f-]{36}$/i.test(value) ? value : "of the client";
}
