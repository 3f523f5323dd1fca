import { decodeJwt, type JWTPayload } from "jose";
import type { AppRegistration, FederatedIdentityCredential } from "../directory.ts";
import type { Authority } from "./authority.ts";
import { EntraError } from "./errors.ts";

const firstPresented = new WeakMap<FederatedIdentityCredential, number>();

function decode(assertion: string): JWTPayload {
  try {
    return decodeJwt(assertion);
  } catch {
    throw new EntraError(700027);
  }
}

/** A credential that nobody has presented before may not have reached every server of Entra yet. */
function assertPropagated(credential: FederatedIdentityCredential, seconds: number): void {
  const since = firstPresented.get(credential) ?? Date.now();
  firstPresented.set(credential, since);
  if (Date.now() < since + seconds * 1000) throw new EntraError(70021);
}

function assertUsableIdentity(claims: JWTPayload, rule: "warn" | "reject"): void {
  const resource = claims["xms_mirid"];
  if (typeof resource !== "string") throw new EntraError(700226);
  if (resource.includes("/userAssignedIdentities/")) return;
  if (rule === "reject") throw new EntraError(700236);
  process.emitWarning(
    "A system-assigned identity acted as a federated identity credential, which Microsoft does not support.",
    "EntraEmulatorWarning",
  );
}

/**
 * Verifies a client assertion against the federated identity credentials of the client.
 *
 * Issuer, subject and audience are compared byte for byte, and only here: wrong values in a registration go unnoticed
 * until somebody presents an assertion.
 */
export async function verifyFederatedAssertion(
  { keys, switches }: Authority,
  client: AppRegistration,
  assertion: string,
): Promise<void> {
  const { iss = "", sub = "" } = decode(assertion);
  const sameIssuer = client.federatedIdentityCredentials.filter(({ issuer }) => issuer === iss);
  if (sameIssuer.length === 0) throw new EntraError(700211, [iss]);
  const claims = await keys.verify(assertion);
  if (!claims) throw new EntraError(700027);
  const now = Date.now() / 1000;
  if ((claims.exp ?? 0) <= now || (claims.nbf ?? 0) > now) throw new EntraError(700024);
  const sameSubject = sameIssuer.filter(({ subject }) => subject === sub);
  if (sameSubject.length === 0) throw new EntraError(700213, [sub]);
  const credential = sameSubject.find(({ audiences }) => audiences.includes(String(claims.aud)));
  if (!credential) throw new EntraError(switches["entra.ficAudienceCode"], [String(claims.aud)]);
  assertUsableIdentity(claims, switches["entra.ficSystemAssigned"]);
  assertPropagated(credential, switches["entra.ficPropagationSeconds"]);
}
