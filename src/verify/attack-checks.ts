import type { Check, Deployment } from "./deployment.ts";
import { claimsOf, confusedToken, foreignToken, spoofedPrincipal, tamperedToken, unsignedToken } from "./forgeries.ts";
import { ERAS, type Era, firstProbe } from "./messages.ts";
import type { Probe } from "./probe.ts";
import { finding, ok, skipped, type Verdict } from "./report.ts";

type Headers = NonNullable<Probe["headers"]>;

/** Credentials that nobody issued, and ones that were good for something else: all must be refused. */
export const attackChecks: readonly Check[] = [
  attack("malformed-credentials", "credentials that are none", () => [
    { authorization: "Bearer x" },
    { authorization: "Bearer" },
    { authorization: "Basic YWRtaW46YWRtaW4=" },
    { cookie: "AppServiceAuthSession=x" },
    { "x-zumo-auth": "x" },
  ]),
  attack("unsigned-token", "a token with alg none", (deployment) => [bearer(unsignedToken(deployment))]),
  attack("foreign-signature", "a token with a signature of somebody else", (deployment) => [
    bearer(foreignToken(deployment)),
  ]),
  attack("confused-algorithm", "a token signed with the public key as a secret", (deployment) => {
    const token = confusedToken(deployment);
    return token === undefined ? "the authorization server's keys are not known" : [bearer(token)];
  }),
  attack("spoofed-principal", "X-MS-CLIENT-PRINCIPAL without a token", (deployment) => [
    spoofedPrincipal(),
    { ...spoofedPrincipal(), "x-ms-token-aad-access-token": unsignedToken(deployment) },
  ]),
  attack("expired-token", "a token that has expired", ({ expiredToken }) =>
    expiredToken === undefined ? "no --expired-token" : [bearer(expiredToken)],
  ),
  attack("tampered-token", "a good token with other claims", ({ token }) =>
    token === undefined ? "no --token that is still good" : [bearer(tamperedToken(token))],
  ),
  { name: "token-in-query", after: ["anonymous"], run: refusesTokenInQuery },
];

const FIX =
  "Every token must pass signature, issuer, audience and lifetime, and no header but Authorization counts without one: compare src/auth/access-token.ts, src/auth/easy-auth.ts and src/broker/access-token.ts, and App Service Authentication's settings.";

/** Tries each of the credentials in both eras; a text instead of credentials says why there are none. */
function attack(
  name: string,
  what: string,
  credentials: (deployment: Deployment) => readonly Headers[] | string,
): Check {
  return {
    name,
    after: ["anonymous"],
    async run(deployment) {
      const list = credentials(deployment);
      if (typeof list === "string") return skipped(list);
      for (const headers of list) {
        for (const era of ERAS) {
          const verdict = judge(what, era, (await deployment.send(deployment.url, firstProbe(era, headers))).status);
          if (verdict) return verdict;
        }
      }
      return ok(`${what}: refused in both eras`);
    },
  };
}

function judge(what: string, era: Era, status: number): Verdict | undefined {
  if (status < 300) return finding(`${what} is accepted (${era}, ${status})`, FIX);
  if (status >= 500) {
    return finding(
      `${what} breaks the server (${era}, ${status})`,
      "Answer it with 401; the server's log has the reason.",
    );
  }
  return undefined;
}

async function refusesTokenInQuery({ send, url, token }: Deployment): Promise<Verdict> {
  if (token === undefined) return skipped("no --token that is still good");
  const withToken = new URL(url);
  withToken.searchParams.set("access_token", token);
  for (const era of ERAS) {
    const verdict = judge("a token in the query", era, (await send(withToken, firstProbe(era))).status);
    if (verdict) return verdict;
  }
  return ok("a token in the query does not count");
}

/** The header of a bearer token. */
export function bearer(token: string): Headers {
  return { authorization: `Bearer ${token}` };
}

/** Whether a token's own time is over; one without a time never is. */
export function isExpired(token: string): boolean {
  const { exp } = claimsOf(token);
  return typeof exp === "number" && exp * 1000 < Date.now();
}
