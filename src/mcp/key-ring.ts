import { randomBytes } from "node:crypto";

/** A secret that seals state handed to clients; `id` names its version. */
export interface SigningSecret {
  readonly id: string;
  /** At least 32 bytes. */
  readonly secret: Uint8Array;
}

/**
 * The secrets in use, newest first: the first one seals, all of them open. Throws while none can be had.
 *
 * With `wanted`, what the caller has to open: when no known secret is it, the ring looks for new ones first, because
 * another instance may have seen a rotation earlier.
 */
export type KeyRing = (wanted?: (secret: SigningSecret) => boolean) => Promise<readonly SigningSecret[]>;

/** A secret that lives and dies with this process; what it sealed cannot be opened by another instance. */
export function createProcessKeyRing(): KeyRing {
  const secrets = [{ id: "process", secret: randomBytes(32) }];
  return async () => secrets;
}
