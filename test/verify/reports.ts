import type { Report, Verdict } from "../../src/verify/report.ts";
import { userToken } from "../support/forged-tokens.ts";
import type { Stack } from "../support/stack.ts";

/** Names of the checks that ended in a certain way. */
export function namesOf({ results }: Report, outcome: Verdict["outcome"]): string[] {
  return results.filter((result) => result.outcome === outcome).map(({ check }) => check);
}

/** What one check said. */
export function detailOf({ results }: Report, name: string): string {
  return results.find(({ check }) => check === name)?.detail ?? "";
}

/** A token of Adele's that was good until an hour ago. */
export function expiredUserToken(stack: Pick<Stack, "entra" | "mcpUrl">): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return userToken(stack, "AdeleV", { claims: { iat: now - 7200, nbf: now - 7200, exp: now - 3600 } });
}
