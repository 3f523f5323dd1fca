import { attackChecks, isExpired } from "./attack-checks.ts";
import { brokerChecks } from "./broker-checks.ts";
import { type Check, type Deployment, lookAt } from "./deployment.ts";
import { NoAnswerError, openProber } from "./probe.ts";
import type { Report, Result, Verdict } from "./report.ts";
import { signInChecks } from "./sign-in-checks.ts";
import { signedInChecks } from "./signed-in-checks.ts";
import { surfaceChecks } from "./surface-checks.ts";

/** What may be given beside the address. */
export interface VerifyOptions {
  readonly token?: string | undefined;
  readonly expiredToken?: string | undefined;
  /** Longest time of one request. */
  readonly timeoutMs?: number;
  /** Longest time of everything. */
  readonly totalMs?: number;
}

/** Those that others wait for come first. */
const CHECKS: readonly Check[] = [
  ...signInChecks,
  ...brokerChecks,
  ...surfaceChecks,
  ...attackChecks,
  ...signedInChecks,
];
/** What TLS says of certificates, as Node names it. */
const CERTIFICATE_CODES = /CERT|ISSUER|SELF_SIGNED|ALTNAME|UNABLE_TO_VERIFY/;

/**
 * Looks at a deployment from outside, as an attacker and as a client would. Reads only: it calls one tool, which
 * answers the profile of whoever the token is of. At a broker it registers one client, which nobody lets in and the broker
 * forgets within an hour. Throws {@link NoAnswerError} where nobody answers.
 */
export async function verifyDeployment(url: URL, options: VerifyOptions = {}): Promise<Report> {
  const { token, timeoutMs = 10_000, totalMs = 180_000 } = options;
  const hasExpired = token !== undefined && isExpired(token);
  const prober = openProber(url.origin, { timeoutMs, deadline: AbortSignal.timeout(totalMs) });
  try {
    const deployment = await lookAt(url, prober.send, {
      token: hasExpired ? undefined : token,
      expiredToken: options.expiredToken ?? (hasExpired ? token : undefined),
      timeoutMs,
    });
    const results = new Map<string, Result>();
    for (const check of CHECKS)
      results.set(check.name, { check: check.name, ...(await run(check, deployment, results)) });
    return { url: url.href, front: deployment.front, results: [...results.values()] };
  } catch (error) {
    if (!(error instanceof NoAnswerError && CERTIFICATE_CODES.test(error.code))) throw error;
    const fix = "Bind a certificate for this host name; NODE_EXTRA_CA_CERTS names an authority of your own.";
    const result = {
      check: "https",
      outcome: "finding",
      detail: `the certificate is not trusted (${error.code})`,
      fix,
    } as const;
    return { url: url.href, front: "the server itself", results: [result] };
  } finally {
    await prober.close();
  }
}

async function run(check: Check, deployment: Deployment, results: ReadonlyMap<string, Result>): Promise<Verdict> {
  const failed = check.after?.find((name) => results.get(name)?.outcome !== "ok");
  if (failed !== undefined) {
    const { detail, outcome } = results.get(failed) ?? { detail: "", outcome: "skipped" };
    return { outcome: "skipped", detail: outcome === "skipped" ? detail : `not before ${failed} is right` };
  }
  try {
    return await check.run(deployment);
  } catch (error) {
    if (error instanceof NoAnswerError) return { outcome: "unknown", detail: error.message };
    throw error;
  }
}
