/** Behaviour of Entra that is unverified or reported in conflicting ways, each behind a name. */
export interface EntraSwitches {
  /** How `resource` is compared with the requested scopes; `reject-always` is the behaviour of 2025 (AADSTS901002). */
  "entra.resourceMatch": "scope-prefix" | "any-identifier-uri" | "reject-always" | "ignore";
  /** Which app registrations may get an identifier URI on a domain that the tenant has not verified. */
  "entra.identifierUriPolicy": "v2-exempt" | "verified-domain-only" | "off";
  /** When a client that is its own resource is refused with AADSTS90009. */
  "entra.selfToken": "refresh-guid-only" | "token-guid-only" | "scopeless-only" | "off";
  /** Whether a refresh without `scope` takes over the scopes of the sign-in. */
  "entra.scopelessRefresh": "inherit" | "reject";
  /** The number of the error for a client assertion whose audience no federated credential lists. */
  "entra.ficAudienceCode": 7002121 | 700212;
  /** What happens to the token of a system-assigned identity; `warn` accepts it with a process warning. */
  "entra.ficSystemAssigned": "warn" | "reject";
  /** How long AADSTS70021 is answered after a federated credential was first presented. */
  "entra.ficPropagationSeconds": number;
  /** HTTP status of `invalid_client`. */
  "entra.invalidClientStatus": 401 | 400;
}

/** What the emulator does unless a test says otherwise. */
export const DEFAULT_SWITCHES: Readonly<EntraSwitches> = {
  "entra.resourceMatch": "scope-prefix",
  "entra.identifierUriPolicy": "v2-exempt",
  "entra.selfToken": "refresh-guid-only",
  "entra.scopelessRefresh": "inherit",
  "entra.ficAudienceCode": 7002121,
  "entra.ficSystemAssigned": "warn",
  "entra.ficPropagationSeconds": 0,
  "entra.invalidClientStatus": 401,
};
