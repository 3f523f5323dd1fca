import { EntraError } from "./errors.ts";

/** What a `claims` request parameter asks for, as far as the emulator honours it. */
export interface ClaimsRequest {
  /** The client handles claims challenges: the token gets `xms_cc: ["cp1"]`. */
  readonly handlesChallenges: boolean;
  /** The client answers a challenge that multi-factor authentication satisfies. */
  readonly stepUp: boolean;
}

type ClaimsJson = { readonly access_token?: Readonly<Record<string, { readonly values?: unknown } | null>> };

/** Reads a `claims` request parameter. Throws AADSTS9002313 when it is not a JSON object. */
export function parseClaimsRequest(claims: string | null): ClaimsRequest {
  if (!claims) return { handlesChallenges: false, stepUp: false };
  let parsed: unknown;
  try {
    parsed = JSON.parse(claims);
  } catch {
    throw new EntraError(9002313, ["claims"]);
  }
  if (typeof parsed !== "object" || parsed === null) throw new EntraError(9002313, ["claims"]);
  const asked = (parsed as ClaimsJson).access_token ?? {};
  const capabilities = asked["xms_cc"]?.values;
  return {
    handlesChallenges: Array.isArray(capabilities) && capabilities.includes("cp1"),
    stepUp: ["capolids", "polids", "acrs"].some((name) => name in asked),
  };
}

/** Id of the emulator's only Conditional Access policy: multi-factor authentication for some users. */
const MFA_POLICY_ID = "b1c7a0de-52c4-4d35-9d6a-7f0e2c8a9b13";

/** The claims challenge that AADSTS50076 carries. */
export const MFA_CHALLENGE = JSON.stringify({
  access_token: { capolids: { essential: true, values: [MFA_POLICY_ID] } },
});
